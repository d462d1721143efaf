// Multiply-adds in registers alone, on threads of OpenMP: nothing that multiplies and adds in this dtype can be faster.
//
// A sum grows by x = x · factor + term. With factor and term 1 it counts its own multiply-adds, without an error.
// The compiler does not know them, and every sum starts elsewhere, so it can leave none of them out.

#include "vectors.h"

#ifdef __AVX512F__  // 32 registers
constexpr int CHAINS = 20;
#else  // 16 registers: two are left for factor and term
constexpr int CHAINS = 12;
#endif
constexpr int64_t STEPS = 1 << 20;  // float32 counts to 2^24

// Do so many multiply-adds, a multiple of those of a step, and return the number that the sums have counted.
template <typename T> int64_t count(int64_t multiply_adds, T factor, T term) {
  int64_t counted = 0;
  for (int64_t left = multiply_adds / (CHAINS * lstm::LANES<T>); left > 0; left -= STEPS) {
    lstm::Vec<T> sums[CHAINS];
    for (int chain = 0; chain < CHAINS; ++chain)
      for (int lane = 0; lane < lstm::LANES<T>; ++lane) sums[chain][lane] = chain * lstm::LANES<T> + lane;
    for (int64_t step = std::min(left, STEPS); step > 0; --step)
#pragma GCC unroll 20
      for (int chain = 0; chain < CHAINS; ++chain) sums[chain] = sums[chain] * factor + term;
    for (int chain = 0; chain < CHAINS; ++chain)
      for (int lane = 0; lane < lstm::LANES<T>; ++lane)
        counted += static_cast<int64_t>(sums[chain][lane]) - (chain * lstm::LANES<T> + lane);
  }
  return counted;
}

#define PEAK_FUNCTION(T, NAME)                                                                     \
  extern "C" int64_t peak_##NAME(int64_t multiply_adds, T factor, T term, int threads) {           \
    int64_t counted = 0;                                                                           \
    _Pragma("omp parallel num_threads(threads) reduction(+ : counted)")                            \
    counted += count<T>(multiply_adds, factor, term);                                              \
    return counted;                                                                                \
  }

PEAK_FUNCTION(float, float32)
PEAK_FUNCTION(double, float64)
