// One direction of one LSTM layer on the CPU: its forward, and its backward with the gradients of weights and inputs.
//
// Weights are packed once a call, into panels of WIDTH columns: those of the forward hold the four gates of LANES units,
// so that the gates are computed on sums that are still in registers. A thread owns rows of the batch, and then never
// waits in the recurrence. Where there are too few rows it owns units, and the threads meet once a step. Each has panels
// of its own, since a cache's line takes long from one core to another. The threads are the caller's: each of them calls
// `run` with its number and the same Meeting.
//
// Arrays are dense, the last axis first in memory. Gates are in the order i, f, g, o. T, B, I, H: steps, batch,
// input_size, hidden_size.

#pragma once

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace lstm {

// g++ would give some of the products by call, with what they need in memory, and then wait for it.
#define LSTM_INLINE __attribute__((always_inline))

// Tell the processor that this thread only waits for another one.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

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
template <typename T> inline void load_row(const T* from, int64_t width, Vec<T>* to) {
  for (int64_t v = 0; v < VECTORS; ++v, width -= LANES<T>, from += LANES<T>)
    to[v] = width > 0 ? load<T>(from, std::min<int64_t>(LANES<T>, width)) : Vec<T>{};
}

template <typename T> inline void store_row(T* to, int64_t width, const Vec<T>* from) {
  for (int64_t v = 0; v < VECTORS && width > 0; ++v, width -= LANES<T>, to += LANES<T>)
    store<T>(to, from[v], std::min<int64_t>(LANES<T>, width));
}

// One product of matrices: rows of a, whose element (m, k) is a[m · row + k · step], and a panel (depth, WIDTH).
template <typename T> struct Factors {
  const T* a;
  int64_t row, step;
  const T* panel;
  int64_t depth;
};

// M rows of `products`, which see.
template <typename T, int M, typename Start, typename Finish>
LSTM_INLINE inline void few_rows(int64_t first, Factors<T> by, Start start, Finish finish) {
  Vec<T> sums[M][VECTORS];
#pragma GCC unroll 6
  for (int m = 0; m < M; ++m) start(first + m, sums[m]);
  constexpr int AT_ONCE = M * 2 > ROWS ? 1 : M == 1 && ROWS == 6 ? 4 : 2;  // sums that do not wait for each other
  Vec<T> more[AT_ONCE][M][VECTORS] = {};
  int64_t k = 0;
  const T *a = by.a + first * by.row, *panel = by.panel;
  for (; k + AT_ONCE <= by.depth; k += AT_ONCE, a += AT_ONCE * by.step, panel += AT_ONCE * WIDTH<T>)
#pragma GCC unroll 4
    for (int s = 0; s < AT_ONCE; ++s) {
      const T* at = panel + s * WIDTH<T>;
      Vec<T> right[] = {load(at), load(at + LANES<T>), load(at + 2 * LANES<T>), load(at + 3 * LANES<T>)};
#ifdef __AVX__  // otherwise g++ loads them anew for each row
      if (M > 1 && M < ROWS) asm("" : "+v"(right[0]), "+v"(right[1]), "+v"(right[2]), "+v"(right[3]));
#endif
#pragma GCC unroll 6
      for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; ++v)
          (s ? more[s] : sums)[m][v] += a[m * by.row + s * by.step] * right[v];
    }
  for (; k < by.depth; ++k, a += by.step, panel += WIDTH<T>)
#pragma GCC unroll 6
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v) sums[m][v] += a[m * by.row] * load<T>(panel + v * LANES<T>);
#pragma GCC unroll 4
  for (int s = 1; s < AT_ONCE; ++s)
#pragma GCC unroll 6
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v) sums[m][v] += more[s][m][v];
#pragma GCC unroll 6
  for (int m = 0; m < M; ++m) finish(first + m, sums[m]);
}

// For each row: start(row, sums), then sums += the product, then finish(row, sums), while they are in registers.
template <typename T, typename Start, typename Finish>
LSTM_INLINE inline void products(int64_t rows, Factors<T> by, Start start, Finish finish) {
  const int64_t blocks = (rows + ROWS - 1) / ROWS;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = rows * block / blocks;
    switch (rows * (block + 1) / blocks - first) {
      case 1: few_rows<T, 1>(first, by, start, finish); break;
      case 2: few_rows<T, 2>(first, by, start, finish); break;
      case 3: few_rows<T, 3>(first, by, start, finish); break;
#ifdef __AVX512F__
      case 4: few_rows<T, 4>(first, by, start, finish); break;
      case 5: few_rows<T, 5>(first, by, start, finish); break;
      case 6: few_rows<T, 6>(first, by, start, finish); break;
#endif
    }
  }
}

// Where n threads wait for each other. The others are microseconds away, so a thread spins, and yields only after long.
class Meeting {
 public:
  void wait(int n) {
    if (n == 1) return;
    const int64_t all = (arrived_.fetch_add(1, std::memory_order_acq_rel) / n + 1) * n;
    for (int spins = 0; arrived_.load(std::memory_order_acquire) < all; ++spins)
      if (spins < 1024)
        relax();
      else
        sched_yield();
  }

 private:
  alignas(64) std::atomic<int64_t> arrived_{0};
};

// Memory that a thread keeps between its calls, of its own or shared. It starts at a vector's boundary.
template <typename T, bool shared = false> T* scratch(int64_t size) {
  struct Free {
    void operator()(T* memory) const { std::free(memory); }
  };
  thread_local std::unique_ptr<T, Free> memory;
  thread_local int64_t held = 0;
  if (held < size) {
    memory.reset(static_cast<T*>(std::aligned_alloc(BYTES, size * sizeof(T) / BYTES * BYTES + BYTES)));
    held = memory ? size : 0;
    if (!memory) throw std::bad_alloc();
  }
  return memory.get();
}

struct Sizes {
  int64_t steps, batch, input, hidden;
};

inline int64_t up(int64_t size, int64_t part) { return (size + part - 1) / part * part; }

struct Range {
  int64_t first, last;
  int64_t size() const { return last - first; }
};

// What thread p of n has of `size` things, in whole parts.
inline Range share(int64_t size, int64_t part, int p, int n) {
  const int64_t parts = (size + part - 1) / part;
  return {std::min(size, parts * p / n * part), std::min(size, parts * (p + 1) / n * part)};
}

// How many rows a thread owns at least: few where all weights, which it then reads in each step, stay in its L2.
template <typename T> inline int64_t rows_each(const Sizes& of) {
  return 4 * of.hidden * (of.input + of.hidden) * sizeof(T) <= 1 << 19 ? 4 : 48;
}

// A thread owns rows of the batch, and then never waits in the recurrence; or units, where there are too few rows.
template <typename T> struct Own {
  bool by_rows;
  Range rows, units;
  Own(const Sizes& of, int p, int n)
      : by_rows(of.batch >= rows_each<T>(of) * n),
        rows(by_rows ? share(of.batch, 1, p, n) : Range{0, of.batch}),
        units(by_rows ? Range{0, of.hidden} : share(of.hidden, LANES<T>, p, n)) {}
};

template <typename T> inline int useful_threads(const Sizes& of, int threads) {
  const int64_t units = (of.hidden + LANES<T> - 1) / LANES<T>;
  return std::max<int>(1, std::min<int64_t>(threads, std::max(units, of.batch / rows_each<T>(of))));
}

// The lower (half 0) or upper halves of two vectors, their numbers in turn.
template <typename T, int half, size_t... I> inline Vec<T> zip(Vec<T> a, Vec<T> b, std::index_sequence<I...>) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, (half * LANES<T> / 2 + I / 2 + I % 2 * LANES<T>)...);
#else
  return __builtin_shuffle(a, b, typename Vectors<T>::Integer{(half * LANES<T> / 2 + I / 2 + I % 2 * LANES<T>)...});
#endif
}

// The panel (depth, 4 gates of LANES units) of weights (4H, depth).
template <typename T> void pack_gates(const T* weights, int64_t hidden, int64_t depth, int64_t unit, T* panel) {
  const auto lanes = std::make_index_sequence<LANES<T>>();
  for (int64_t gate = 0; gate < 4; ++gate)
    for (int64_t k = 0; k < depth; k += LANES<T>) {
      const int64_t count = std::min<int64_t>(LANES<T>, depth - k), units = std::min<int64_t>(LANES<T>, hidden - unit);
      const T* from = weights + (gate * hidden + unit) * depth + k;
      int64_t stride = depth;
      T edge[LANES<T> * LANES<T>];
      if (count < LANES<T> || units < LANES<T>) {
        std::fill_n(edge, LANES<T> * LANES<T>, T(0));
        for (int64_t j = 0; j < units; ++j) std::copy_n(from + j * depth, count, edge + j * LANES<T>);
        from = edge, stride = LANES<T>;
      }
      Vec<T> rows[LANES<T>], next[LANES<T>];
#pragma GCC unroll 16
      for (int64_t j = 0; j < LANES<T>; ++j) rows[j] = load<T>(from + j * stride);
#pragma GCC unroll 4
      for (int done = 1; done < LANES<T>; done *= 2) {  // transposes them
#pragma GCC unroll 8
        for (int j = 0; j < LANES<T> / 2; ++j) {
          next[2 * j] = zip<T, 0>(rows[j], rows[j + LANES<T> / 2], lanes);
          next[2 * j + 1] = zip<T, 1>(rows[j], rows[j + LANES<T> / 2], lanes);
        }
        std::copy_n(next, LANES<T>, rows);
      }
      for (int64_t i = 0; i < count; ++i) store<T>(panel + (k + i) * WIDTH<T> + gate * LANES<T>, rows[i]);
    }
}

// Rows of the panel of the columns that start at `from`.
template <typename T> void pack_columns(const T* from, int64_t stride, int64_t width, int64_t rows, T* panel) {
  for (int64_t k = 0; k < rows; ++k) {
    Vec<T> row[VECTORS];
    load_row<T>(from + k * stride, width, row);
    store_row<T>(panel + k * WIDTH<T>, WIDTH<T>, row);
  }
}

// Everything that a forward takes and gives.
template <typename T> struct Forward {
  using Type = T;
  Sizes of;
  const T *x, *h0, *c0, *weight_ih, *weight_hh, *bias;  // (T, B, I), (B, H), (B, H), (4H, I), (4H, H), (4H) or null
  T *output, *h_n, *c_n, *gates, *all_c;                // (T, B, H), (B, H), (B, H); null or (T, B, 4H), (T, B, H)
  int64_t shared_size() const { return 0; }             // of the memory that all threads have together
};

template <typename T> void run(const Forward<T>& io, T*, int p, int n, Meeting& meeting) {
  const auto [steps, batch, input, hidden] = io.of;
  const int64_t state = batch * hidden;
  const Own<T> own(io.of, p, n);
  const int64_t mine = up(own.units.size(), LANES<T>);
  // Steps whose inputs are projected at once: as many as give a few rows.
  const int64_t at_once = own.by_rows ? 1 : std::min(steps, batch >= ROWS ? 1 : 24 / batch);
  // Panels of weight_ih, of weight_hh, and projected inputs.
  T* const inputs = scratch<T>(mine * 4 * (input + hidden + at_once * own.rows.size()));
  T* const recurrent = inputs + mine * 4 * input;
  T* const projected = recurrent + mine * 4 * hidden;
  for (int64_t at = 0; at < mine; at += LANES<T>) {
    pack_gates(io.weight_ih, hidden, input, own.units.first + at, inputs + at * 4 * input);
    pack_gates(io.weight_hh, hidden, hidden, own.units.first + at, recurrent + at * 4 * hidden);
  }
  for (int64_t t = 0; t < steps; ++t) {
    const T* h = (t ? io.output + (t - 1) * state : io.h0) + own.rows.first * hidden;
    const T* c = t ? (io.all_c ? io.all_c + (t - 1) * state : io.c_n) : io.c0;
    T* const next_c = io.all_c ? io.all_c + t * state : io.c_n;
    const T* x = io.x + (t * batch + own.rows.first) * input;
    for (int64_t next = 0; next < mine; next += LANES<T>) {
      const int64_t panel = t % 2 ? mine - LANES<T> - next : next;  // the last is still in the L1
      const int64_t unit = own.units.first + panel, count = std::min<int64_t>(LANES<T>, hidden - unit);
      T* const kept = projected + panel * 4 * at_once * own.rows.size();
      const auto from_bias = [&](int64_t, Vec<T>* sums) {
        for (int gate = 0; gate < 4; ++gate)
          sums[gate] = io.bias ? load<T>(io.bias + gate * hidden + unit, count) : Vec<T>{};
      };
      const Factors<T> of_x{x, input, 1, inputs + panel * 4 * input, input};
      const Factors<T> of_h{h, hidden, 1, recurrent + panel * 4 * hidden, hidden};
      const auto do_gates = [&](int64_t row, Vec<T>* sums) LSTM_INLINE {
        const int64_t b = own.rows.first + row, at = b * hidden + unit;
        const Vec<T> i = sigmoid<T>(sums[0]), f = sigmoid<T>(sums[1]), g = tanh<T>(sums[2]), o = sigmoid<T>(sums[3]);
        const Vec<T> next = f * load<T>(c + at, count) + i * g, next_h = o * tanh<T>(next);
        if (io.gates) {
          T* const to = io.gates + (t * batch + b) * 4 * hidden + unit;
          store<T>(to, i, count);
          store<T>(to + hidden, f, count);
          store<T>(to + 2 * hidden, g, count);
          store<T>(to + 3 * hidden, o, count);
        }
        store<T>(next_c + at, next, count);
        store<T>(io.output + t * state + at, next_h, count);
        if (t + 1 == steps) {
          store<T>(io.c_n + at, next, count);
          store<T>(io.h_n + at, next_h, count);
        }
      };
      if (t % at_once == 0)
        products<T>(std::min(at_once, steps - t) * own.rows.size(), of_x, from_bias,
                    [&](int64_t row, Vec<T>* sums) { store_row<T>(kept + row * WIDTH<T>, WIDTH<T>, sums); });
      const T* const z = kept + t % at_once * own.rows.size() * WIDTH<T>;
      products<T>(own.rows.size(), of_h,
                  [&](int64_t row, Vec<T>* sums) { load_row<T>(z + row * WIDTH<T>, WIDTH<T>, sums); }, do_gates);
    }
    if (!own.by_rows) meeting.wait(n);
  }
}

template <typename T> struct Backward {
  using Type = T;
  Sizes of;
  const T *d_output, *d_h_n, *d_c_n;  // (T, B, H), (B, H), (B, H); null where they are 0
  const T *x, *h0, *c0, *weight_ih, *weight_hh, *output, *gates, *all_c;  // as of Forward
  T *d_x, *d_h0, *d_c0, *d_weight_ih, *d_weight_hh, *d_bias;              // d_x, d_bias: or null
  int64_t shared_size() const { return of.steps * of.batch * 4 * of.hidden; }  // d_z (T, B, 4H)
};

constexpr int64_t DEEP = 256;  // rows of d_z whose products with x and h are added to the weights' gradients at once

template <typename T> void run(const Backward<T>& io, T* d_z, int p, int n, Meeting& meeting) {
  const auto [steps, batch, input, hidden] = io.of;
  const int64_t state = batch * hidden, depth = 4 * hidden, rows = steps * batch;
  const Own<T> own(io.of, p, n);
  const int64_t units = up(own.units.size(), WIDTH<T>), side = up(input, WIDTH<T>) + up(hidden, WIDTH<T>);
  T* const recurrent = scratch<T>((units + WIDTH<T>) * depth + DEEP * (side + WIDTH<T>));
  T* const inputs = recurrent + units * depth;
  T* const sides = inputs + WIDTH<T> * depth;
  for (int64_t at = 0; at < own.units.size(); at += WIDTH<T>)
    pack_columns(io.weight_hh + own.units.first + at, hidden, own.units.size() - at, depth, recurrent + at * depth);
  const auto zero = [](int64_t, Vec<T>* sums) { std::fill_n(sums, VECTORS, Vec<T>{}); };
  const auto given = [](const T* array, int64_t at, int64_t count) {
    return array ? load<T>(array + at, count) : Vec<T>{};
  };
  for (int64_t t = steps - 1; t >= -1; --t) {
    const bool last = t + 1 == steps;
    const T* previous = t > 0 ? io.all_c + (t - 1) * state : io.c0;
    const T* next = last ? d_z : d_z + ((t + 1) * batch + own.rows.first) * depth;
    for (int64_t unit = own.units.first; unit < own.units.last; unit += WIDTH<T>) {
      const Factors<T> of_z{next, depth, 1, recurrent + (unit - own.units.first) * depth, last ? 0 : depth};
      products<T>(
          own.rows.size(), of_z, zero,
          [&](int64_t row, Vec<T>* sums) {
            for (int v = 0; v < VECTORS; ++v) {
              const int64_t u = unit + v * LANES<T>, count = std::min<int64_t>(LANES<T>, own.units.last - u);
              if (count <= 0) break;
              const int64_t b = own.rows.first + row, at = b * hidden + u;
              if (t < 0) {
                store<T>(io.d_h0 + at, sums[v], count);
                continue;
              }
              const T* gates = io.gates + (t * batch + b) * depth + u;
              T* made = d_z + (t * batch + b) * depth + u;
              const Vec<T> i = load<T>(gates, count), f = load<T>(gates + hidden, count);
              const Vec<T> g = load<T>(gates + 2 * hidden, count), o = load<T>(gates + 3 * hidden, count);
              const Vec<T> tanh_c = tanh<T>(load<T>(io.all_c + t * state + at, count));
              const Vec<T> later = last ? given(io.d_h_n, at, count) : sums[v];
              const Vec<T> d_h = later + given(io.d_output, t * state + at, count);
              const Vec<T> d_c = given(last ? io.d_c_n : io.d_c0, at, count) + d_h * o * (T(1) - tanh_c * tanh_c);
              store<T>(made, d_c * g * i * (T(1) - i), count);
              store<T>(made + hidden, d_c * load<T>(previous + at, count) * f * (T(1) - f), count);
              store<T>(made + 2 * hidden, d_c * i * (T(1) - g * g), count);
              store<T>(made + 3 * hidden, d_h * tanh_c * o * (T(1) - o), count);
              store<T>(io.d_c0 + at, d_c * f, count);
            }
          });
    }
    if (!own.by_rows) meeting.wait(n);
  }
  if (io.d_x) {  // of the thread's own rows of each step, or of some steps
    const Range mine = own.by_rows ? own.rows : share(rows, 1, p, n);
    for (int64_t column = 0; column < input; column += WIDTH<T>) {
      pack_columns(io.weight_ih + column, input, input - column, depth, inputs);
      for (int64_t first = mine.first; first < rows; first += own.by_rows ? batch : rows)
        products<T>(mine.size(), {d_z + first * depth, depth, 1, inputs, depth}, zero, [&](int64_t row, Vec<T>* sums) {
          store_row<T>(io.d_x + (first + row) * input + column, input - column, sums);
        });
    }
  }
  if (own.by_rows) meeting.wait(n);
  const Range columns = share(depth, LANES<T>, p, n);
  static constexpr T one = 1;
  T* const left = sides + DEEP * side;
  for (int64_t first = 0; first < rows; first += DEEP) {
    const int64_t deep = std::min(DEEP, rows - first);
    T* const of_h = sides + DEEP * up(input, WIDTH<T>);
    for (int64_t column = 0; column < input; column += WIDTH<T>)
      pack_columns(io.x + first * input + column, input, input - column, deep, sides + column * DEEP);
    const int64_t old = std::max<int64_t>(0, std::min(deep, batch - first));  // their h is h0
    for (int64_t column = 0; column < hidden; column += WIDTH<T>) {
      pack_columns(io.h0 + first * hidden + column, hidden, hidden - column, old, of_h + column * DEEP);
      pack_columns(io.output + (first + old - batch) * hidden + column, hidden, hidden - column, deep - old,
                   of_h + column * DEEP + old * WIDTH<T>);
    }
    for (int64_t z = columns.first; z < columns.last; z += WIDTH<T>) {
      const int64_t count = std::min<int64_t>(WIDTH<T>, columns.last - z);
      pack_columns(d_z + first * depth + z, depth, count, deep, left);
      if (io.d_bias)
        products<T>(
            1, {&one, 0, 0, left, deep},
            [&](int64_t, Vec<T>* sums) { load_row<T>(io.d_bias + z, first ? count : 0, sums); },
            [&](int64_t, Vec<T>* sums) { store_row<T>(io.d_bias + z, count, sums); });
      const auto gradient = [&](T* to, int64_t width, const T* panels) {
        for (int64_t column = 0; column < width; column += WIDTH<T>) {
          const auto start = [&](int64_t row, Vec<T>* sums) {
            const T* at = to + (z + row) * width + column;
            load_row<T>(at, first ? width - column : 0, sums);
            for (int v = 0; v < VECTORS; ++v) __builtin_prefetch(at + ROWS * width + v * LANES<T>);  // of the next rows
          };
          products<T>(count, {left, 1, WIDTH<T>, panels + column * DEEP, deep}, start, [&](int64_t row, Vec<T>* sums) {
            store_row<T>(to + (z + row) * width + column, width - column, sums);
          });
        }
      };
      gradient(io.d_weight_ih, input, sides);
      gradient(io.d_weight_hh, hidden, of_h);
    }
  }
}

}  // namespace lstm
