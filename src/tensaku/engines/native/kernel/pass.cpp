// One pass of a decoder of the Llama and Gemma families over rows of several streams, in one call.
//
// What comes out of a row depends on that row and its stream alone: not on the rows beside it, the number of threads, or
// who multiplied what. Products are sums of integers; each fp32 sum has an order that the row fixes. So an answer is the
// same alone, among others, and verified from a guess.
#include <time.h>

#include "attend.h"
#include "model.h"

namespace tk {

static double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

// y = x / rms(x) * weight (Zhang and Sennrich 2019); y may be x.
static void norm(const float* x, const float* weight, int n, float eps, float* y) {
    floats squares{};
    for (int i = 0; i < n; i += LANES) squares = fused(load(x + i), load(x + i), squares);
    const floats factor = all(1.0f / __builtin_sqrtf(sum(squares) / float(n) + eps));
    for (int i = 0; i < n; i += LANES) store(y + i, load(x + i) * factor * load(weight + i));
}

static void add(float* x, const float* y, int n) {
    for (int i = 0; i < n; i += LANES) store(x + i, load(x + i) + load(y + i));
}

// act(g) up; gelu by tanh, written with e^v: 0.5 (1 + tanh u) = 1 / (1 + e^(-2u)).
static floats gated(floats g, floats up, bool silu) {
    const floats u = silu ? g : g * all(1.5957691216f) * (all(1.0f) + all(0.044715f) * g * g);
    return g / (all(1.0f) + exp(-u)) * up;
}

static void rotate(const float* x, const float* cos, const float* sin, int dim, float scale, float* y) {
    const int half = dim / 2;
    for (int i = 0; i < half; i++) {
        const float a = x[i], b = x[i + half];
        y[i] = (a * cos[i] + b * sin[i]) * scale;
        y[i + half] = (b * cos[i + half] + a * sin[i + half]) * scale;
    }
}

constexpr int REDUCED = 4;  // rows that an adapter reduces together

struct Run {
    Model& m;
    const Pass& p;
    const Shape& s = m.shape;
    int rows;              // of what is left: all, or after the last layer's keys the wanted ones
    double last = 0;       // thread 0: when the phase began
    const int qkv_width = up((s.heads + 2 * s.kv_heads) * s.dim, LANES);

    const Thin* thin_of(int row, int layer, int part) const {
        const Adapter* adapter = p.adapters[m.at[row]];
        return adapter ? adapter->layers[layer][part].get() : nullptr;
    }

    // One row on its way into a product: its bytes, and the adapter that goes with it.
    void enter(int row, const float* x, int layer, int part) {
        const Matrix& matrix = part < 0 ? m.head : m.layers[layer].matrix[part];
        quantise(x, matrix.stride, &m.bytes[size_t(row) * matrix.stride], &m.size[size_t(row) * matrix.blocks]);
        m.thin[row] = part < 0 ? nullptr : thin_of(row, layer, part);
    }

    // What adapters make first of rows, `x` each `stride` floats apart: sixteen ranks of up to four rows are a piece, so
    // that a lone row is shared among the threads too.
    void reduce(int thread, const float* x, int stride) {
        if (std::none_of(m.thin.begin(), m.thin.begin() + rows, [](const Thin* thin) { return thin; })) return;
        const int parts = m.width / LANES, chunks = (rows + REDUCED - 1) / REDUCED;
        for (int piece; (piece = m.pool->take()) < chunks * parts;) {
            const int rank = piece % parts * LANES, last = std::min((piece / parts + 1) * REDUCED, rows);
            for (int row = piece / parts * REDUCED, end; row < last; row = end) {
                for (end = row + 1; end < last && m.thin[end] == m.thin[row];) end++;
                if (m.thin[row] && rank < m.thin[row]->width) reduce_rows(x, stride, row, end - row, rank);
            }
        }
        phase(thread, 2);
    }

    void reduce_rows(const float* x, int stride, int row, int count, int rank) {
        const float* from[REDUCED];
        float* to[REDUCED];
        for (int r = 0; r < count; r++)
            from[r] = x + size_t(row + r) * stride, to[r] = &m.inner[size_t(row + r) * m.width];
        switch (count) {
            case 1: return m.thin[row]->reduce<1>(from, rank, to);
            case 2: return m.thin[row]->reduce<2>(from, rank, to);
            case 3: return m.thin[row]->reduce<3>(from, rank, to);
            case 4: return m.thin[row]->reduce<4>(from, rank, to);
        }
    }

    Rows inputs() const { return {rows, m.bytes.get(), m.size.get(), m.thin.data(), m.inner.get(), m.width}; }

    void phase(int thread, int kind) {
        m.pool->meet();
        if (thread) return;
        const double t = now();
        m.seconds[kind] += t - last;
        last = t;
    }

    template <class Do>
    void each_row(int thread, Do&& work) {
        for (int row; (row = m.pool->take()) < rows;) work(row);
        phase(thread, 2);
    }

    // What rows `x`, which have entered, are by one matrix; each of `stride` floats. `put` takes sixteen numbers of a row.
    template <class Put>
    void multiply(int thread, int layer, int part, const float* x, int stride, Put&& put) {
        const Matrix& matrix = m.layers[layer].matrix[part];
        const Rows in = inputs();
        reduce(thread, x, stride);
        product(matrix, in, [&] { return m.pool->take(); }, put);
        phase(thread, 0);
    }

    static auto into(float* y, int width) {
        return [=](int row, int tile, floats v) { store(y + size_t(row) * width + tile * LANES, v); };
    }

    // Queries, keys and values of one row: bias, norm, rotary embedding; values go to their page.
    void place(int row, int layer) {
        const Layer& l = m.layers[layer];
        const int d = s.dim, position = p.positions[row];
        float* y = &m.y[size_t(row) * qkv_width];
        const float *cos = l.cos + size_t(position) * d, *sin = l.sin + size_t(position) * d;
        if (l.bias) add(y, l.bias, (s.heads + 2 * s.kv_heads) * d);
        for (int head = 0; head < s.heads + s.kv_heads; head++) {
            float* v = y + head * d;
            if (s.qk_norm) norm(v, head < s.heads ? l.q_norm : l.k_norm, d, s.eps, v);
            rotate(v, cos, sin, d, head < s.heads ? s.attention_scale : 1.0f, v);
        }
        for (int head = 0; head < s.kv_heads; head++)
            memcpy(keys_of(row, l, head) + (PAGE + position % PAGE) * d, y + (s.heads + s.kv_heads + head) * d,
                   d * sizeof(float));
    }

    float* keys_of(int row, const Layer& l, int head) const {
        const size_t page = size_t(p.pages[row][p.positions[row] / PAGE]) * s.kv_heads + head;
        return l.pages + page * 2 * PAGE * s.dim;
    }

    // Keys of all rows go to their pages, which hold them number by number of sixteen positions: were rows shared out
    // among the threads, two would write into the same lines of memory.
    void file_keys(int thread, int layer) {
        const Layer& l = m.layers[layer];
        const int parts = s.dim / LANES;
        for (int piece; (piece = m.pool->take()) < s.kv_heads * parts;) {
            const int head = piece / parts, first = piece % parts * LANES;
            for (int row = 0; row < rows; row++) {
                float* keys = keys_of(row, l, head) + first * PAGE + p.positions[row] % PAGE;
                const float* k = &m.y[size_t(row) * qkv_width + (s.heads + head) * s.dim + first];
                for (int i = 0; i < LANES; i++) keys[i * PAGE] = k[i];
            }
        }
        phase(thread, 2);
    }

    // Rows that stand one after the other in one stream read the same keys: as many as fit are attended to at once.
    void attend_to(int thread, int layer) {
        const Layer& l = m.layers[layer];
        const int group = s.heads / s.kv_heads;
        const int together = std::max(1, QUERIES_AT_ONCE / group), chunks = (rows + together - 1) / together;
        const int parts = chunks * s.kv_heads < m.pool->size() && group % 2 == 0 ? 2 : 1;  // a lone row is shared too
        std::vector<const float*> pages;
        for (int piece; (piece = m.pool->take()) < chunks * s.kv_heads * parts;) {
            const int part = piece % parts, head = piece / parts % s.kv_heads;
            const int first = piece / parts / s.kv_heads * together;
            for (int row = first, end; row < std::min(first + together, rows); row = end) {
                const int32_t* stream = p.pages[m.at[row]];
                for (end = row + 1; end < std::min(first + together, rows) && p.pages[m.at[end]] == stream;) end++;
                const int highest = p.positions[m.at[end - 1]];
                pages.clear();
                for (int i = 0; i <= highest / PAGE; i++)
                    pages.push_back(l.pages + (size_t(stream[i]) * s.kv_heads + head) * 2 * PAGE * s.dim);
                attend_rows(thread, l, pages.data(), row, end, head * group + part * (group / parts), group / parts);
            }
        }
        phase(thread, 1);
    }

    void attend_rows(int thread, const Layer& l, const float* const* pages, int row, int end, int first, int heads) {
        Queries q{pages, s.dim, 0, {}, {}, {}, {}};
        float* room = &m.room[size_t(thread) * QUERIES_AT_ONCE * m.wide];
        for (int r = row; r < end; r++)
            for (int i = first; i < first + heads; i++) {
                const int position = p.positions[m.at[r]];
                q.q[q.count] = &m.y[size_t(m.at[r]) * qkv_width + i * s.dim];
                q.out[q.count] = &m.a[(size_t(r) * s.heads + i) * s.dim];
                q.low[q.count] = l.window ? std::max(0, position - l.window + 1) : 0;
                q.high[q.count] = position;
                if (++q.count == QUERIES_AT_ONCE) attend(q, room, m.wide), q.count = 0;
            }
        if (q.count) attend(q, room, m.wide);
    }

    void layer(int thread, int i) {
        const Layer& l = m.layers[i];
        const int n = s.hidden;
        multiply(thread, i, QKV, m.h.get(), n, into(m.y.get(), qkv_width));
        each_row(thread, [&](int row) { place(row, i); });
        file_keys(thread, i);
        if (i == s.layers - 1 && p.wanted < rows) keep_wanted(thread);
        if (!rows) return;
        attend_to(thread, i);
        each_row(thread, [&](int row) { enter(row, &m.a[size_t(row) * s.heads * s.dim], i, O); });
        multiply(thread, i, O, m.a.get(), s.heads * s.dim, into(m.h.get(), n));
        each_row(thread, [&](int row) {
            float *x = &m.x[size_t(row) * n], *h = &m.h[size_t(row) * n];
            if (s.sandwich) norm(h, l.attention_norm, n, s.eps, h);
            add(x, h, n);
            norm(x, l.feed_norm, n, s.eps, h);
            enter(row, h, i, GATE_UP);
        });
        float* gates = &m.gates[size_t(thread) * m.rows * LANES];
        multiply(thread, i, GATE_UP, m.h.get(), n, [&](int row, int tile, floats v) {
            if (tile % 2 == 0) return store(gates + row * LANES, v);  // its other half is this thread's next tile
            store(&m.z[size_t(row) * s.inner + tile / 2 * LANES], gated(load(gates + row * LANES), v, s.silu));
        });
        each_row(thread, [&](int row) { enter(row, &m.z[size_t(row) * s.inner], i, DOWN); });
        multiply(thread, i, DOWN, m.z.get(), s.inner, into(m.h.get(), n));
        each_row(thread, [&](int row) {
            float *x = &m.x[size_t(row) * n], *h = &m.h[size_t(row) * n];
            if (s.sandwich) norm(h, l.fed_norm, n, s.eps, h);
            add(x, h, n);
            begin(row, i + 1);
        });
    }

    void begin(int row, int layer) {
        float *x = &m.x[size_t(row) * s.hidden], *h = &m.h[size_t(row) * s.hidden];
        const bool end = layer == s.layers;
        norm(x, end ? m.final_norm : m.layers[layer].input_norm, s.hidden, s.eps, h);
        if (end && p.states) {
            memcpy(p.states + size_t(row) * s.hidden, h, s.hidden * sizeof(float));
            return;
        }
        enter(row, h, layer, end ? -1 : QKV);
    }

    // After the last layer's keys and values, rows whose next word nobody asks for are done.
    void keep_wanted(int thread) {
        if (thread == 0)
            for (int i = 0; i < p.wanted; i++) {
                m.at[i] = p.wanted_rows[i];
                memmove(&m.x[size_t(i) * s.hidden], &m.x[size_t(m.at[i]) * s.hidden], s.hidden * sizeof(float));
            }
        m.pool->meet();
        if (thread == 0) rows = p.wanted;
        m.pool->meet();
    }

    void head(int thread) {
        const Rows in = inputs();
        auto* best = &m.best[size_t(thread) * m.rows];
        for (int row = 0; row < rows; row++)
            for (int i = 0; i < LANES; i++) best[row][i] = -3.4e38f, best[row][LANES + i] = 0;
        auto put = [&](int row, int tile, floats v) {
            const int word = tile * LANES, left = std::min(LANES, s.vocabulary - word);
            if (p.scores[row]) {
                float some[LANES];
                store(some, v);
                memcpy(p.scores[row] + word, some, left * sizeof(float));
            }
            if (left < LANES) {
                float some[LANES];
                store(some, v);
                for (int i = left; i < LANES; i++) some[i] = -3.4e38f;
                v = load(some);
            }
            floats most = load(&best[row][0]), where = load(&best[row][LANES]);
            keep_larger(v, all(float(tile)), most, where);
            store(&best[row][0], most);
            store(&best[row][LANES], where);
        };
        product(m.head, in, [&] { return m.pool->take(); }, put);
        phase(thread, 0);
        if (thread) return;
        for (int row = 0; row < rows; row++) {
            float most = -3.4e38f;
            int word = s.vocabulary;
            for (int t = 0; t < m.pool->size(); t++)
                for (int i = 0; i < LANES; i++) {
                    const auto& found = m.best[size_t(t) * m.rows + row];
                    const int w = int(found[LANES + i]) * LANES + i;
                    if (found[i] > most || (found[i] == most && w < word)) most = found[i], word = w;
                }
            p.words[row] = word < s.vocabulary ? word : 0;
        }
    }

    void operator()(int thread) {
        if (thread == 0) last = now();
        each_row(thread, [&](int row) {
            m.at[row] = row;
            const float* word = m.embedding + size_t(p.ids[row]) * s.hidden;
            float* x = &m.x[size_t(row) * s.hidden];
            for (int i = 0; i < s.hidden; i += LANES) store(x + i, load(word + i) * all(s.embed_scale));
            begin(row, 0);
        });
        for (int i = 0; i < s.layers && rows; i++) layer(thread, i);
        if (rows && !p.states) head(thread);
    }
};

static void make_room(Model& m, int rows) {
    const Shape& s = m.shape;
    if (rows <= m.rows) return;
    m.rows = rows = up(rows, 32);
    int width = LANES;
    for (const Layer& l : m.layers)
        for (const Matrix& matrix : l.matrix) width = std::max(width, std::max(matrix.stride, up(matrix.out, LANES)));
    width = std::max(width, s.hidden);
    m.x = block<float>(size_t(rows) * s.hidden), m.h = block<float>(size_t(rows) * s.hidden);
    m.a = block<float>(size_t(rows) * s.heads * s.dim), m.y = block<float>(size_t(rows) * width);
    m.z = block<float>(size_t(rows) * s.inner), m.size = block<float>(size_t(rows) * blocks_of(width));
    m.inner = block<float>(size_t(rows) * m.width), m.bytes = block<uint8_t>(size_t(rows) * width);
    m.thin.assign(rows, nullptr), m.at.assign(rows, 0);
    m.gates = block<float>(size_t(rows) * LANES * m.pool->most());
    m.best.resize(size_t(rows) * m.pool->most());
}

}  // namespace tk

extern "C" {
using namespace tk;

Model* tk_open(const tk::Shape* shape, const float* embedding, const float* final_norm) {
    Model* m = new Model;
    m->shape = *shape;
    m->layers.resize(shape->layers);
    m->embedding = embedding, m->final_norm = final_norm;
    m->pool = std::make_unique<Pool>(shape->threads);
    m->wide = tk::up(shape->context, PAGE) + PAGE, m->width = LANES;
    m->room = block<float>(size_t(shape->threads) * QUERIES_AT_ONCE * m->wide);
    return m;
}
void tk_close(Model* m) { delete m; }

// norms: input, attention, feed, fed, q, k; then bias, cos, sin, pages
void tk_layer(Model* m, int layer, float* const* given, int window) {
    Layer& l = m->layers[layer];
    l.input_norm = given[0], l.attention_norm = given[1], l.feed_norm = given[2], l.fed_norm = given[3];
    l.q_norm = given[4], l.k_norm = given[5], l.bias = given[6], l.cos = given[7], l.sin = given[8];
    l.pages = given[9], l.window = window;
}
void tk_matrix(Model* m, int layer, int part, int out, int in, const int8_t* weights, const float* scales) {
    (part == PARTS ? m->head : m->layers[layer].matrix[part]).set(out, in, weights, scales, part == GATE_UP);
}

void tk_weight(const Model* m, int layer, int part, float* weight) { m->layers[layer].matrix[part].unpack(weight); }

tk::Adapter* tk_adapter(const Model* m) {
    tk::Adapter* adapter = new tk::Adapter;
    adapter->layers.resize(m->shape.layers);
    return adapter;
}
void tk_adapter_part(const Model* m, tk::Adapter* adapter, int layer, int part, int ranks, const float* down,
                     const float* up, const float* gain) {
    auto thin = std::make_unique<Thin>();
    thin->set(m->layers[layer].matrix[part], ranks, down, up, gain);
    adapter->layers[layer][part] = std::move(thin);
}
void tk_adapter_close(tk::Adapter* adapter) { delete adapter; }

void tk_pass(Model* m, const Pass* p, int threads) {
    const double began = now();
    for (int i = 0; i < p->rows; i++)
        if (p->adapters[i])
            for (const auto& layer : p->adapters[i]->layers)
                for (const auto& thin : layer)
                    if (thin && thin->width > m->width) m->width = thin->width, m->rows = 0;
    make_room(*m, p->rows);
    Run run{*m, *p, m->shape, p->rows};
    m->pool->run(threads, [&](int thread) { run(thread); });
    m->seconds[3] += now() - began;
}
void tk_seconds(Model* m, double* seconds) {
    memcpy(seconds, m->seconds, sizeof m->seconds);
    memset(m->seconds, 0, sizeof m->seconds);
}
}
