// Two numbers of bfloat16 at a time, which some processors multiply and add at once: one by one, or in tiles.
//
// A Pair has two numbers that follow each other in a sum of products. A processor of AMD multiplies pairs in vectors at
// twice the speed of float. One of Intel does so at half of it, but has tiles (AMX), which are many times as fast.

#pragma once

#include "vectors.h"

#if defined(__AVX512BF16__) && defined(__AVX512BW__)
#define LSTM_PAIRS
#if defined(__AMX_BF16__) && defined(__AMX_TILE__) && defined(__linux__)
#define LSTM_TILES
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace lstm {

struct Pair {
  uint32_t bits;
};
template <> struct Vectors<Pair> : Vectors<float> {};

// The numbers that a sum of products of T is made in, and how many numbers there are in a T.
template <typename T> using Sum = std::conditional_t<std::is_same_v<T, Pair>, float, T>;
template <typename T> constexpr int EACH = std::is_same_v<T, Pair> ? 2 : 1;

template <typename T> inline void multiply_add(Vec<T>& sum, T left, Vec<T> right) { sum += left * right; }
template <typename T> constexpr T ONE = 1;

#ifdef LSTM_PAIRS

template <> inline constexpr Pair ONE<Pair>{0x3F803F80};

template <> inline void multiply_add<Pair>(Vec<Pair>& sum, Pair left, Vec<Pair> right) {
  sum = (Vec<Pair>)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32(left.bits), (__m512bh)right);
}

// Pairs of numbers that follow each other in memory; those beyond count are 0.
inline Vec<Pair> load_pairs(const BFloat* from, int64_t count) {
  Vec<Pair> pairs = {};
  std::memcpy(&pairs, from, count * sizeof(BFloat));
  return pairs;
}

inline Vec<Pair> load_pairs(const float* from, int64_t count) {
  const int64_t first = std::min<int64_t>(count, LANES<float>);
  const __m512 low = (__m512)load<float>(from, first);
  const __m512 high = (__m512)load<float>(from + first, count - first);
  return (Vec<Pair>)_mm512_cvtne2ps_pbh(high, low);
}

// Pairs of a number of one vector and one of the other.
inline Vec<Pair> paired(Vec<float> first, Vec<float> second) {
  typedef uint16_t Index __attribute__((vector_size(BYTES)));
  const Index turns = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                       8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i numbers = (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
  return (Vec<Pair>)_mm512_permutexvar_epi16((__m512i)turns, numbers);
}

#endif

#ifdef LSTM_TILES

constexpr int64_t TILE = 16;  // rows, and pairs of a row

// Whether the system lets this process use tiles.
inline bool tiles_allowed() {
  constexpr int ARCH_REQ_XCOMP_PERM = 0x1023;
  constexpr int TILE_DATA = 18;
  static const bool allowed = syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0;
  return allowed;
}

// Tiles 0 to 3 are sums, 4 has rows of the left, 5 to 7 are of a panel.
inline void shape_tiles(int64_t rows) {
  struct alignas(64) {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
  } shapes;
  for (int tile = 0; tile < 8; ++tile) {
    shapes.bytes[tile] = TILE * sizeof(Pair);
    shapes.rows[tile] = tile < 5 ? rows : TILE;
  }
  asm volatile("" : : "r"(&shapes) : "memory");  // the compiler does not know that it is read
  _tile_loadconfig(&shapes);
}

// The products of up to TILE rows of pairs with a panel: WIDTH sums of each row.
inline void tile_products(const Pair* rows, int64_t stride, const Pair* panel, int64_t depth, float* sums) {
  constexpr int64_t BYTES_OF_PANEL = WIDTH<Pair> * sizeof(Pair);
  asm volatile("" : : : "memory");  // nor that rows and panels are
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t k = 0; k < depth; k += TILE) {
    const Pair* const at = panel + k * WIDTH<Pair>;
    _tile_loadd(4, rows + k, stride * sizeof(Pair));
    _tile_loadd(5, at, BYTES_OF_PANEL);
    _tile_dpbf16ps(0, 4, 5);
    _tile_loadd(6, at + LANES<Pair>, BYTES_OF_PANEL);
    _tile_dpbf16ps(1, 4, 6);
    _tile_loadd(7, at + 2 * LANES<Pair>, BYTES_OF_PANEL);
    _tile_dpbf16ps(2, 4, 7);
    _tile_loadd(5, at + 3 * LANES<Pair>, BYTES_OF_PANEL);
    _tile_dpbf16ps(3, 4, 5);
  }
  _tile_stored(0, sums, BYTES_OF_PANEL);
  _tile_stored(1, sums + LANES<Pair>, BYTES_OF_PANEL);
  _tile_stored(2, sums + 2 * LANES<Pair>, BYTES_OF_PANEL);
  _tile_stored(3, sums + 3 * LANES<Pair>, BYTES_OF_PANEL);
}

inline void release_tiles() { _tile_release(); }

#else

constexpr int64_t TILE = 1;
inline bool tiles_allowed() { return false; }
inline void release_tiles() {}

#endif

// Rows of a panel for so many numbers: as many as there are pairs of them, and for tiles whole ones.
template <typename T> inline int64_t panel_rows(int64_t depth) {
  if constexpr (std::is_same_v<T, Pair>) return (depth + 2 * TILE - 1) / (2 * TILE) * TILE;
  return depth;
}

}  // namespace lstm
