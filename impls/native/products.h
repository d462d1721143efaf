// Products of matrices: rows of one by panels of the other, which are packed for the vectors of the processor.

#pragma once

#include "pairs.h"

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
          multiply_add<T>((s ? more[s] : sums)[m][v], a[m * by.row + s * by.step], right[v]);
    }
  for (; k < by.depth; ++k, a += by.step, panel += WIDTH<T>)
#pragma GCC unroll 6
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v) multiply_add<T>(sums[m][v], a[m * by.row], load<T>(panel + v * LANES<T>));
#pragma GCC unroll 4
  for (int s = 1; s < AT_ONCE; ++s)
#pragma GCC unroll 6
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v) sums[m][v] += more[s][m][v];
#pragma GCC unroll 6
  for (int m = 0; m < M; ++m) finish(first + m, sums[m]);
}

#ifdef LSTM_TILES
// `products` in tiles, of rows whose pairs follow each other.
template <typename Start, typename Finish>
inline void products_in_tiles(int64_t rows, Factors<Pair> by, Start start, Finish finish) {
  alignas(BYTES) float made[TILE * WIDTH<Pair>];
  for (int64_t first = 0; first < rows; first += TILE) {
    const int64_t count = std::min(TILE, rows - first);
    shape_tiles(count);
    tile_products(by.a + first * by.row, by.row, by.panel, by.depth, made);
    for (int64_t row = 0; row < count; ++row) {
      Vec<float> sums[VECTORS];
      start(first + row, sums);
      for (int v = 0; v < VECTORS; ++v) sums[v] += load<float>(made + row * WIDTH<Pair> + v * LANES<Pair>);
      finish(first + row, sums);
    }
  }
}
#endif

// For each row: start(row, sums), then sums += the product, then finish(row, sums), while they are in registers.
template <typename T, typename Start, typename Finish>
LSTM_INLINE inline void products(int64_t rows, Factors<T> by, Start start, Finish finish) {
#ifdef LSTM_TILES
  if constexpr (std::is_same_v<T, Pair>)
    if (by.step == 1 && tiles_allowed()) return products_in_tiles(rows, by, start, finish);
#endif
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

// Transpose a square of LANES vectors.
template <typename T> inline void transpose(Vec<T>* rows) {
  const auto lanes = std::make_index_sequence<LANES<T>>();
  Vec<T> next[LANES<T>];
#pragma GCC unroll 4
  for (int done = 1; done < LANES<T>; done *= 2) {
#pragma GCC unroll 8
    for (int j = 0; j < LANES<T> / 2; ++j) {
      next[2 * j] = zip<T, 0>(rows[j], rows[j + LANES<T> / 2], lanes);
      next[2 * j + 1] = zip<T, 1>(rows[j], rows[j + LANES<T> / 2], lanes);
    }
    std::copy_n(next, LANES<T>, rows);
  }
}

// Turn a panel (rows, WIDTH) round: its columns become rows, which are `stride` apart.
template <typename T> void turn(const T* panel, int64_t rows, T* to, int64_t stride) {
  for (int64_t k = 0; k < rows; k += LANES<T>)
    for (int v = 0; v < VECTORS; ++v) {
      Vec<T> square[LANES<T>] = {};
      for (int64_t i = 0; i < std::min<int64_t>(LANES<T>, rows - k); ++i)
        square[i] = load<T>(panel + (k + i) * WIDTH<T> + v * LANES<T>);
      transpose<T>(square);
      for (int64_t j = 0; j < LANES<T>; ++j) store<T>(to + (v * LANES<T> + j) * stride + k, square[j]);
    }
}

// A vector of what products take, from up to LANES · EACH numbers; the others are 0.
template <typename T, typename S> inline Vec<T> load_factors(const S* from, int64_t count) {
#ifdef LSTM_PAIRS
  if constexpr (std::is_same_v<T, Pair>) return load_pairs(from, count);
#endif
  if constexpr (!std::is_same_v<T, Pair>) return load<T>(from, count);
}

// Turns up to LANES rows of weights, whose length is depth, into columns of a panel (depth, WIDTH).
template <typename T, typename S> void pack_rows(const S* weights, int64_t rows, int64_t depth, T* panel) {
  constexpr int64_t MOST = LANES<T> * EACH<T>;  // numbers of a vector
  const int64_t length = panel_rows<T>(depth);
  for (int64_t k = 0; k < length; k += LANES<T>) {
    const int64_t number = k * EACH<T>;
    const int64_t count = std::max<int64_t>(0, std::min(MOST, depth - number));
    Vec<T> columns[LANES<T>];
    const bool whole = count == MOST && rows == LANES<T>;
#pragma GCC unroll 16
    for (int64_t j = 0; j < LANES<T>; ++j) {
      if (whole)
        columns[j] = load_factors<T>(weights + j * depth + number, MOST);
      else
        columns[j] = j < rows && count ? load_factors<T>(weights + j * depth + number, count) : Vec<T>{};
    }
    transpose<T>(columns);
    const int64_t used = std::min<int64_t>(LANES<T>, length - k);
    for (int64_t i = 0; i < used; ++i) store<T>(panel + (k + i) * WIDTH<T>, columns[i]);
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
  if constexpr (!std::is_same_v<T, Pair>) {
    for (int64_t k = 0; k < rows; ++k) {
      const auto* const from = row_of(k);
      Vec<T> row[VECTORS];
      load_row<T>(from, from ? width : 0, row);
      store_row<T>(panel + k * WIDTH<T>, WIDTH<T>, row);
    }
    return;
  }
#ifdef LSTM_PAIRS
  if constexpr (std::is_same_v<T, Pair>)
    for (int64_t k = 0; k < panel_rows<T>(rows); ++k) {
      Vec<float> two[2][VECTORS];
      for (int64_t each = 0; each < 2; ++each) {
        const bool there = 2 * k + each < rows;
        const auto* const from = there ? row_of(2 * k + each) : nullptr;
        load_row<float>(from, from ? width : 0, two[each]);
      }
      for (int v = 0; v < VECTORS; ++v)
        store<Pair>(panel + k * WIDTH<T> + v * LANES<T>, paired(two[0][v], two[1][v]));
    }
#endif
}

}  // namespace lstm
