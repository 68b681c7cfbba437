// Sixteen lanes of fp32 or int32, and the product of bytes that everything rests on.
//
// All sums have one order that depends on nothing but the row: sixteen lanes in steps of sixteen, whatever the processor's
// registers hold. With AVX2 a vector is two registers; the numbers that come out are the same.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace tk {

constexpr int LANES = 16;

typedef float floats __attribute__((vector_size(64)));
typedef int32_t ints __attribute__((vector_size(64)));

inline floats load(const float* p) {
    floats v;
    memcpy(&v, p, sizeof v);
    return v;
}
inline void store(float* p, floats v) { memcpy(p, &v, sizeof v); }
inline floats all(float x) { return floats{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }  // one load; a sum with zero is not

// a b + c with one rounding. The compiler is told to fuse nothing by itself (compiled.py): it would do so here and not
// there, and a row would depend on how many were multiplied beside it.
#if defined(__AVX512F__)
inline floats fused(floats a, floats b, floats c) { return (floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
#else
inline floats fused(floats a, floats b, floats c) {
    typedef float half __attribute__((vector_size(32)));
    auto low = [](floats v) { return (__m256)__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7); };
    auto high = [](floats v) { return (__m256)__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15); };
    const half first = (half)_mm256_fmadd_ps(low(a), low(b), low(c));
    const half second = (half)_mm256_fmadd_ps(high(a), high(b), high(c));
    return __builtin_shufflevector(first, second, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
#endif

inline floats larger(floats a, floats b) { return a > b ? a : b; }
inline floats smaller(floats a, floats b) { return a < b ? a : b; }
inline floats as_floats(ints v) { return __builtin_convertvector(v, floats); }
inline floats magnitude(floats v) {
    ints bits;
    memcpy(&bits, &v, sizeof v);
    bits &= 0x7fffffff;
    memcpy(&v, &bits, sizeof v);
    return v;
}

inline float sum(floats v) {
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) v[i] += v[i + half];
    return v[0];
}
inline float largest(floats v) {
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) v[i] = v[i] > v[i + half] ? v[i] : v[i + half];
    return v[0];
}

// Nearest whole number, halves to even, for |v| < 2^22: adding 1.5 * 2^23 leaves no bits behind the point.
inline floats whole(floats v) {
    const floats shift = all(12582912.0f);
    floats moved = v + shift;
#if defined(__AVX512F__)
    __asm__ volatile("" : "+v"(moved));  // or the compiler could cancel the two
#else
    __asm__ volatile("" : "+m"(moved));
#endif
    return moved - shift;
}

// e^v, error below 2 units in the last place (range reduction by ln 2 in two parts, then a Taylor polynomial of degree 6).
inline floats exp(floats v) {
    v = larger(smaller(v, all(88.0f)), all(-87.0f));
    const floats n = whole(v * all(1.44269504089f));
    floats r = fused(n, all(-0.693359375f), v);
    r = fused(n, all(2.12194440e-4f), r);
    floats p = fused(r, all(1.0f / 720), all(1.0f / 120));
    for (const float next : {1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) p = fused(p, r, all(next));
    ints power = (__builtin_convertvector(n, ints) + 127) << 23;
    floats scale;
    memcpy(&scale, &power, sizeof scale);
    return p * scale;
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
inline ints joined(Sums low, Sums high) {
    typedef int32_t half __attribute__((vector_size(32)));
    return __builtin_shufflevector((half)low, (half)high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
#endif

}  // namespace tk
