// What a call is about: its sizes, its rows, and which of them and of the units a thread has.

#pragma once

#include "products.h"
#include "threads.h"

namespace lstm {

struct Sizes {
  int64_t steps, batch, input, hidden;
  int64_t projected;   // the width that h is projected to, or 0
  int64_t directions;  // 1 or 2

  int64_t state() const { return projected ? projected : hidden; }  // the width P of h
};

// Where the rows of each step are. Rows are sorted by length, so that step t has its first rows[t] of them.
// A direction goes over the steps in its own order: its step k is step t = step(k) of the arrays.
struct Steps {
  int64_t steps;
  const int64_t* first;  // T + 1: where the rows of each step start
  bool reverse;

  int64_t step(int64_t k) const { return reverse ? steps - 1 - k : k; }
  int64_t at(int64_t k) const { return first[step(k)]; }
  // None beyond the ends.
  int64_t rows(int64_t k) const { return k < 0 || k >= steps ? 0 : first[step(k) + 1] - at(k); }
  int64_t all() const { return first[steps]; }
};

// Fill `first` (T + 1) from the number of rows of each step, or where that is null, from full steps.
inline void find_first(const Sizes& of, const int64_t* rows, int64_t* first) {
  first[0] = 0;
  for (int64_t t = 0; t < of.steps; ++t) first[t + 1] = first[t] + (rows ? rows[t] : of.batch);
}

// How many rows a thread owns at least: few where all weights, which it then reads in each step, stay in its L2.
template <typename T> inline int64_t rows_each(const Sizes& of) {
  return 4 * of.hidden * (of.input + of.state()) * sizeof(T) <= 1 << 19 ? 4 : 48;
}

// Thread p's rows of n threads': each has about as many rows of all steps, and longer ones come first.
inline Range equal_work(const Steps& of, int64_t batch, int p, int n) {
  Range rows{batch, batch};
  int64_t done = 0;
  int64_t length = of.steps;
  for (int64_t row = 0; row < batch; ++row) {
    while (length > 0 && of.first[length] - of.first[length - 1] <= row) --length;
    if (done >= of.all() * p / n) rows.first = std::min(rows.first, row);
    if (done >= of.all() * (p + 1) / n) {
      rows.last = row;
      break;
    }
    done += length;
  }
  return rows;
}

// A thread owns rows of the batch, and then never waits in the recurrence; or units, where there are too few rows.
template <typename T> struct Own {
  bool by_rows;
  Range rows, units;

  Own(const Sizes& of, const Steps& steps, int p, int n)
      : by_rows(steps.all() >= rows_each<T>(of) * n * of.steps),
        rows(by_rows ? equal_work(steps, of.batch, p, n) : Range{0, of.batch}),
        units(by_rows ? Range{0, of.hidden} : share(of.hidden, LANES<T>, p, n)) {}

  // Its rows of those from `from` to `to`.
  Range of(int64_t from, int64_t to) const {
    const int64_t first = std::max(rows.first, from);
    return {first, std::max(first, std::min(rows.last, to))};
  }
};

template <typename T> inline int useful_threads(const Sizes& of, const Steps& steps, int threads) {
  const int64_t units = (of.hidden + LANES<T> - 1) / LANES<T>;
  const int64_t by_rows = steps.all() / of.steps / rows_each<T>(of);
  return std::max<int>(1, std::min<int64_t>(threads, std::max(units, by_rows)));
}

// The weights of a direction, as torch.nn.LSTM has them; biases, and without a projection weight_hr, are null.
template <typename S> struct Weights {
  const S *weight_ih, *weight_hh, *bias_ih, *bias_hh, *weight_hr;  // (4H, I), (4H, P), (4H), (4H), (P, H)
};

template <typename S> struct Gradients {
  S *weight_ih, *weight_hh, *bias, *weight_hr;  // as of Weights; one bias, whose gradient both have
};

// What the numbers stored as S are computed in, what the products with weights are made of, and what d_z is kept in.
template <typename S> using Computed = std::conditional_t<std::is_same_v<S, double>, double, float>;
#ifndef LSTM_PAIRS
template <typename S> using Factor = Computed<S>;
#elif defined(AUTOCAST)
template <typename S> using Factor = std::conditional_t<std::is_same_v<S, double>, double, Pair>;
#else
template <typename S> using Factor = std::conditional_t<std::is_same_v<S, BFloat>, Pair, Computed<S>>;
#endif
template <typename S> using Between = std::conditional_t<std::is_same_v<Factor<S>, Pair>, BFloat, Computed<S>>;

// Rows that a product can read: themselves where they are stored as it reads them, and otherwise a copy.
template <typename T> struct Readable {
  const T* rows;
  int64_t stride;
};

template <typename T, typename S>
Readable<T> readable(const S* from, int64_t stride, int64_t count, int64_t width, T* copy) {
  if constexpr (std::is_same_v<S, T>)
    return {from, stride};
  else {
    const int64_t padded = up(panel_rows<T>(width), LANES<T>);
    constexpr int64_t MOST = LANES<T> * EACH<T>;
    for (int64_t row = 0; row < count; ++row)
      for (int64_t at = 0; at < padded; at += LANES<T>) {
        const int64_t number = at * EACH<T>;
        const int64_t numbers = std::max<int64_t>(0, std::min(MOST, width - number));
        store<T>(copy + row * padded + at, load_factors<T>(from + row * stride + number, numbers));
      }
    return {copy, padded};
  }
}

// Rows of d_z as a product reads them.
template <typename T> inline const T* factors_of(const T* rows) { return rows; }
#ifdef LSTM_PAIRS
inline const Pair* factors_of(const BFloat* rows) { return reinterpret_cast<const Pair*>(rows); }
#endif

}  // namespace lstm
