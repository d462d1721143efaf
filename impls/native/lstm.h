// A layer of an LSTM on the CPU, in one direction or both: its forward, and its backward with every gradient.
//
// Rows are packed as in torch.nn.utils.rnn.PackedSequence: the rows of step t are the first of the batch, and come after
// those of step t - 1. A full batch is the case where all steps have all rows. N is the number of all rows.
//
// Weights are packed once a call, into panels of WIDTH columns: those of the forward hold the four gates of LANES units,
// so that the gates are computed on sums that are still in registers. A thread owns rows of the batch, and then never
// waits in the recurrence. Where there are too few rows it owns units, and the threads meet once a step. Each has panels
// of its own, since a cache's line takes long from one core to another. The threads are the caller's: each of them calls
// `run` with its number and the same Meeting.
//
// Arrays are dense, the last axis first in memory. Gates are in the order i, f, g, o. T, B, I, H, P, D: steps, batch,
// input_size, hidden_size, the width of h, directions.

#pragma once

#include <initializer_list>

#include "padded.h"

namespace lstm {

// Everything that a forward takes and gives; numbers and pointers in this order are its interface.
template <typename S> struct Forward {
  using Stored = S;
  Sizes of;
  const int64_t* rows;          // (T) of packed rows, or null
  const int32_t* lengths;       // (B) of padded rows, or null: x, output and cotangents are then (T, B, …)
  const uint8_t* resets;        // (N) or null: where a row's h and c are 0 before the step
  const S *x, *h0, *c0;         // (N, I), (D, B, P), (D, B, H)
  Weights<S> weights[2];
  S *output, *h_n, *c_n;        // (N, D·P), (D, B, P), (D, B, H)
  S *gates, *all_c, *whole;     // (D, N, 4H), (D, N, H), (D, N, H); null where they are not kept, or not projected

  static int64_t shared_gates(const Sizes&, int64_t) { return 0; }
  // h before its projection, of the rows of a step
  static int64_t shared_h(const Sizes& of, int64_t) { return of.projected ? of.batch * of.hidden : 0; }
};

// The memory that all threads of a call have together.
template <typename S> struct Shared {
  int64_t* first;     // of Steps
  Between<S>* gates;  // of a Backward: d_z
  Computed<S>* h;     // of a Forward or Backward
  const S** before;        // of a Backward: the h before each row, or null where it is 0
};

template <typename S>
void run_direction(const Forward<S>& io, const Shared<S>& shared, int direction, int p, int n, Meeting& meeting) {
  using T = Computed<S>;
  using E = Factor<S>;
  const int64_t steps = io.of.steps;
  const int64_t batch = io.of.batch;
  const int64_t input = io.of.input;
  const int64_t hidden = io.of.hidden;
  const int64_t projected = io.of.projected;
  const int64_t directions = io.of.directions;
  const Steps order{steps, shared.first, direction == 1};
  const Own<T> own(io.of, order, p, n);
  const Weights<S>& weights = io.weights[direction];
  const int64_t state = io.of.state();
  const int64_t stride = directions * state;  // from a row of output to the next
  const int64_t mine = up(own.units.size(), LANES<T>);
  const int64_t own_rows = own.rows.size();
  // Steps whose inputs are projected at once: as many as give a few rows.
  const int64_t at_once = own.by_rows || batch >= ROWS ? 1 : std::min(steps, 24 / batch);

  const S* const h0 = io.h0 + direction * batch * state;
  const S* const c0 = io.c0 + direction * batch * hidden;
  S* const h_n = io.h_n + direction * batch * state;
  S* const c_n = io.c_n + direction * batch * hidden;
  S* const output = io.output + direction * state;
  const int64_t kept_before = direction * order.all();  // rows of what is kept of the other direction
  S* const gates = io.gates ? io.gates + kept_before * 4 * hidden : nullptr;
  S* const all_c = io.all_c ? io.all_c + kept_before * hidden : nullptr;
  S* const whole = io.whole ? io.whole + kept_before * hidden : nullptr;

  const int64_t input_rows = panel_rows<E>(input);
  const int64_t state_rows = panel_rows<E>(state);
  E* const inputs = scratch<E, INPUTS>(mine * 4 * input_rows);
  E* const recurrent = scratch<E, RECURRENT>(mine * 4 * state_rows);
  T* const projections = scratch<T, GATES>(mine * 4 * at_once * own_rows);
  T* const cells = scratch<T, CELLS>(mine * own_rows);
  constexpr bool copied = !std::is_same_v<S, E>;
  E* const copied_x = scratch<E, X>(copied ? at_once * own_rows * up(input_rows, LANES<E>) : 0);
  E* const copied_h = scratch<E, H>(copied ? own_rows * up(state_rows, LANES<E>) : 0);
  T bias[4 * LANES<T>];
  for (int64_t at = 0; at < mine; at += LANES<T>) {
    pack_gates(weights.weight_ih, hidden, input, own.units.first + at, inputs + at * 4 * input_rows);
    pack_gates(weights.weight_hh, hidden, state, own.units.first + at, recurrent + at * 4 * state_rows);
  }
  const Range own_columns = own.by_rows ? Range{0, projected} : share(projected, LANES<T>, p, n);
  T* const projection = scratch<T, PROJECTION>(up(own_columns.size(), WIDTH<T>) * hidden);
  for (int64_t at = 0; at < own_columns.size(); at += WIDTH<T>)
    pack_turned(weights.weight_hr, own_columns.last, hidden, own_columns.first + at, projection + at * hidden);
  for (int64_t row = own.rows.first; row < own.rows.last; ++row)
    for (int64_t at = 0; at < mine; at += LANES<T>) {
      const int64_t unit = own.units.first + at;
      const Vec<T> c = load<T>(c0 + row * hidden + unit, std::min<int64_t>(LANES<T>, hidden - unit));
      store<T>(cells + (row - own.rows.first) * mine + at, c);
    }

  int64_t chunk_first = 0;  // the first row of x of the steps that are projected at once
  Readable<E> x{};
  for (int64_t k = 0; k < steps; ++k) {
    const int64_t at = order.at(k);
    const int64_t before = std::min(order.rows(k), order.rows(k - 1));  // rows that go on; the others start from h0
    const int64_t after = order.rows(k + 1);                            // rows that go on after this step; others end
    const Range old = own.of(0, before);
    const Range fresh = own.of(before, order.rows(k));
    const int64_t here = old.size() + fresh.size();
    const int64_t row_first = old.size() ? old.first : fresh.first;

    const bool starts_chunk = k % at_once == 0;
    int64_t chunk_rows = here;
    if (starts_chunk) {
      const int64_t end = std::min(steps, k + at_once) - 1;
      chunk_first = own.by_rows ? at + row_first : std::min(at, order.at(end));
      if (!own.by_rows) chunk_rows = std::max(at + order.rows(k), order.at(end) + order.rows(end)) - chunk_first;
      x = readable(io.x + chunk_first * input, input, chunk_rows, input, copied_x);
    }
    const int64_t last_at = k > 0 ? order.at(k - 1) : 0;
    E* const copied_fresh = copied_h + old.size() * up(state_rows, LANES<E>);
    const Readable<E> old_h = readable(output + (last_at + old.first) * stride, stride, old.size(), state, copied_h);
    const Readable<E> fresh_h = readable(h0 + fresh.first * state, state, fresh.size(), state, copied_fresh);

    for (int64_t next = 0; next < mine; next += LANES<T>) {
      const int64_t panel = k % 2 ? mine - LANES<T> - next : next;  // the last is still in the L1
      const int64_t unit = own.units.first + panel;
      const int64_t count = std::min<int64_t>(LANES<T>, hidden - unit);
      T* const kept = projections + panel * 4 * at_once * own_rows;
      if (starts_chunk) {
        for (int gate = 0; gate < 4; ++gate) {
          const int64_t from = gate * hidden + unit;
          Vec<T> sum = {};
          if (weights.bias_ih) sum = load<T>(weights.bias_ih + from, count) + load<T>(weights.bias_hh + from, count);
          store<T>(bias + gate * LANES<T>, sum);
        }
        products<E>(chunk_rows, {x.rows, x.stride, 1, inputs + panel * 4 * input_rows, input_rows},
                    [&](int64_t, Vec<T>* sums) { load_row<T>(bias, WIDTH<T>, sums); },
                    [&](int64_t row, Vec<T>* sums) { store_row<T>(kept + row * WIDTH<T>, WIDTH<T>, sums); });
      }
      for (const bool goes_on : {true, false}) {
        const Range rows = goes_on ? old : fresh;
        const Readable<E> h = goes_on ? old_h : fresh_h;
        if (rows.size() == 0) continue;
        const int64_t first = rows.first;
        const T* const z = kept + (at + first - chunk_first) * WIDTH<T>;
        const auto do_gates = [&](int64_t row, Vec<T>* sums) LSTM_INLINE {
          const int64_t b = first + row;
          T* const cell = cells + (b - own.rows.first) * mine + panel;
          Vec<T> c = load<T>(cell);
          if (io.resets && io.resets[at + b]) {
            load_row<T>(z + row * WIDTH<T>, WIDTH<T>, sums);
            c = Vec<T>{};
          }
          const Vec<T> i = sigmoid<T>(sums[0]), f = sigmoid<T>(sums[1]), g = tanh<T>(sums[2]), o = sigmoid<T>(sums[3]);
          const Vec<T> next_c = f * c + i * g;
          const Vec<T> next_h = o * tanh<T>(next_c);
          store<T>(cell, next_c);
          if (gates) {
            S* const to = gates + (at + b) * 4 * hidden + unit;
            store<T>(to, i, count);
            store<T>(to + hidden, f, count);
            store<T>(to + 2 * hidden, g, count);
            store<T>(to + 3 * hidden, o, count);
            store<T>(all_c + (at + b) * hidden + unit, next_c, count);
          }
          if (b >= after) store<T>(c_n + b * hidden + unit, next_c, count);
          if (projected) {
            store<T>(shared.h + b * hidden + unit, next_h, count);
            if (whole) store<T>(whole + (at + b) * hidden + unit, next_h, count);
            return;
          }
          store<T>(output + (at + b) * stride + unit, next_h, count);
          if (b >= after) store<T>(h_n + b * state + unit, next_h, count);
        };
        products<E>(rows.size(), {h.rows, h.stride, 1, recurrent + panel * 4 * state_rows, state_rows},
                    [&](int64_t row, Vec<T>* sums) { load_row<T>(z + row * WIDTH<T>, WIDTH<T>, sums); }, do_gates);
      }
    }
    if (!own.by_rows) meeting.wait(n);
    if (!projected) continue;
    for (int64_t column = own_columns.first; column < own_columns.last; column += WIDTH<T>) {
      const T* const panel = projection + (column - own_columns.first) * hidden;
      const int64_t width = own_columns.last - column;
      products<T>(here, {shared.h + row_first * hidden, hidden, 1, panel, hidden},
                  [](int64_t, Vec<T>* sums) { std::fill_n(sums, VECTORS, Vec<T>{}); },
                  [&](int64_t row, Vec<T>* sums) {
                    const int64_t b = row_first + row;
                    store_row<T>(output + (at + b) * stride + column, width, sums);
                    if (b >= after) store_row<T>(h_n + b * state + column, width, sums);
                  });
    }
    if (!own.by_rows) meeting.wait(n);
  }
}

template <typename S> struct Backward {
  using Stored = S;
  Sizes of;
  const int64_t* rows;                // as of Forward
  const int32_t* lengths;             // as of Forward
  const uint8_t* resets;              // as of Forward
  const S *d_output, *d_h_n, *d_c_n;  // (N, D·P), (D, B, P), (D, B, H); null where they are 0
  const S *x, *h0, *c0, *output, *gates, *all_c, *whole;  // as of Forward
  Weights<S> weights[2];
  S *d_x, *d_h0, *d_c0;                                   // or null
  Gradients<S> gradients[2];

  // From a row of d_z to the next, which products read in whole tiles.
  static int64_t row_of_gates(const Sizes& of) { return panel_rows<Factor<S>>(4 * of.hidden) * EACH<Factor<S>>; }
  static int64_t shared_gates(const Sizes& of, int64_t all) { return all * row_of_gates(of); }        // d_z (N, 4H)
  static int64_t shared_h(const Sizes& of, int64_t all) { return of.projected ? all * of.state() : 0; }  // d_h (N, P)
};

constexpr int64_t DEEP = 256;  // rows whose products are added to the weights' gradients at once

// Rows that are multiplied by those of another array, for the sum of these products.
template <typename S> struct Side {
  int64_t width;
  const S* rows;          // dense; or null, and
  const S* const* each;   // where each row starts, or null where it is 0
  S* sum;                 // (width of the other, width)

  const S* row(int64_t k) const { return rows ? rows + k * width : each[k]; }
};

// Add up left's columns × each side's columns over all rows, and left's columns alone. A thread has some of left's.
template <typename E, typename S, typename Left>
__attribute__((noinline)) void sum_of_products(const Left* left, int64_t left_width, const Range& own, int64_t rows,
                                               std::initializer_list<Side<S>> sides, S* sum_of_left) {
  using T = Sum<E>;
  const int64_t deepest = DEEP / EACH<E>;  // rows of a panel
  int64_t panels_size = 0;
  int64_t sums_size = own.size();
  for (const Side<S>& side : sides) {
    panels_size += deepest * up(side.width, WIDTH<T>);
    sums_size += own.size() * side.width;
  }
  constexpr bool in_place = std::is_same_v<S, T>;
  E* const panels = scratch<E, SIDES>(panels_size);
  E* const left_panel = scratch<E, LEFT>(2 * deepest * WIDTH<T>);
  E* const left_rows = left_panel + deepest * WIDTH<T>;
  T* const sums_of_all = scratch<T, SUMS>(in_place ? 0 : sums_size);
  for (int64_t first = 0; first < rows; first += DEEP) {
    const int64_t deep = std::min(DEEP, rows - first);
    const int64_t deep_rows = panel_rows<E>(deep);
    E* panel = panels;
    for (const Side<S>& side : sides)
      for (int64_t column = 0; column < side.width; column += WIDTH<T>, panel += deepest * WIDTH<T>) {
        const auto columns_of = [&](int64_t k) {
          const S* const row = side.row(first + k);
          return row ? row + column : nullptr;
        };
        pack_columns(columns_of, side.width - column, deep, panel);
      }
    for (int64_t z = own.first; z < own.last; z += WIDTH<T>) {
      const int64_t count = std::min<int64_t>(WIDTH<T>, own.last - z);
      pack_columns([&](int64_t k) { return left + (first + k) * left_width + z; }, count, deep, left_panel);
      Factors<E> by{left_panel, 1, WIDTH<T>, nullptr, deep_rows};
      if constexpr (std::is_same_v<E, Pair>)
        if (tiles_allowed()) {
          turn(left_panel, deep_rows, left_rows, deepest);
          by = {left_rows, deepest, 1, nullptr, deep_rows};
        }
      T* sums_at = sums_of_all;
      if (sum_of_left) {
        T* const at = in_place ? (T*)sum_of_left + z : sums_at + z - own.first;
        few_rows<E, 1>(
            0, {&ONE<E>, 0, 0, left_panel, deep_rows},
            [&](int64_t, Vec<T>* sums) { load_row<T>(at, first ? count : 0, sums); },
            [&](int64_t, Vec<T>* sums) { store_row<T>(at, count, sums); });
      }
      sums_at += own.size();
      panel = panels;
      for (const Side<S>& side : sides) {
        T* const of_side = in_place ? (T*)side.sum + z * side.width : sums_at + (z - own.first) * side.width;
        for (int64_t column = 0; column < side.width; column += WIDTH<T>, panel += deepest * WIDTH<T>) {
          const int64_t width = side.width - column;
          const auto start = [&](int64_t row, Vec<T>* sums) {
            const T* const at = of_side + row * side.width + column;
            load_row<T>(at, first ? width : 0, sums);
            for (int v = 0; v < VECTORS; ++v) __builtin_prefetch(at + ROWS * side.width + v * LANES<T>);  // the next
          };
          by.panel = panel;
          products<E>(count, by, start, [&](int64_t row, Vec<T>* sums) {
            store_row<T>(of_side + row * side.width + column, width, sums);
          });
        }
        sums_at += own.size() * side.width;
      }
    }
  }
  if constexpr (!in_place) {
    const T* from = sums_of_all;
    const auto put = [&](S* to, int64_t size) {
      for (int64_t at = 0; to && at < size; at += LANES<T>) {
        const int64_t count = std::min<int64_t>(LANES<T>, size - at);
        store<T>(to + at, load<T>(from + at, count), count);
      }
      from += size;
    };
    put(sum_of_left ? sum_of_left + own.first : nullptr, own.size());
    for (const Side<S>& side : sides) put(side.sum + own.first * side.width, own.size() * side.width);
  }
}

template <typename S>
void run_direction(const Backward<S>& io, const Shared<S>& shared, int direction, int p, int n, Meeting& meeting) {
  using T = Computed<S>;
  using E = Factor<S>;
  const int64_t steps = io.of.steps;
  const int64_t batch = io.of.batch;
  const int64_t input = io.of.input;
  const int64_t hidden = io.of.hidden;
  const int64_t projected = io.of.projected;
  const int64_t directions = io.of.directions;
  const Steps order{steps, shared.first, direction == 1};
  const Own<T> own(io.of, order, p, n);
  const Weights<S>& weights = io.weights[direction];
  const Gradients<S>& gradients = io.gradients[direction];
  const int64_t all = order.all();
  const int64_t state = io.of.state();
  const int64_t stride = directions * state;
  const int64_t depth = 4 * hidden;
  const int64_t depth_rows = panel_rows<E>(depth);
  const int64_t row_of_z = Backward<S>::row_of_gates(io.of);
  const int64_t mine = up(own.units.size(), WIDTH<T>);

  const auto of_direction = [direction](auto* array, int64_t size) { return array ? array + direction * size : array; };
  const S* const d_output = of_direction(io.d_output, state);
  const S* const d_h_n = of_direction(io.d_h_n, batch * state);
  const S* const d_c_n = of_direction(io.d_c_n, batch * hidden);
  const S* const c0 = of_direction(io.c0, batch * hidden);
  const S* const gates = of_direction(io.gates, all * depth);
  const S* const all_c = of_direction(io.all_c, all * hidden);
  const S* const whole = of_direction(io.whole, all * hidden);
  S* const d_h0 = of_direction(io.d_h0, batch * state);
  S* const d_c0 = of_direction(io.d_c0, batch * hidden);
  Between<S>* const d_z = shared.gates;
  T* const d_h = shared.h;

  // What goes back from a step by h: to the units themselves, or to the columns of the projection, and from them on.
  const Range columns = !projected ? own.units : own.by_rows ? Range{0, projected} : share(projected, LANES<T>, p, n);
  E* const recurrent = scratch<E, RECURRENT>(up(columns.size(), WIDTH<T>) * depth_rows);
  for (int64_t at = 0; at < columns.size(); at += WIDTH<T>)
    pack_columns([&](int64_t k) { return weights.weight_hh + k * state + columns.first + at; }, columns.size() - at,
                 depth, recurrent + at * depth_rows);
  T* const projection = scratch<T, PROJECTION>(projected ? mine * projected : 0);
  for (int64_t at = 0; projected && at < own.units.size(); at += WIDTH<T>)
    pack_columns([&](int64_t k) { return weights.weight_hr + k * hidden + own.units.first + at; },
                 own.units.size() - at, projected, projection + at * projected);
  const int64_t padding = row_of_z - depth;
  const Range own_z = share(padding ? all : 0, 1, p, n);
  for (int64_t row = own_z.first; row < own_z.last; ++row)
    std::fill_n(d_z + row * row_of_z + depth, padding, Between<S>{});
  if (padding) meeting.wait(n);
  T* const d_cells = scratch<T, CELLS>(own.rows.size() * mine);  // the gradient of c, from the step after

  const auto zero = [](int64_t, Vec<T>* sums) { std::fill_n(sums, VECTORS, Vec<T>{}); };
  const auto given = [](const S* array, int64_t at, int64_t count) {
    return array ? load<T>(array + at, count) : Vec<T>{};
  };
  for (int64_t k = steps - 1; k >= -1; --k) {
    const int64_t rows = order.rows(k);
    const int64_t after = order.rows(k + 1);     // rows of the step after: those that are not here started there
    const int64_t before = order.rows(k - 1);    // rows beyond these start here
    const int64_t at = rows ? order.at(k) : 0;   // where this step's rows are
    const int64_t later = after ? order.at(k + 1) : 0;
    const auto starts_anew = [&](int64_t row) { return io.resets && row < after && io.resets[later + row]; };

    // One vector of units of a row, from the gradient of their h before its projection.
    const auto do_gates = [&](int64_t row, int64_t unit, int64_t count, Vec<T> d_whole) LSTM_INLINE {
      const S* const of_gates = gates + (at + row) * depth + unit;
      const Vec<T> i = load<T>(of_gates, count), f = load<T>(of_gates + hidden, count);
      const Vec<T> g = load<T>(of_gates + 2 * hidden, count), o = load<T>(of_gates + 3 * hidden, count);
      const Vec<T> tanh_c = tanh<T>(load<T>(all_c + (at + row) * hidden + unit, count));
      T* const d_cell = d_cells + (row - own.rows.first) * mine + unit - own.units.first;
      Vec<T> from_later = row < after ? load<T>(d_cell) : given(d_c_n, row * hidden + unit, count);
      if (starts_anew(row)) from_later = Vec<T>{};
      const bool is_first = row >= before;
      const int64_t last_row = is_first ? row : order.at(k - 1) + row;
      Vec<T> last_c = load<T>((is_first ? c0 : all_c) + last_row * hidden + unit, count);
      if (io.resets && io.resets[at + row]) last_c = Vec<T>{};
      const Vec<T> d_c = from_later + d_whole * o * (T(1) - tanh_c * tanh_c);
      Between<S>* const made = d_z + (at + row) * row_of_z + unit;
      store<T>(made, d_c * g * i * (T(1) - i), count);
      store<T>(made + hidden, d_c * last_c * f * (T(1) - f), count);
      store<T>(made + 2 * hidden, d_c * i * (T(1) - g * g), count);
      store<T>(made + 3 * hidden, d_whole * tanh_c * o * (T(1) - o), count);
      store<T>(d_cell, d_c * f);
    };

    // The gradient of h: of rows that go on, from the gates of the step after; of those that end here, from none.
    for (const bool goes_on : {true, false}) {
      const Range range = goes_on ? own.of(0, after) : own.of(after, rows);
      const int64_t from_later = goes_on ? depth_rows : 0;
      if (range.size() == 0) continue;
      for (int64_t column = columns.first; column < columns.last; column += WIDTH<T>) {
        const E* const panel = recurrent + (column - columns.first) * depth_rows;
        const E* const d_later = factors_of(d_z + (later + range.first) * row_of_z);
        products<E>(range.size(), {d_later, row_of_z / EACH<E>, 1, panel, from_later}, zero, [&](int64_t row, Vec<T>* sums) {
          const int64_t b = range.first + row;
          const bool anew = starts_anew(b);
          for (int v = 0; v < VECTORS; ++v) {
            const int64_t unit = column + v * LANES<T>;
            const int64_t count = std::min<int64_t>(LANES<T>, columns.last - unit);
            if (count <= 0) break;
            const Vec<T> back = anew ? Vec<T>{} : sums[v];
            if (b >= rows) {
              if (d_h0) store<T>(d_h0 + b * state + unit, back, count);
              continue;
            }
            const Vec<T> d_state = b < after ? back : given(d_h_n, b * state + unit, count);
            const Vec<T> d_here = d_state + given(d_output, (at + b) * stride + unit, count);
            if (projected)
              store<T>(d_h + (at + b) * state + unit, d_here, count);
            else
              do_gates(b, unit, count, d_here);
          }
        });
      }
    }
    if (projected) {
      if (!own.by_rows) meeting.wait(n);
      const Range here = own.of(0, rows);
      for (int64_t column = own.units.first; column < own.units.last; column += WIDTH<T>) {
        const T* const panel = projection + (column - own.units.first) * projected;
        const T* const of_h = d_h + (at + here.first) * state;
        products<T>(here.size(), {of_h, state, 1, panel, projected}, zero, [&](int64_t row, Vec<T>* sums) {
          for (int v = 0; v < VECTORS; ++v) {
            const int64_t unit = column + v * LANES<T>;
            const int64_t count = std::min<int64_t>(LANES<T>, own.units.last - unit);
            if (count > 0) do_gates(here.first + row, unit, count, sums[v]);
          }
        });
      }
    }
    const Range started = own.of(rows, after);
    for (int64_t row = started.first; d_c0 && row < started.last; ++row)
      for (int64_t unit = own.units.first; unit < own.units.last; unit += LANES<T>) {
        const int64_t count = std::min<int64_t>(LANES<T>, own.units.last - unit);
        const T* const d_cell = d_cells + (row - own.rows.first) * mine + unit - own.units.first;
        store<T>(d_c0 + row * hidden + unit, starts_anew(row) ? Vec<T>{} : load<T>(d_cell), count);
      }
    if (!own.by_rows) meeting.wait(n);
  }

  if (io.d_x) {  // of the thread's own rows of each step, or of some of all rows
    E* const inputs = scratch<E, INPUTS>(WIDTH<T> * depth_rows);
    for (int64_t column = 0; column < input; column += WIDTH<T>) {
      pack_columns([&](int64_t k) { return weights.weight_ih + k * input + column; }, input - column, depth, inputs);
      for (int64_t k = 0; k < (own.by_rows ? steps : 1); ++k) {
        Range range = share(all, 1, p, n);
        if (own.by_rows) {
          range = own.of(0, order.rows(k));
          range = {order.at(k) + range.first, order.at(k) + range.last};
        }
        S* const to = io.d_x + range.first * input + column;
        const auto start = [&](int64_t row, Vec<T>* sums) {
          load_row<T>(to + row * input, direction ? input - column : 0, sums);  // the second is added to the first
        };
        const E* const of_z = factors_of(d_z + range.first * row_of_z);
        products<E>(range.size(), {of_z, row_of_z / EACH<E>, 1, inputs, depth_rows}, start,
                    [&](int64_t row, Vec<T>* sums) { store_row<T>(to + row * input, input - column, sums); });
      }
    }
  }
  if (!gradients.weight_ih) return;
  if (own.by_rows) meeting.wait(n);
  const Range own_gates = share(depth, LANES<T>, p, n);
  const Side<S> x{input, io.x, nullptr, gradients.weight_ih};
  const Side<S> h{state, nullptr, shared.before, gradients.weight_hh};
  const Side<S> unprojected{hidden, whole, nullptr, gradients.weight_hr};
  sum_of_products<E>(d_z, row_of_z, own_gates, all, {x, h}, gradients.bias);
  const Range own_columns = share(projected, LANES<T>, p, n);
  if (projected) sum_of_products<T>(d_h, state, own_columns, all, {unprojected}, static_cast<S*>(nullptr));
}

// Note where the h before each row is.
template <typename S> void find_before(const Forward<S>&, const Shared<S>&, int) {}
template <typename S> void find_before(const Backward<S>& io, const Shared<S>& shared, int direction) {
  const Steps order{io.of.steps, shared.first, direction == 1};
  const int64_t state = io.of.state();
  const int64_t stride = io.of.directions * state;
  for (int64_t k = 0; k < io.of.steps; ++k)
    for (int64_t b = 0; b < order.rows(k); ++b) {
      const int64_t row = order.at(k) + b;
      const S* before = io.h0 + (direction * io.of.batch + b) * state;
      if (b < order.rows(k - 1)) before = io.output + (order.at(k - 1) + b) * stride + direction * state;
      shared.before[row] = io.resets && io.resets[row] ? nullptr : before;
    }
}

// The same call with packed copies of its arrays.
template <typename S> Forward<S> packed(const Forward<S>& io, const Order& order, Copies<S>& copies) {
  const int64_t state = io.of.state();
  Forward<S> made = io;
  made.of.steps = order.steps();
  made.rows = order.rows();
  made.x = copies.packed(io.x, io.of.input);
  made.h0 = copies.sorted(io.h0, state);
  made.c0 = copies.sorted(io.c0, io.of.hidden);
  made.output = copies.to_pad(io.output, io.of.directions * state);
  made.h_n = copies.to_unsort(io.h_n, state);
  made.c_n = copies.to_unsort(io.c_n, io.of.hidden);
  return made;
}

template <typename S> Backward<S> packed(const Backward<S>& io, const Order& order, Copies<S>& copies) {
  const int64_t state = io.of.state();
  const int64_t width = io.of.directions * state;
  Backward<S> made = io;
  made.of.steps = order.steps();
  made.rows = order.rows();
  made.d_output = copies.packed(io.d_output, width);
  made.d_h_n = copies.sorted(io.d_h_n, state);
  made.d_c_n = copies.sorted(io.d_c_n, io.of.hidden);
  made.x = copies.packed(io.x, io.of.input);
  made.h0 = copies.sorted(io.h0, state);
  made.c0 = copies.sorted(io.c0, io.of.hidden);
  made.output = copies.packed(io.output, width);
  made.d_x = copies.to_pad(io.d_x, io.of.input);
  made.d_h0 = copies.to_unsort(io.d_h0, state);
  made.d_c0 = copies.to_unsort(io.d_c0, io.of.hidden);
  return made;
}

// Do a call on packed rows, with what threads do before and after it.
template <typename IO, typename InThreads, typename Before, typename After>
void run_packed(const IO& io, int threads, InThreads in_threads, Before before, After after) {
  using S = typename IO::Stored;
  using T = Computed<S>;
  Shared<S> shared;
  shared.first = scratch<int64_t, FIRST>(io.of.steps + 1);
  find_first(io.of, io.rows, shared.first);
  const Steps order{io.of.steps, shared.first, false};
  shared.gates = scratch<Between<S>, SHARED_GATES>(IO::shared_gates(io.of, order.all()));
  shared.h = scratch<T, SHARED_H>(IO::shared_h(io.of, order.all()));
  shared.before = scratch<const S*, BEFORE>(std::is_same_v<IO, Backward<S>> ? order.all() : 0);
  std::atomic<bool> failed{false};
  in_threads(useful_threads<T>(io.of, order, threads), [&](int p, int n, Meeting& meeting) {
    try {
      before(p, n, meeting);
      for (int direction = 0; direction < io.of.directions; ++direction) {
        if (p == 0) find_before(io, shared, direction);
        run_direction(io, shared, direction, p, n, meeting);
        if (std::is_same_v<Factor<S>, Pair> && tiles_allowed()) release_tiles();
        if (direction + 1 < io.of.directions) meeting.wait(n);
      }
      after(p, n, meeting);
    } catch (const std::bad_alloc&) {
      failed = true;
      meeting.end();
    }
  });
  if (failed) throw std::bad_alloc();
}

// Do a call with threads that the caller starts: in_threads(number, body) has `number` of them call body(p, n, meeting).
template <typename IO, typename InThreads> void run(const IO& io, int threads, InThreads in_threads) {
  if (!io.lengths) {
    const auto nothing = [](int, int, Meeting&) {};
    return run_packed(io, threads, in_threads, nothing, nothing);
  }
  const Order order(io.of, io.lengths);
  const int64_t of_steps = io.of.input + io.of.directions * io.of.state();
  const int64_t of_states = io.of.directions * io.of.batch * (io.of.state() + io.of.hidden);
  Copies<typename IO::Stored> copies(io.of, order, 2 * order.all() * of_steps + 3 * of_states);
  const auto before = [&](int p, int n, Meeting& meeting) {
    copies.before(p, n);
    meeting.wait(n);
  };
  const auto after = [&](int p, int n, Meeting& meeting) {
    meeting.wait(n);
    copies.after(p, n);
  };
  run_packed(packed(io, order, copies), threads, in_threads, before, after);
}

}  // namespace lstm
