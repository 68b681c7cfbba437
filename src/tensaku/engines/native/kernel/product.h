// y = x W' with W in int8 per output and x in 8 bits by blocks of a row, and a thin fp32 product beside it (LoRA).
#pragma once
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "simd.h"

namespace tk {

template <class T>
struct Free {
    void operator()(T* p) const { free(p); }
};
template <class T>
using Block = std::unique_ptr<T[], Free<T>>;
template <class T>
Block<T> block(size_t n) {
    const size_t bytes = (n * sizeof(T) + 127) / 64 * 64;
    T* p = static_cast<T*>(aligned_alloc(64, bytes));
    memset(static_cast<void*>(p), 0, bytes);
    return Block<T>(p);
}
inline int up(int n, int step) { return (n + step - 1) / step * step; }

// A row in 8 bits, each block of it by its own largest number: x = size byte, stored plus ZERO.
constexpr float STEPS = 127.0f;
constexpr int BLOCK = 64;
inline int blocks_of(int n) { return (n + BLOCK - 1) / BLOCK; }

inline void quantise(const float* x, int n, uint8_t* bytes, float* sizes) {
    for (int block = 0; block * BLOCK < n; block++) {
        const int first = block * BLOCK, end = std::min(first + BLOCK, n);
        floats most{};
        for (int i = first; i < end; i += LANES) most = larger(most, magnitude(load(x + i)));
        const float size = largest(most) > 1e-12f ? largest(most) : 1e-12f;
        const floats factor = all(STEPS / size);
        for (int i = first; i < end; i += LANES) store_bytes(bytes + i, as_ints(load(x + i) * factor) + all(ZERO));
        sizes[block] = size / STEPS;
    }
}

// Tiles of 16 outputs: [tile][in / 4][output][4]. Input and output are padded with zeros to whole tiles.
struct Matrix {
    int in = 0, out = 0, tiles = 0, stride = 0;
    Block<int8_t> bytes;
    Block<float> scale;
    int blocks = 0;
    Block<int32_t> zero;  // [tile][block][16]: ZERO times the sum of a block's weights: what it adds
    bool paired = false;  // outputs are two halves; the tiles of both lie in turns

    // Where output `o` stands among the tiles' places.
    int place(int o) const {
        if (!paired) return o;
        const int half = out / 2, second = o >= half;
        return ((o - second * half) / LANES * 2 + second) * LANES + o % LANES;
    }

    void set(int out_, int in_, const int8_t* weights, const float* scales, bool paired_) {
        paired = paired_;
        in = in_, out = out_, tiles = (out + LANES - 1) / LANES, stride = up(in, LANES);
        bytes = block<int8_t>(size_t(tiles) * LANES * stride);
        scale = block<float>(tiles * LANES);
        blocks = blocks_of(stride);
        zero = block<int32_t>(size_t(tiles) * blocks * LANES);
        for (int given = 0; given < out; given++) {
            const int o = place(given);
            int8_t* tile = bytes.get() + size_t(o / LANES) * LANES * stride;
            int32_t* totals = &zero[size_t(o / LANES) * blocks * LANES + o % LANES];
            for (int i = 0; i < in; i++) {
                const int8_t w = weights[size_t(given) * in + i];
                tile[(i / 4) * 4 * LANES + (o % LANES) * 4 + i % 4] = w;
                totals[i / BLOCK * LANES] += ZERO * w;
            }
            scale[o] = scales[given];
        }
    }
    void unpack(float* weights) const {
        for (int wanted = 0; wanted < out; wanted++)
            for (int i = 0, o = place(wanted); i < in; i++)
                weights[size_t(wanted) * in + i] =
                    scale[o] * float(bytes[size_t(o / LANES) * LANES * stride + (i / 4) * 4 * LANES + (o % LANES) * 4 + i % 4]);
    }
};

// An adapter beside one matrix: x down up. `first` and `last` bound the ranks that a tile's columns need.
struct Thin {
    int in = 0, ranks = 0, width = 0;
    Block<float> down;  // [width / 16][in][16], width: ranks padded to 16
    Block<float> up;    // [tile][ranks][16]
    std::vector<int> first, last;
    Block<float> gain;  // [out padded], or none

    void set(const Matrix& beside, int ranks_, const float* down_, const float* up_, const float* gain_) {
        in = beside.in, ranks = ranks_, width = tk::up(ranks, LANES);
        down = block<float>(size_t(in) * width);
        for (int i = 0; i < in; i++)
            for (int r = 0; r < ranks; r++)
                down[(size_t(r / LANES) * in + i) * LANES + r % LANES] = down_[size_t(i) * ranks + r];
        up = block<float>(size_t(beside.tiles) * ranks * LANES);
        first.assign(beside.tiles, ranks), last.assign(beside.tiles, 0);
        for (int given = 0; given < beside.out; given++)
            for (int r = 0, o = beside.place(given); r < ranks; r++) {
                const float value = up_[size_t(r) * beside.out + given];
                const int tile = o / LANES;
                up[(size_t(tile) * ranks + r) * LANES + o % LANES] = value;
                if (value != 0) {
                    if (r < first[tile]) first[tile] = r;
                    if (r >= last[tile]) last[tile] = r + 1;
                }
            }
        if (gain_) {
            gain = block<float>(beside.tiles * LANES);
            for (int o = 0; o < beside.out; o++) gain[beside.place(o)] = gain_[o];
        }
    }

    // Ranks `rank` to `rank` + 15 of x down, of R rows: four chains of sums, by the input's place modulo 4.
    template <int R>
    void reduce(const float* const* x, int rank, float* const* inner) const {
        const float* at = &down[size_t(rank) * in];
        floats sums[R][4] = {};
        int i = 0;
        for (; i + 4 <= in; i += 4)
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) {
                const floats weights = load(at + (i + j) * LANES);
#pragma GCC unroll 4
                for (int r = 0; r < R; r++) sums[r][j] = fused(all(x[r][i + j]), weights, sums[r][j]);
            }
        for (; i < in; i++)
            for (int r = 0; r < R; r++) sums[r][0] = fused(all(x[r][i]), load(at + i * LANES), sums[r][0]);
        for (int r = 0; r < R; r++) store(inner[r] + rank, (sums[r][0] + sums[r][1]) + (sums[r][2] + sums[r][3]));
    }
};

// What a product reads of its rows.
struct Rows {
    int count = 0;
    const uint8_t* bytes;  // [row][stride]
    const float* size;     // [row][blocks]
    const Thin* const* thin;
    const float* inner;  // [row][inner_stride]
    int inner_stride;
};

#if defined(__AVX512VNNI__)
constexpr int ROWS_AT_ONCE = 6, TILES_AT_ONCE = 4, TILES_OF_ROWS = 2, FEW = 2;  // as many sums as registers hold
#else
constexpr int ROWS_AT_ONCE = 2, TILES_AT_ONCE = 2, TILES_OF_ROWS = 1, FEW = 1;
#endif
constexpr int AHEAD = 1024;  // bytes of a tile: how far before their use weights are asked for
constexpr int LINE = 64;     // bytes that come from memory together

// Weights of the piece that this thread computes next. They come from memory while those at hand are multiplied: with few
// rows where the last lines of a tile have been asked for, with many while the later rows read what the first brought.
struct Coming {
    const int8_t* bytes = nullptr;  // tile by tile; or none
    int groups = 0;                 // later groups of rows, which share the lines out
};

// What an adapter adds to sixteen outputs of R rows.
template <int R>
inline void thin_product(const Thin& thin, const Rows& rows, int row, int tile, floats* extra) {
    const float* inner = rows.inner + size_t(row) * rows.inner_stride;
    const float* up = &thin.up[size_t(tile) * thin.ranks * LANES];
    floats sums[R] = {};
    for (int k = thin.first[tile]; k < thin.last[tile]; k++) {
        const floats weights = load(up + k * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) sums[r] = fused(all(inner[size_t(r) * rows.inner_stride + k]), weights, sums[r]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) extra[r] = sums[r];
}

// Rows `row` ... of tiles `tile` ...; `put(row, tile, values)` takes sixteen outputs. `coming`: the same tiles of the next
// piece.
template <int R, int T, bool FIRST, class Put>
inline void tile_product(const Matrix& m, const Rows& rows, int row, int tile, const Coming& coming, Put&& put) {
    floats value[R][T] = {};
    const int8_t* w[T];
    const uint8_t* x[R];
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) w[t] = m.bytes.get() + size_t(tile + t) * LANES * m.stride;
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) x[r] = rows.bytes + size_t(row + r) * m.stride;
    const Thin* thin = rows.thin[row];
    if constexpr (FIRST)
        if (thin)
            for (int t = 0; t < T; t++)
                for (int k = thin->first[tile + t]; k < thin->last[tile + t]; k++)
                    _mm_prefetch(&thin->up[(size_t(tile + t) * thin->ranks + k) * LANES], _MM_HINT_T0);
    int64_t i = 0;
    const int64_t bytes = int64_t(LANES) * m.stride;
    const int8_t* later = coming.bytes;
    int64_t wait = 1;
    if (!FIRST && later) later += (row / ROWS_AT_ONCE - 1) * (m.stride / 4 / coming.groups) * LINE;
    for (int block = 0; block < m.blocks; block++) {
        Sums sums[R][T * HALVES] = {};
        auto four = [&] {
            // the first rows wait for memory, which is asked ahead of time; the others read what these brought
            if constexpr (FIRST) {
                const int64_t at = i * LANES + AHEAD;
                const int8_t* from = at < bytes || !later ? w[0] + at : later + (at - bytes);
#pragma GCC unroll 8
                for (int t = 0; t < T; t++) _mm_prefetch(from + t * bytes, _MM_HINT_T0);
            } else if (later && --wait == 0) {
                wait = coming.groups;
#pragma GCC unroll 8
                for (int t = 0; t < T; t++) _mm_prefetch(later + t * bytes, _MM_HINT_T1);
                later += LINE;
            }
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                int32_t bytes;
                memcpy(&bytes, x[r] + i, 4);
#pragma GCC unroll 8
                for (int t = 0; t < T * HALVES; t++) {
                    const int8_t* at = w[t / HALVES] + i * LANES + t % HALVES * int(sizeof(Sums));
                    sums[r][t] = sums_of(sums[r][t], bytes, at);
                }
            }
            i += 4;
        };
        const int64_t end = std::min<int64_t>(i + BLOCK, m.stride);
        if constexpr (R <= 2)
            while (i < end) four(), four(), four(), four();
        else
            while (i < end) four();
#pragma GCC unroll 8
        for (int t = 0; t < T; t++) {
            const ints zero = load(&m.zero[(size_t(tile + t) * m.blocks + block) * LANES]);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                const ints whole = joined(sums[r][t * HALVES], sums[r][t * HALVES + HALVES - 1]) - zero;
                const floats size = all(rows.size[size_t(row + r) * m.blocks + block]);
                value[r][t] = fused(as_floats(whole), size, value[r][t]);
            }
        }
    }
    bool same = true;  // rows of one adapter read it together
    for (int r = 1; r < R; r++) same &= rows.thin[row + r] == thin;
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) {
        const floats scale = load(&m.scale[(tile + t) * LANES]);
        floats extra[R] = {};
        if (same) {
            if (thin) thin_product<R>(*thin, rows, row, tile + t, extra);
        } else {
            for (int r = 0; r < R; r++)
                if (rows.thin[row + r]) thin_product<1>(*rows.thin[row + r], rows, row + r, tile + t, extra + r);
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            floats y = fused(value[r][t], scale, extra[r]);
            const Thin* own = same ? thin : rows.thin[row + r];
            if (own && own->gain) y *= load(&own->gain[(tile + t) * LANES]);
            put(row + r, tile + t, y);
        }
    }
}

template <int R, int T, class Put>
inline void some_rows(const Matrix& m, const Rows& rows, int row, int tile, const Coming& coming, Put&& put) {
    constexpr int N = R <= FEW ? T : std::min(T, TILES_OF_ROWS);
    for (int t = 0; t < T; t += N) {
        Coming here = coming;
        if (here.bytes) here.bytes += int64_t(t) * LANES * m.stride;
        if (row == 0)
            tile_product<R, N, true>(m, rows, row, tile + t, here, put);
        else
            tile_product<R, N, false>(m, rows, row, tile + t, here, put);
    }
}

template <int T, class Put>
inline void all_rows(const Matrix& m, const Rows& rows, int tile, const Coming& coming, Put&& put) {
    int row = 0;
    for (; row + ROWS_AT_ONCE <= rows.count; row += ROWS_AT_ONCE)
        some_rows<ROWS_AT_ONCE, T>(m, rows, row, tile, coming, put);
    if constexpr (ROWS_AT_ONCE > 2) {
        if (row + 4 < rows.count) return some_rows<5, T>(m, rows, row, tile, coming, put);
        if (row + 3 < rows.count) return some_rows<4, T>(m, rows, row, tile, coming, put);
        if (row + 2 < rows.count) return some_rows<3, T>(m, rows, row, tile, coming, put);
        if (row + 1 < rows.count) return some_rows<2, T>(m, rows, row, tile, coming, put);
    }
    if (row < rows.count) some_rows<1, T>(m, rows, row, tile, coming, put);
}

// Piece `piece` of the product: TILES_AT_ONCE tiles of all rows, so that weights come from memory once. `next` is the piece
// that this thread computes after it; there may be none of that number.
inline int pieces(const Matrix& m) { return (m.tiles + TILES_AT_ONCE - 1) / TILES_AT_ONCE; }
template <class Put>
inline void product(const Matrix& m, const Rows& rows, int piece, int next, Put&& put) {
    Coming coming;
    if (next < pieces(m)) coming.bytes = m.bytes.get() + int64_t(next) * TILES_AT_ONCE * LANES * m.stride;
    coming.groups = (rows.count - 1) / ROWS_AT_ONCE;
    const int tile = piece * TILES_AT_ONCE;
    if (tile + TILES_AT_ONCE <= m.tiles) return all_rows<TILES_AT_ONCE>(m, rows, tile, coming, put);
    for (int t = tile; t < m.tiles; t++) all_rows<1>(m, rows, t, coming, put);
}

// All pieces of a product that fall to this thread; `take` hands them out.
template <class Take, class Put>
inline void product(const Matrix& m, const Rows& rows, Take&& take, Put&& put) {
    for (int piece = take(), next; piece < pieces(m); piece = next) {
        next = take();
        product(m, rows, piece, next, put);
    }
}

}  // namespace tk
