// Attention over keys and values in pages of sixteen positions: keys [dim][16], values [16][dim].
#pragma once
#include <algorithm>

#include "simd.h"

namespace tk {

constexpr int PAGE = 16;

// Up to Q queries that share keys and values; query i sees positions `low[i]` to `high[i]` (both included).
struct Queries {
    const float* const* pages;  // the pages of the stream, each where this head's keys begin
    int dim, count;
    const float* q[8];
    float* out[8];
    int low[8], high[8];
};

#if defined(__AVX512F__)
constexpr int QUERIES_AT_ONCE = 8, SUMS = 8;  // sums that do not wait for each other
#else
constexpr int QUERIES_AT_ONCE = 4, SUMS = 4;
#endif

// P pages at once: with few queries a sum would wait for the one before it.
template <int Q, int P>
inline void score_pages(const Queries& s, int page, float* room, int width) {
    const float* keys[P];
#pragma GCC unroll 8
    for (int j = 0; j < P; j++) keys[j] = s.pages[page + j];
    floats sums[Q][P] = {};
    for (int d = 0; d < s.dim; d++) {
        floats k[P];
#pragma GCC unroll 8
        for (int j = 0; j < P; j++) k[j] = load(keys[j] + d * PAGE);
#pragma GCC unroll 8
        for (int i = 0; i < Q; i++) {
            const floats q = all(s.q[i][d]);
#pragma GCC unroll 8
            for (int j = 0; j < P; j++) sums[i][j] = fused(q, k[j], sums[i][j]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < Q; i++)
#pragma GCC unroll 8
        for (int j = 0; j < P; j++) store(room + i * width + j * PAGE, sums[i][j]);
}

template <int Q>
inline void scores(const Queries& s, int begin, int end, float* room, int width) {
    constexpr int P = SUMS / Q > 1 ? SUMS / Q : 1;
    int page = begin;
    for (; page + P <= end; page += P) score_pages<Q, P>(s, page, room + (page - begin) * PAGE, width);
    for (; page < end; page++) score_pages<Q, 1>(s, page, room + (page - begin) * PAGE, width);
}

// Scores to weights that sum to 1; what a query may not see gets 0. `scores` begin at position `begin` * 16.
inline void soften(float* scores, int begin, int end, int low, int high) {
    const int offset = begin * PAGE, size = (end - begin) * PAGE;
    const int from = low / PAGE * PAGE - offset, to = (high / PAGE + 1) * PAGE - offset;
    for (int i = 0; i < from; i++) scores[i] = 0;
    for (int i = to; i < size; i++) scores[i] = 0;
    for (int i = from; i < low - offset; i++) scores[i] = -3e38f;
    for (int i = high - offset + 1; i < to; i++) scores[i] = -3e38f;
    floats most = load(scores + from);
    for (int i = from; i < to; i += LANES) most = larger(most, load(scores + i));
    const floats top = all(largest(most));
    floats total{};
    for (int i = from; i < to; i += LANES) {
        const floats e = exp(load(scores + i) - top);
        store(scores + i, e);
    }
    for (int i = from; i < low - offset; i++) scores[i] = 0;
    for (int i = high - offset + 1; i < to; i++) scores[i] = 0;
    for (int i = from; i < to; i += LANES) total += load(scores + i);
    const floats share = all(1.0f / sum(total));
    for (int i = from; i < to; i += LANES) store(scores + i, load(scores + i) * share);
}

template <int Q, int V>
inline void gather(const Queries& s, int begin, int end, const float* room, int width, int d) {
    floats sums[Q][V] = {};
    for (int page = begin; page < end; page++) {
        const float* values = s.pages[page] + s.dim * PAGE + d;
        for (int k = 0; k < PAGE; k++) {
            floats v[V];
#pragma GCC unroll 8
            for (int j = 0; j < V; j++) v[j] = load(values + k * s.dim + j * LANES);
#pragma GCC unroll 8
            for (int i = 0; i < Q; i++) {
                const floats weight = all(room[i * width + (page - begin) * PAGE + k]);
#pragma GCC unroll 8
                for (int j = 0; j < V; j++) sums[i][j] = fused(weight, v[j], sums[i][j]);
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < Q; i++)
#pragma GCC unroll 8
        for (int j = 0; j < V; j++) store(s.out[i] + d + j * LANES, sums[i][j]);
}

template <int Q>
inline void mix(const Queries& s, float* room, int width) {
    const int begin = *std::min_element(s.low, s.low + Q) / PAGE, end = *std::max_element(s.high, s.high + Q) / PAGE + 1;
    scores<Q>(s, begin, end, room, width);
    for (int i = 0; i < Q; i++) soften(room + i * width, begin, end, s.low[i], s.high[i]);
    int d = 0;
    constexpr int V = SUMS / Q > 2 ? SUMS / Q : 2;
    for (; d + V * LANES <= s.dim; d += V * LANES) gather<Q, V>(s, begin, end, room, width, d);
    for (; d < s.dim; d += LANES) gather<Q, 1>(s, begin, end, room, width, d);
}

// What `count` queries gather; `room` has [QUERIES_AT_ONCE][width] floats, width at least all positions.
inline void attend(const Queries& s, float* room, int width) {
    switch (s.count) {
        case 1: return mix<1>(s, room, width);
        case 2: return mix<2>(s, room, width);
        case 3: return mix<3>(s, room, width);
        case 4: return mix<4>(s, room, width);
#if defined(__AVX512F__)
        case 5: return mix<5>(s, room, width);
        case 6: return mix<6>(s, room, width);
        case 7: return mix<7>(s, room, width);
        case 8: return mix<8>(s, room, width);
#endif
    }
}

}  // namespace tk
