// Vectors of a processor, what they are loaded from and stored to, and the functions of an LSTM's gates on them.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#if defined(__F16C__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace lstm {

#ifdef __AVX512F__  // 32 registers: 6 rows × 4 vectors of sums, 4 vectors of the panel, 1 of the row
constexpr int BYTES = 64, ROWS = 6;
#else  // 16 registers
constexpr int BYTES = 32, ROWS = 3;
#endif
constexpr int VECTORS = 4;  // of a panel: as many as there are gates

template <typename T> struct Vectors;
template <> struct Vectors<float> {
  typedef float Value __attribute__((vector_size(BYTES)));
  typedef int32_t Integer __attribute__((vector_size(BYTES)));
  static constexpr int TERMS = 7, BIAS = 127, MANTISSA = 23;
  static constexpr float ROUNDING = 0x1.8p23f, LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f;
  static constexpr float LEAST = -87.0f, MOST = 87.0f;
};
template <> struct Vectors<double> {
  typedef double Value __attribute__((vector_size(BYTES)));
  typedef int64_t Integer __attribute__((vector_size(BYTES)));
  static constexpr int TERMS = 13, BIAS = 1023, MANTISSA = 52;
  static constexpr double ROUNDING = 0x1.8p52, LN2_HIGH = 6.93145751953125e-1, LN2_LOW = 1.42860682030941723212e-6;
  static constexpr double LEAST = -700.0, MOST = 700.0;
};
template <typename T> using Vec = typename Vectors<T>::Value;
template <typename T> constexpr int LANES = BYTES / sizeof(T);
template <typename T> constexpr int WIDTH = VECTORS * LANES<T>;  // of a panel

// Formats of 16 bits. Arrays are stored in them; everything is computed in float.
typedef float Float;
typedef double Double;
struct Half {
  uint16_t bits;
};
struct BFloat {
  uint16_t bits;
};
typedef uint16_t Short __attribute__((vector_size(BYTES / 2)));  // as many as there are floats in a vector

inline Vec<float> widen(Short bits, Half) {
#if defined(__AVX512F__)
  return (Vec<float>)_mm512_cvtph_ps((__m256i)bits);
#elif defined(__F16C__)
  return (Vec<float>)_mm256_cvtph_ps((__m128i)bits);
#else
  Vec<float> value;
  for (int lane = 0; lane < LANES<float>; ++lane) {
    const uint16_t from = bits[lane];
    _Float16 half;
    std::memcpy(&half, &from, sizeof(half));
    value[lane] = half;
  }
  return value;
#endif
}

inline Vec<float> widen(Short bits, BFloat) {
  typedef uint32_t Bits __attribute__((vector_size(BYTES)));
  return (Vec<float>)(__builtin_convertvector(bits, Bits) << 16);
}

// To the nearest, and from the middle to the even one.
inline Short narrow(Vec<float> value, Half) {
#if defined(__AVX512F__)
  return (Short)_mm512_cvtps_ph((__m512)value, _MM_FROUND_TO_NEAREST_INT);
#elif defined(__F16C__)
  return (Short)_mm256_cvtps_ph((__m256)value, _MM_FROUND_TO_NEAREST_INT);
#else
  Short bits;
  for (int lane = 0; lane < LANES<float>; ++lane) {
    const _Float16 half = static_cast<_Float16>(value[lane]);
    uint16_t to;
    std::memcpy(&to, &half, sizeof(to));
    bits[lane] = to;
  }
  return bits;
#endif
}

inline Short narrow(Vec<float> value, BFloat) {
  typedef uint32_t Bits __attribute__((vector_size(BYTES)));
  const Bits bits = (Bits)value;
  const Bits nearest = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  const Bits quiet_nan = (bits >> 16) | 0x40;
  return __builtin_convertvector(value == value ? nearest : quiet_nan, Short);
}

// A vector of T from up to LANES numbers that are stored as S; the others are 0.
// The two sizes of memcpy are apart, since one of a constant size is a single instruction.
template <typename T, typename S> inline Vec<T> load(const S* from, int64_t count = LANES<T>) {
  using Stored = std::conditional_t<std::is_same_v<S, T>, Vec<T>, Short>;
  Stored value = {};
  if (__builtin_expect(count == LANES<T>, 1))
    std::memcpy(&value, from, sizeof(Stored));
  else
    std::memcpy(&value, from, count * sizeof(S));
  if constexpr (std::is_same_v<S, T>)
    return value;
  else
    return widen(value, S());
}

template <typename T, typename S> inline void store(S* to, Vec<T> value, int64_t count = LANES<T>) {
  using Stored = std::conditional_t<std::is_same_v<S, T>, Vec<T>, Short>;
  Stored stored;
  if constexpr (std::is_same_v<S, T>)
    stored = value;
  else
    stored = narrow(value, S());
  if (__builtin_expect(count == LANES<T>, 1))
    std::memcpy(to, &stored, sizeof(Stored));
  else
    std::memcpy(to, &stored, count * sizeof(S));
}

// The terms 1 / k! of the series of exp.
template <typename T> struct Series {
  T term[Vectors<T>::TERMS + 1];
  constexpr Series() : term() {
    term[0] = 1;
    for (int k = 1; k <= Vectors<T>::TERMS; ++k) term[k] = term[k - 1] / k;
  }
};

// exp(x) - 1 = power · below + (power - 1), with power a power of two and below exact near 0; NaN stays NaN.
template <typename T> inline void split_exp(Vec<T> x, Vec<T>& power, Vec<T>& below) {
  using C = Vectors<T>;
  x = x < C::LEAST ? Vec<T>{} + C::LEAST : x;
  x = x > C::MOST ? Vec<T>{} + C::MOST : x;
  const Vec<T> shifted = x * T(1.44269504088896340736) + C::ROUNDING, n = shifted - C::ROUNDING;
  const Vec<T> r = (x - n * C::LN2_HIGH) - n * C::LN2_LOW;
  constexpr Series<T> series;
  Vec<T> sum = Vec<T>{} + series.term[C::TERMS];  // Horner's rule
#pragma GCC unroll 16
  for (int k = C::TERMS - 1; k > 0; --k) sum = sum * r + series.term[k];
  below = sum * r;
  power = (Vec<T>)(((typename C::Integer)shifted + C::BIAS) << C::MANTISSA);  // the last bits of shifted are n
}

template <typename T> inline Vec<T> sigmoid(Vec<T> x) {
  Vec<T> power, below;
  split_exp<T>(-x, power, below);
  return T(1) / (power * below + power + T(1));
}

template <typename T> inline Vec<T> tanh(Vec<T> x) {
  Vec<T> power, below;
  split_exp<T>(T(2) * x, power, below);
  const Vec<T> minus_one = power * below + (power - T(1));
  return minus_one / (minus_one + T(2));
}
// A row of up to WIDTH numbers; what is beyond its width is 0, and is not stored.
template <typename T, typename S> inline void load_row(const S* from, int64_t width, Vec<T>* to) {
  for (int64_t v = 0; v < VECTORS; ++v, width -= LANES<T>, from += LANES<T>)
    to[v] = width > 0 ? load<T>(from, std::min<int64_t>(LANES<T>, width)) : Vec<T>{};
}

template <typename T, typename S> inline void store_row(S* to, int64_t width, const Vec<T>* from) {
  for (int64_t v = 0; v < VECTORS && width > 0; ++v, width -= LANES<T>, to += LANES<T>)
    store<T>(to, from[v], std::min<int64_t>(LANES<T>, width));
}

}  // namespace lstm
