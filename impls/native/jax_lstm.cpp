// lstm.h as calls of XLA's foreign function interface, on XLA's own threads.
//
// Arrays have the shapes that XLA knows: x (T, B, I) and output (T, B, D·P). Where rows have lengths, they are packed here.

#include <chrono>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "lstm.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;
using Stored = lstm::STORED;  // a library for each dtype: who needs one does not wait for the others

// Threads that do one body together. Only those take part that come in time, since XLA may keep its threads busy with
// something else. Who comes later does nothing.
struct Team {
  std::atomic<int> came{1}, size{0}, done{0};
  lstm::Meeting meeting;
};

// The caller waits for the others about as long as a tenth of the work takes it.
template <typename Body> void in_parallel(ffi::ThreadPool& pool, int threads, const lstm::Sizes& of, Body body) {
  const std::chrono::microseconds patience{200 + of.steps * of.batch * of.hidden * (of.input + of.hidden) / 300000};
  const auto team = std::make_shared<Team>();
  const auto caller = std::this_thread::get_id();
  for (int k = 1; k < threads && pool.num_threads() > 1; ++k)
    pool.Schedule([team, caller, &body] {
      if (std::this_thread::get_id() == caller) return;  // where there is no pool, the caller does it itself
      const int p = team->came.fetch_add(1);
      int n;
      while ((n = team->size.load(std::memory_order_acquire)) == 0) lstm::relax();
      if (p >= n) return;
      body(p, n, team->meeting);
      team->done.fetch_add(1, std::memory_order_release);
    });
  const auto latest = std::chrono::steady_clock::now() + patience;
  while (team->came.load() < threads && pool.num_threads() > 1 && std::chrono::steady_clock::now() < latest)
    lstm::relax();
  const int n = std::min(team->came.load(), threads);
  team->size.store(n, std::memory_order_release);
  body(0, n, team->meeting);
  while (team->done.load(std::memory_order_acquire) < n - 1) lstm::relax();
}

template <typename IO> void run(ffi::ThreadPool& pool, int threads, const IO& io) {
  lstm::run(io, threads, [&](int useful, auto body) { in_parallel(pool, useful, io.of, body); });
}

// The rows of a batch by length, the longest first, and copies of arrays in that order.
class Packing {
 public:
  Packing(const lstm::Sizes& of, const int32_t* lengths) : of_(of), order_(of.batch), rows_(of.steps) {
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [=](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
    for (const int64_t row : order_)
      for (int64_t t = 0; t < lengths[row]; ++t) ++rows_[t];
    while (steps() && rows_[steps() - 1] == 0) rows_.pop_back();
    all_ = std::accumulate(rows_.begin(), rows_.end(), int64_t{0});
  }

  const int64_t* rows() const { return rows_.data(); }
  int64_t steps() const { return rows_.size(); }
  int64_t all() const { return all_; }

  // (T, B, width) → (N, width)
  void pack(const Stored* from, int64_t width, Stored* to) const {
    for (int64_t t = 0; t < steps(); ++t)
      for (int64_t k = 0; k < rows_[t]; ++k, to += width) std::copy_n(from + (t * of_.batch + order_[k]) * width, width, to);
  }

  // And back; 0 beyond the lengths.
  void unpack(const Stored* from, int64_t width, Stored* to) const {
    for (int64_t t = 0; t < of_.steps; ++t) {
      const int64_t here = t < steps() ? rows_[t] : 0;
      for (int64_t k = 0; k < of_.batch; ++k) {
        Stored* const row = to + (t * of_.batch + order_[k]) * width;
        if (k < here)
          std::copy_n(from, width, row), from += width;
        else
          std::fill_n(row, width, Stored{});
      }
    }
  }

  // (D, B, width) → the same in order
  void sort(const Stored* from, int64_t width, Stored* to) const {
    for (int64_t d = 0; d < of_.directions; ++d)
      for (int64_t k = 0; k < of_.batch; ++k, to += width)
        std::copy_n(from + (d * of_.batch + order_[k]) * width, width, to);
  }

  // And back.
  void unsort(const Stored* from, int64_t width, Stored* to) const {
    for (int64_t d = 0; d < of_.directions; ++d)
      for (int64_t k = 0; k < of_.batch; ++k, from += width)
        std::copy_n(from, width, to + (d * of_.batch + order_[k]) * width);
  }

 private:
  lstm::Sizes of_;
  std::vector<int64_t> order_;  // the row of the batch that each sorted row is
  std::vector<int64_t> rows_;   // of each step that any row has
  int64_t all_ = 0;
};

// Memory for the copies of a call.
class Copies {
 public:
  explicit Copies(int64_t size) : next_(lstm::scratch<Stored, lstm::PACKED>(size)) {}
  Stored* take(int64_t size) {
    next_ += size;
    return next_ - size;
  }

 private:
  Stored* next_;
};

void run_packed(ffi::ThreadPool& pool, int threads, const lstm::Forward<Stored>& io, const int32_t* lengths) {
  const Packing packing(io.of, lengths);
  const int64_t all = packing.all();
  const int64_t h = io.of.state();
  const int64_t c = io.of.hidden;
  const int64_t width = io.of.directions * h;
  const int64_t states = io.of.directions * io.of.batch;
  Copies copies(all * (io.of.input + width) + 2 * states * (h + c));
  Stored* const x = copies.take(all * io.of.input);
  Stored* const h0 = copies.take(states * h);
  Stored* const c0 = copies.take(states * c);
  packing.pack(io.x, io.of.input, x);
  packing.sort(io.h0, h, h0);
  packing.sort(io.c0, c, c0);
  lstm::Forward<Stored> packed = io;
  packed.of.steps = packing.steps();
  packed.rows = packing.rows();
  packed.x = x;
  packed.h0 = h0;
  packed.c0 = c0;
  packed.output = copies.take(all * width);
  packed.h_n = copies.take(states * h);
  packed.c_n = copies.take(states * c);
  run(pool, threads, packed);
  packing.unpack(packed.output, width, io.output);
  packing.unsort(packed.h_n, h, io.h_n);
  packing.unsort(packed.c_n, c, io.c_n);
}

void run_packed(ffi::ThreadPool& pool, int threads, const lstm::Backward<Stored>& io, const int32_t* lengths) {
  const Packing packing(io.of, lengths);
  const int64_t all = packing.all();
  const int64_t h = io.of.state();
  const int64_t c = io.of.hidden;
  const int64_t width = io.of.directions * h;
  const int64_t states = io.of.directions * io.of.batch;
  Copies copies(2 * all * (io.of.input + width) + 3 * states * (h + c));
  const auto packed_of = [&](const Stored* from, int64_t each) -> const Stored* {
    if (!from) return nullptr;
    Stored* const to = copies.take(all * each);
    packing.pack(from, each, to);
    return to;
  };
  const auto sorted_of = [&](const Stored* from, int64_t each) -> const Stored* {
    if (!from) return nullptr;
    Stored* const to = copies.take(states * each);
    packing.sort(from, each, to);
    return to;
  };
  lstm::Backward<Stored> packed = io;
  packed.of.steps = packing.steps();
  packed.rows = packing.rows();
  packed.d_output = packed_of(io.d_output, width);
  packed.d_h_n = sorted_of(io.d_h_n, h);
  packed.d_c_n = sorted_of(io.d_c_n, c);
  packed.x = packed_of(io.x, io.of.input);
  packed.h0 = sorted_of(io.h0, h);
  packed.c0 = sorted_of(io.c0, c);
  packed.output = packed_of(io.output, width);
  if (io.d_x) packed.d_x = copies.take(all * io.of.input);
  if (io.d_h0) packed.d_h0 = copies.take(states * h);
  if (io.d_c0) packed.d_c0 = copies.take(states * c);
  run(pool, threads, packed);
  if (io.d_x) packing.unpack(packed.d_x, io.of.input, io.d_x);
  if (io.d_h0) packing.unsort(packed.d_h0, h, io.d_h0);
  if (io.d_c0) packing.unsort(packed.d_c0, c, io.d_c0);
}

// Arguments and results are the pointers of a Forward or Backward; empty ones are null. In place of its rows, the first
// has the lengths (B).
template <typename IO>
ffi::Error call(ffi::ThreadPool pool, int32_t threads, ffi::Span<const int64_t> sizes, ffi::RemainingArgs arguments,
                ffi::RemainingRets results) {
  std::vector<int64_t> values(sizes.begin(), sizes.end());
  const auto add = [&](const ffi::AnyBuffer& buffer) {
    values.push_back(buffer.element_count() ? reinterpret_cast<int64_t>(buffer.untyped_data()) : 0);
  };
  for (size_t k = 0; k < arguments.size(); ++k) add(*arguments.get<ffi::AnyBuffer>(k));
  for (size_t k = 0; k < results.size(); ++k) add(**results.get<ffi::AnyBuffer>(k));
  IO io;
  if (values.size() * sizeof(int64_t) != sizeof(io)) return ffi::Error::InvalidArgument("not all that an LSTM takes");
  std::memcpy(&io, values.data(), sizeof(io));
  const auto* const lengths = reinterpret_cast<const int32_t*>(io.rows);
  io.rows = nullptr;
  try {
    if (!lengths) {
      run(pool, threads, io);
      return ffi::Error::Success();
    }
    for (int64_t row = 0; row < io.of.batch; ++row)
      if (lengths[row] < 1 || lengths[row] > io.of.steps)
        return ffi::Error::InvalidArgument("lengths must be from 1 to the number of steps");
    run_packed(pool, threads, io, lengths);
    return ffi::Error::Success();
  } catch (const std::bad_alloc&) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted, "not enough memory for an LSTM");
  }
}

#define LSTM_BINDING                        \
  ffi::Ffi::Bind()                          \
      .Ctx<ffi::ThreadPool>()               \
      .Attr<int32_t>("threads")             \
      .Attr<ffi::Span<const int64_t>>("sizes") \
      .RemainingArgs()                      \
      .RemainingRets()

XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_forward, call<lstm::Forward<Stored>>, LSTM_BINDING);
XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_backward, call<lstm::Backward<Stored>>, LSTM_BINDING);
