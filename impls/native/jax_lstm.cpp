// lstm.h as calls of XLA's foreign function interface, on XLA's own threads.
//
// Arrays have the shapes that XLA knows: x (T, B, I) and output (T, B, D·P).

#include <chrono>
#include <memory>
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

// Arguments and results are the pointers of a Forward or Backward from its lengths on; empty ones are null.
template <typename IO>
ffi::Error call(ffi::ThreadPool pool, int32_t threads, ffi::Span<const int64_t> sizes, ffi::RemainingArgs arguments,
                ffi::RemainingRets results) {
  std::vector<int64_t> values(sizes.begin(), sizes.end());
  values.push_back(0);  // no rows of packed steps
  const auto add = [&](const ffi::AnyBuffer& buffer) {
    values.push_back(buffer.element_count() ? reinterpret_cast<int64_t>(buffer.untyped_data()) : 0);
  };
  for (size_t k = 0; k < arguments.size(); ++k) add(*arguments.get<ffi::AnyBuffer>(k));
  for (size_t k = 0; k < results.size(); ++k) add(**results.get<ffi::AnyBuffer>(k));
  IO io;
  if (values.size() * sizeof(int64_t) != sizeof(io)) return ffi::Error::InvalidArgument("not all that an LSTM takes");
  std::memcpy(&io, values.data(), sizeof(io));
  for (int64_t row = 0; io.lengths && row < io.of.batch; ++row)
    if (io.lengths[row] < 1 || io.lengths[row] > io.of.steps)
      return ffi::Error::InvalidArgument("lengths must be from 1 to the number of steps");
  try {
    lstm::run(io, threads, [&](int useful, auto body) { in_parallel(pool, useful, io.of, body); });
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
