// Sixteen lanes of fp32 or int32, and the product of bytes that everything rests on.
//
// All sums have one order that depends on nothing but the row: sixteen lanes in steps of sixteen, whatever the processor's
// registers hold. With AVX2 a vector is two registers; the numbers that come out are the same.
//
// A product and a sum are one rounding where `fused` stands, and nowhere else: the compiler is told to fuse nothing by
// itself (compiled.py). It would do so here and not there, and a row would depend on how many were multiplied beside it.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace tk {

constexpr int LANES = 16;

#if defined(__AVX512F__)
typedef float floats __attribute__((vector_size(64)));
typedef int32_t ints __attribute__((vector_size(64)));

inline floats load(const float* p) { return (floats)_mm512_loadu_ps(p); }
inline ints load(const int32_t* p) { return (ints)_mm512_loadu_si512(p); }
inline void store(float* p, floats v) { _mm512_storeu_ps(p, (__m512)v); }
inline floats all(float x) { return (floats)_mm512_set1_ps(x); }
inline floats fused(floats a, floats b, floats c) { return (floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
inline floats larger(floats a, floats b) { return (floats)_mm512_max_ps((__m512)a, (__m512)b); }
inline floats smaller(floats a, floats b) { return (floats)_mm512_min_ps((__m512)a, (__m512)b); }
inline floats magnitude(floats v) { return (floats)_mm512_abs_ps((__m512)v); }
inline floats as_floats(ints v) { return (floats)_mm512_cvtepi32_ps((__m512i)v); }
inline ints as_ints(floats v) { return (ints)_mm512_cvtps_epi32((__m512)v); }
inline floats as_power(ints v) { return (floats)_mm512_castsi512_ps(_mm512_slli_epi32((__m512i)v, 23)); }
inline ints all(int32_t x) { return (ints)_mm512_set1_epi32(x); }
inline floats hidden(floats v) {
    __asm__("" : "+v"(v));
    return v;
}
inline __m256 first_half(floats v) { return _mm512_castps512_ps256((__m512)v); }
inline __m256 second_half(floats v) { return _mm256_castpd_ps(_mm512_extractf64x4_pd((__m512d)v, 1)); }
inline void store_bytes(uint8_t* p, ints v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8((__m512i)v));
}
// Where `v` is larger than `most` it takes its place, and `here` that of `where`.
inline void keep_larger(floats v, floats here, floats& most, floats& where) {
    const __mmask16 better = _mm512_cmp_ps_mask((__m512)v, (__m512)most, _CMP_GT_OQ);
    most = (floats)_mm512_mask_mov_ps((__m512)most, better, (__m512)v);
    where = (floats)_mm512_mask_mov_ps((__m512)where, better, (__m512)here);
}
#else
struct floats {
    __m256 low, high;
};
struct ints {
    __m256i low, high;
};

inline floats operator+(floats a, floats b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
inline floats operator-(floats a, floats b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
inline floats operator*(floats a, floats b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
inline floats operator/(floats a, floats b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
inline floats& operator+=(floats& a, floats b) { return a = a + b; }
inline floats& operator*=(floats& a, floats b) { return a = a * b; }
inline floats operator-(floats v) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_xor_ps(v.low, sign), _mm256_xor_ps(v.high, sign)};
}
inline ints operator+(ints a, ints b) { return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)}; }
inline ints operator-(ints a, ints b) { return {_mm256_sub_epi32(a.low, b.low), _mm256_sub_epi32(a.high, b.high)}; }

inline floats load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline ints load(const int32_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p) + 1)};
}
inline void store(float* p, floats v) { _mm256_storeu_ps(p, v.low), _mm256_storeu_ps(p + 8, v.high); }
inline floats all(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline floats fused(floats a, floats b, floats c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline floats larger(floats a, floats b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
inline floats smaller(floats a, floats b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
inline floats magnitude(floats v) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, v.low), _mm256_andnot_ps(sign, v.high)};
}
inline floats as_floats(ints v) { return {_mm256_cvtepi32_ps(v.low), _mm256_cvtepi32_ps(v.high)}; }
inline ints as_ints(floats v) { return {_mm256_cvtps_epi32(v.low), _mm256_cvtps_epi32(v.high)}; }
inline floats as_power(ints v) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(v.low, 23)), _mm256_castsi256_ps(_mm256_slli_epi32(v.high, 23))};
}
inline ints all(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
inline floats hidden(floats v) {
    __asm__("" : "+x"(v.low), "+x"(v.high));
    return v;
}
inline __m256 first_half(floats v) { return v.low; }
inline __m256 second_half(floats v) { return v.high; }
inline void store_bytes(uint8_t* p, ints v) {
    const __m256i pairs = _mm256_permute4x64_epi64(_mm256_packs_epi32(v.low, v.high), 0xd8);
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}
inline void keep_larger(floats v, floats here, floats& most, floats& where) {
    const __m256 low = _mm256_cmp_ps(v.low, most.low, _CMP_GT_OQ), high = _mm256_cmp_ps(v.high, most.high, _CMP_GT_OQ);
    most = {_mm256_blendv_ps(most.low, v.low, low), _mm256_blendv_ps(most.high, v.high, high)};
    where = {_mm256_blendv_ps(where.low, here.low, low), _mm256_blendv_ps(where.high, here.high, high)};
}
#endif

// The lanes halved again and again: 0 with 8, 0 with 4, 0 with 2, 0 with 1.
template <class Two>
inline float halved(floats v, Two&& two) {
    const __m256 eight = two(first_half(v), second_half(v));
    const __m256 four = two(eight, _mm256_permute2f128_ps(eight, eight, 1));
    const __m256 pair = two(four, _mm256_permute_ps(four, 0x4e));
    return _mm256_cvtss_f32(two(pair, _mm256_permute_ps(pair, 0xb1)));
}
inline float sum(floats v) {
    return halved(v, [](__m256 a, __m256 b) { return _mm256_add_ps(a, b); });
}
inline float largest(floats v) {
    return halved(v, [](__m256 a, __m256 b) { return _mm256_max_ps(a, b); });
}

// Nearest whole number, halves to even, for |v| < 2^22: adding 1.5 * 2^23 leaves no bits behind the point.
inline floats whole(floats v) {
    const floats shift = all(12582912.0f);
    return hidden(v + shift) - shift;  // or the compiler could cancel the two
}

// e^v, error below 2 units in the last place (range reduction by ln 2 in two parts, then a Taylor polynomial of degree 6).
inline floats exp(floats v) {
    v = larger(smaller(v, all(88.0f)), all(-87.0f));
    const floats n = whole(v * all(1.44269504089f));
    const floats r = fused(n, all(2.12194440e-4f), fused(n, all(-0.693359375f), v));
    floats p = fused(r, all(1.0f / 720), all(1.0f / 120));
    for (const float next : {1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) p = fused(p, r, all(next));
    return p * as_power(as_ints(n) + all(127));
}

// A register of sums of products of bytes; sixteen sums are HALVES of them. `sums_of`: sums[i] + the four products of `bytes`,
// -127 to 127 and stored plus ZERO, with weights[4 i .. 4 i + 3]. What ZERO adds is taken off by whoever sums.
#if defined(__AVX512VNNI__)
typedef __m512i Sums;
constexpr int HALVES = 1, ZERO = 128;  // unsigned by signed
inline Sums sums_of(Sums sums, int32_t bytes, const int8_t* weights) {
    return _mm512_dpbusd_epi32(sums, _mm512_set1_epi32(bytes), _mm512_loadu_si512(weights));
}
inline ints joined(Sums all, Sums) { return (ints)all; }
#else
typedef __m256i Sums;
constexpr int HALVES = 2, ZERO = 0;
inline Sums sums_of(Sums sums, int32_t bytes, const int8_t* weights) {
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights)), x = _mm256_set1_epi32(bytes);
    // magnitudes by weights that took the signs: two products of 127 by 127 fit into 16 bits
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(w, x));
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#if defined(__AVX512F__)
inline ints joined(Sums low, Sums high) { return (ints)_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1); }
#else
inline ints joined(Sums low, Sums high) { return {low, high}; }
#endif
#endif

}  // namespace tk
