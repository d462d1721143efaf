// lstm.h as calls of XLA's foreign function interface, on XLA's own threads.

#include <chrono>
#include <memory>
#include <thread>

#include "lstm.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

// Threads that do one body together. Only those take part that come in time, since XLA may keep its threads busy with
// something else. Who comes later does nothing.
struct Team {
  std::atomic<int> came{1}, size{0}, done{0};
  lstm::Meeting meeting;
};

// The caller waits for the others about as long as a tenth of the work takes it.
template <typename Body>
void in_parallel(ffi::ThreadPool& pool, int threads, const lstm::Sizes& of, Body body) {
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

// Run a direction of lstm.h, whose struct holds the sizes, then the arguments, then the results; empty ones are null.
template <typename IO>
void run(ffi::ThreadPool& pool, int threads, const lstm::Sizes& of, const ffi::RemainingArgs& arguments,
         const ffi::RemainingRets& results) {
  IO io{of};
  void* pointers[(sizeof(IO) - sizeof(of)) / sizeof(void*)];
  void** next = pointers;
  const auto add = [&](const ffi::AnyBuffer& buffer) {
    *next++ = buffer.element_count() ? buffer.untyped_data() : nullptr;
  };
  for (size_t k = 0; k < arguments.size(); ++k) add(*arguments.get<ffi::AnyBuffer>(k));
  for (size_t k = 0; k < results.size(); ++k) add(**results.get<ffi::AnyBuffer>(k));
  std::memcpy(reinterpret_cast<char*>(&io) + sizeof(of), pointers, sizeof(pointers));
  const int useful = lstm::useful_threads<typename IO::Type>(of, threads);
  auto* const shared = lstm::scratch<typename IO::Type, true>(io.shared_size());
  in_parallel(pool, useful, of, [&](int p, int n, lstm::Meeting& meeting) { lstm::run(io, shared, p, n, meeting); });
}

template <template <typename> class IO>
ffi::Error either(ffi::ThreadPool pool, int32_t threads, ffi::Span<const int64_t> sizes, ffi::RemainingArgs arguments,
                  ffi::RemainingRets results) {
  const lstm::Sizes of{sizes[0], sizes[1], sizes[2], sizes[3]};
  if (arguments.get<ffi::AnyBuffer>(0)->element_type() == ffi::F32)
    run<IO<float>>(pool, threads, of, arguments, results);
  else
    run<IO<double>>(pool, threads, of, arguments, results);
  return ffi::Error::Success();
}

#define LSTM_BINDING                                                                                             \
  ffi::Ffi::Bind()                                                                                               \
      .Ctx<ffi::ThreadPool>()                                                                                    \
      .Attr<int32_t>("threads")                                                                                  \
      .Attr<ffi::Span<const int64_t>>("sizes")                                                                   \
      .RemainingArgs()                                                                                           \
      .RemainingRets()

XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_forward, either<lstm::Forward>, LSTM_BINDING);
XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_backward, either<lstm::Backward>, LSTM_BINDING);
