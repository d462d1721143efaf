// Products of matrices: rows of one by panels of the other, which are packed for the vectors of the processor.

#pragma once

#include "vectors.h"

namespace lstm {

// g++ would give some of the products by call, with what they need in memory, and then wait for it.
#define LSTM_INLINE __attribute__((always_inline))

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
      Vec<T> right[] = {load<T>(at), load<T>(at + LANES<T>), load<T>(at + 2 * LANES<T>), load<T>(at + 3 * LANES<T>)};
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
// The lower (half 0) or upper halves of two vectors, their numbers in turn.
template <typename T, int half, size_t... I> inline Vec<T> zip(Vec<T> a, Vec<T> b, std::index_sequence<I...>) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, (half * LANES<T> / 2 + I / 2 + I % 2 * LANES<T>)...);
#else
  return __builtin_shuffle(a, b, typename Vectors<T>::Integer{(half * LANES<T> / 2 + I / 2 + I % 2 * LANES<T>)...});
#endif
}
// Turns up to LANES rows of weights, whose length is depth, into columns of a panel (depth, WIDTH).
template <typename T, typename S> void pack_rows(const S* weights, int64_t rows, int64_t depth, T* panel) {
  const auto lanes = std::make_index_sequence<LANES<T>>();
  for (int64_t k = 0; k < depth; k += LANES<T>) {
    const int64_t count = std::min<int64_t>(LANES<T>, depth - k);
    Vec<T> columns[LANES<T>];
    Vec<T> next[LANES<T>];
    const bool whole = count == LANES<T> && rows == LANES<T>;
#pragma GCC unroll 16
    for (int64_t j = 0; j < LANES<T>; ++j) {
      if (whole)
        columns[j] = load<T>(weights + j * depth + k);
      else
        columns[j] = j < rows ? load<T>(weights + j * depth + k, count) : Vec<T>{};
    }
#pragma GCC unroll 4
    for (int done = 1; done < LANES<T>; done *= 2) {  // transposes them
#pragma GCC unroll 8
      for (int j = 0; j < LANES<T> / 2; ++j) {
        next[2 * j] = zip<T, 0>(columns[j], columns[j + LANES<T> / 2], lanes);
        next[2 * j + 1] = zip<T, 1>(columns[j], columns[j + LANES<T> / 2], lanes);
      }
      std::copy_n(next, LANES<T>, columns);
    }
    for (int64_t i = 0; i < count; ++i) store<T>(panel + (k + i) * WIDTH<T>, columns[i]);
  }
}

// The panel (depth, 4 gates of LANES units) of weights (4H, depth).
template <typename T, typename S>
void pack_gates(const S* weights, int64_t hidden, int64_t depth, int64_t unit, T* panel) {
  const int64_t units = std::min<int64_t>(LANES<T>, hidden - unit);
  for (int64_t gate = 0; gate < 4; ++gate)
    pack_rows(weights + (gate * hidden + unit) * depth, units, depth, panel + gate * LANES<T>);
}

// The panel (depth, WIDTH) of the rows of weights (rows, depth) from `first` on: rows become columns.
template <typename T, typename S>
void pack_turned(const S* weights, int64_t rows, int64_t depth, int64_t first, T* panel) {
  for (int v = 0; v < VECTORS; ++v) {
    const int64_t from = std::min(rows, first + v * LANES<T>);
    const int64_t count = std::min<int64_t>(LANES<T>, rows - from);
    pack_rows(weights + from * depth, count, depth, panel + v * LANES<T>);
  }
}

// The panel of some columns of rows: row_of(k) is where the columns start in row k, or null for a row of zeros.
template <typename T, typename RowOf> void pack_columns(RowOf row_of, int64_t width, int64_t rows, T* panel) {
  for (int64_t k = 0; k < rows; ++k) {
    const auto* const from = row_of(k);
    Vec<T> row[VECTORS];
    load_row<T>(from, from ? width : 0, row);
    store_row<T>(panel + k * WIDTH<T>, WIDTH<T>, row);
  }
}

}  // namespace lstm
