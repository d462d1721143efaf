// One direction of one LSTM layer on the CPU: what is sequential of its forward and of its backward.
//
// Each thread owns a range of hidden units. Of these it does the products of a step and then the gates, so that the
// threads meet once a step. The products that are not sequential (input projection, weight gradients) are the caller's,
// and so are the threads: each of them calls forward or backward with its number and the same Meeting.
//
// Arrays are dense, the last axis first in memory. Gates are in the order i, f, g, o. T, B, H: steps, batch, hidden_size.

#pragma once

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace lstm {

// Tell the processor that this thread only waits for another one.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

#ifdef __AVX512F__  // 32 registers: 6 rows × 4 vectors of sums, 4 vectors of the panel, 1 of the row
constexpr int BYTES = 64, ROWS = 6, VECTORS = 4;
#else  // 16 registers
constexpr int BYTES = 32, ROWS = 6, VECTORS = 2;
#endif

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

// The two sizes of memcpy are apart, since one of a constant size is a single instruction.
template <typename T> inline Vec<T> load(const T* from, int64_t count = LANES<T>) {
  Vec<T> value = {};
  if (__builtin_expect(count == LANES<T>, 1))
    std::memcpy(&value, from, BYTES);
  else
    std::memcpy(&value, from, count * sizeof(T));
  return value;
}

template <typename T> inline void store(T* to, Vec<T> value, int64_t count = LANES<T>) {
  if (__builtin_expect(count == LANES<T>, 1))
    std::memcpy(to, &value, BYTES);
  else
    std::memcpy(to, &value, count * sizeof(T));
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
  const Vec<T> n = (x * T(1.44269504088896340736) + C::ROUNDING) - C::ROUNDING;
  const Vec<T> r = (x - n * C::LN2_HIGH) - n * C::LN2_LOW;
  constexpr Series<T> series;
  Vec<T> sum = Vec<T>{} + series.term[C::TERMS];  // Horner's rule
#pragma GCC unroll 16
  for (int k = C::TERMS - 1; k > 0; --k) sum = sum * r + series.term[k];
  below = sum * r;
  const auto whole = __builtin_convertvector(n, typename C::Integer);
  power = (Vec<T>)((whole + C::BIAS) << C::MANTISSA);
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

// M rows: c (M, width) = source (M, width; or 0) + a (M, depth) · panel (depth, WIDTH).
template <typename T, int M>
inline void few_rows(int64_t depth, const T* a, int64_t lda, const T* panel, const T* source, T* c, int64_t ldc,
                     int64_t width) {
  constexpr int AT_ONCE = M == 1 ? 4 : M == 2 ? 2 : 1;  // sums that do not wait for each other
  Vec<T> sums[AT_ONCE][M][VECTORS] = {};
  int64_t k = 0;
  for (; k + AT_ONCE <= depth; k += AT_ONCE)
#pragma GCC unroll 4
    for (int s = 0; s < AT_ONCE; ++s) {
      Vec<T> right[VECTORS];
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v) right[v] = load<T>(panel + (k + s) * WIDTH<T> + v * LANES<T>);
#pragma GCC unroll 6
      for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; ++v) sums[s][m][v] += a[m * lda + k + s] * right[v];
    }
  for (; k < depth; ++k)
#pragma GCC unroll 6
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v)
        sums[0][m][v] += a[m * lda + k] * load<T>(panel + k * WIDTH<T> + v * LANES<T>);
#pragma GCC unroll 4
  for (int s = 1; s < AT_ONCE; ++s)
#pragma GCC unroll 6
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v) sums[0][m][v] += sums[s][m][v];
#pragma GCC unroll 6
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) {
      const int64_t count = std::min<int64_t>(LANES<T>, width - v * LANES<T>), at = m * ldc + v * LANES<T>;
      if (count > 0) store<T>(c + at, source ? sums[0][m][v] + load<T>(source + at, count) : sums[0][m][v], count);
    }
}

// c (rows, width) = source (rows, width; or 0) + a (rows, depth) · panel (depth, WIDTH).
template <typename T>
void product(int64_t rows, int64_t depth, const T* a, int64_t lda, const T* panel, const T* source, T* c, int64_t ldc,
             int64_t width) {
  const int64_t blocks = (rows + ROWS - 1) / ROWS;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = rows * block / blocks, count = rows * (block + 1) / blocks - first;
    const T* own = a + first * lda;
    const T* given = source ? source + first * ldc : nullptr;
    T* made = c + first * ldc;
    switch (count) {
      case 1: few_rows<T, 1>(depth, own, lda, panel, given, made, ldc, width); break;
      case 2: few_rows<T, 2>(depth, own, lda, panel, given, made, ldc, width); break;
      case 3: few_rows<T, 3>(depth, own, lda, panel, given, made, ldc, width); break;
      case 4: few_rows<T, 4>(depth, own, lda, panel, given, made, ldc, width); break;
      case 5: few_rows<T, 5>(depth, own, lda, panel, given, made, ldc, width); break;
      default: few_rows<T, ROWS>(depth, own, lda, panel, given, made, ldc, width);
    }
  }
}

// Where n threads wait for each other. The others are microseconds away, so a thread spins, and yields only after long.
class Meeting {
 public:
  void wait(int n) {
    if (n == 1) return;
    const int round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == n) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins)
      if (spins < 4096)
        relax();
      else
        sched_yield();
  }

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> round_{0};
};

// Memory that starts at a vector's boundary, and holds nothing yet.
struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
template <typename T> std::unique_ptr<T[], Free> aligned(int64_t size) {
  const int64_t bytes = (size * sizeof(T) + BYTES) / BYTES * BYTES;
  void* const memory = std::aligned_alloc(BYTES, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return std::unique_ptr<T[], Free>(static_cast<T*>(memory));
}

// The units of thread p of n: whole vectors, but for the last unit.
template <typename T> inline void own_units(int64_t hidden, int p, int n, int64_t& first, int64_t& last) {
  const int64_t vectors = (hidden + LANES<T> - 1) / LANES<T>;
  first = std::min(hidden, vectors * p / n * LANES<T>);
  last = std::min(hidden, vectors * (p + 1) / n * LANES<T>);
}

template <typename T> inline int useful_threads(int64_t hidden, int threads) {
  return std::max<int>(1, std::min<int64_t>(threads, (hidden + LANES<T> - 1) / LANES<T>));
}

// z (T, B, 4H): projected inputs; h0, c0 (B, H); recurrent (4H, H) → gates (T, B, 4H), output and all_c (T, B, H).
// gates may be z.
template <typename T>
void forward(int64_t steps, int64_t batch, int64_t hidden, const T* z, const T* h0, const T* c0, const T* recurrent,
             T* gates, T* output, T* all_c, int p, int n, Meeting& meeting) {
  const int64_t state = batch * hidden;
  int64_t first, last;
  own_units<T>(hidden, p, n, first, last);
  const int64_t panels = (last - first + WIDTH<T> - 1) / WIDTH<T>;
  const auto memory = aligned<T>(4 * panels * hidden * WIDTH<T>);
  T* const packed = memory.get();
  for (int64_t gate = 0; gate < 4; ++gate)
    for (int64_t panel = 0; panel < panels; ++panel) {
      T* to = packed + (gate * panels + panel) * hidden * WIDTH<T>;
      const int64_t unit = first + panel * WIDTH<T>, width = std::min<int64_t>(WIDTH<T>, last - unit);
      const T* from = recurrent + (gate * hidden + unit) * hidden;
      for (int64_t k = 0; k < hidden; k += LANES<T>) {  // few columns at a time, so that their lines stay near
        const int64_t count = std::min<int64_t>(LANES<T>, hidden - k);
        for (int64_t j = 0; j < WIDTH<T>; ++j)
          for (int64_t i = 0; i < count; ++i)
            to[(k + i) * WIDTH<T> + j] = j < width ? from[j * hidden + k + i] : T(0);
      }
    }
  for (int64_t t = 0; t < steps; ++t) {
    const T* h = t ? output + (t - 1) * state : h0;
    const T* c = t ? all_c + (t - 1) * state : c0;
    for (int64_t gate = 0; gate < 4; ++gate)
      for (int64_t panel = 0; panel < panels; ++panel) {
        const int64_t unit = first + panel * WIDTH<T>, at = t * 4 * state + gate * hidden + unit;
        product<T>(batch, hidden, h, hidden, packed + (gate * panels + panel) * hidden * WIDTH<T>, z + at, gates + at,
                   4 * hidden, std::min<int64_t>(WIDTH<T>, last - unit));
      }
    for (int64_t b = 0; b < batch; ++b) {
      T* row = gates + t * 4 * state + b * 4 * hidden;
      const int64_t at = t * state + b * hidden;
      for (int64_t u = first; u < last; u += LANES<T>) {
        const int64_t count = std::min<int64_t>(LANES<T>, last - u);
        const Vec<T> i = sigmoid<T>(load<T>(row + u, count)), f = sigmoid<T>(load<T>(row + hidden + u, count));
        const Vec<T> g = tanh<T>(load<T>(row + 2 * hidden + u, count));
        const Vec<T> o = sigmoid<T>(load<T>(row + 3 * hidden + u, count));
        const Vec<T> next = f * load<T>(c + b * hidden + u, count) + i * g;
        store<T>(row + u, i, count);
        store<T>(row + hidden + u, f, count);
        store<T>(row + 2 * hidden + u, g, count);
        store<T>(row + 3 * hidden + u, o, count);
        store<T>(all_c + at + u, next, count);
        store<T>(output + at + u, o * tanh<T>(next), count);
      }
    }
    meeting.wait(n);
  }
}

// Cotangents d_output (T, B, H), d_h_n and d_c_n (B, H), and what forward gave → d_z (T, B, 4H), d_h0 and d_c0 (B, H).
template <typename T>
void backward(int64_t steps, int64_t batch, int64_t hidden, const T* d_output, const T* d_h_n, const T* d_c_n,
              const T* gates, const T* c0, const T* all_c, const T* recurrent, T* d_z, T* d_h0, T* d_c0, int p, int n,
              Meeting& meeting) {
  const int64_t state = batch * hidden;
  int64_t first, last;
  own_units<T>(hidden, p, n, first, last);
  const int64_t panels = (last - first + WIDTH<T> - 1) / WIDTH<T>, depth = 4 * hidden;
  const auto memory = aligned<T>(panels * depth * WIDTH<T>);
  T* const packed = memory.get();
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int64_t unit = first + panel * WIDTH<T>, width = std::min<int64_t>(WIDTH<T>, last - unit);
    for (int64_t k = 0; k < depth; ++k) {
      T* to = packed + (panel * depth + k) * WIDTH<T>;
      std::fill(std::copy_n(recurrent + k * hidden + unit, width, to), to + WIDTH<T>, T(0));
    }
  }
  const auto through_time = [&](int64_t t) {  // d_h = d_z of step t · recurrent
    for (int64_t panel = 0; panel < panels; ++panel) {
      const int64_t unit = first + panel * WIDTH<T>;
      product<T>(batch, depth, d_z + t * 4 * state, depth, packed + panel * depth * WIDTH<T>, nullptr, d_h0 + unit,
                 hidden, std::min<int64_t>(WIDTH<T>, last - unit));
    }
  };
  for (int64_t b = 0; b < batch; ++b)
    if (first < last) {
      std::copy(d_h_n + b * hidden + first, d_h_n + b * hidden + last, d_h0 + b * hidden + first);
      std::copy(d_c_n + b * hidden + first, d_c_n + b * hidden + last, d_c0 + b * hidden + first);
    }
  for (int64_t t = steps - 1; t >= 0; --t) {
    if (t + 1 < steps) through_time(t + 1);
    const T* previous = t ? all_c + (t - 1) * state : c0;
    for (int64_t b = 0; b < batch; ++b) {
      const T* row = gates + t * 4 * state + b * 4 * hidden;
      T* made = d_z + t * 4 * state + b * 4 * hidden;
      for (int64_t u = first; u < last; u += LANES<T>) {
        const int64_t count = std::min<int64_t>(LANES<T>, last - u), at = b * hidden + u;
        const Vec<T> i = load<T>(row + u, count), f = load<T>(row + hidden + u, count);
        const Vec<T> g = load<T>(row + 2 * hidden + u, count), o = load<T>(row + 3 * hidden + u, count);
        const Vec<T> tanh_c = tanh<T>(load<T>(all_c + t * state + at, count));
        const Vec<T> d_h = load<T>(d_h0 + at, count) + load<T>(d_output + t * state + at, count);
        const Vec<T> d_c = load<T>(d_c0 + at, count) + d_h * o * (T(1) - tanh_c * tanh_c);
        store<T>(made + u, d_c * g * i * (T(1) - i), count);
        store<T>(made + hidden + u, d_c * load<T>(previous + at, count) * f * (T(1) - f), count);
        store<T>(made + 2 * hidden + u, d_c * i * (T(1) - g * g), count);
        store<T>(made + 3 * hidden + u, d_h * tanh_c * o * (T(1) - o), count);
        store<T>(d_c0 + at, d_c * f, count);
      }
    }
    meeting.wait(n);
  }
  through_time(0);
}

}  // namespace lstm
