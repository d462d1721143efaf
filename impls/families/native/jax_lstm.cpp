// lstm.h as calls of XLA's foreign function interface, on XLA's own threads.

#include <chrono>
#include <memory>
#include <thread>

#include "lstm.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

// Threads that do one body together. Only those take part that come in time: the caller waits for the others no longer
// than PATIENCE, since XLA may keep its threads busy with something else. Who comes later does nothing.
struct Team {
  std::atomic<int> came{1}, size{0}, done{0};
  lstm::Meeting meeting;
};
constexpr std::chrono::microseconds PATIENCE{200};

template <typename Body> void in_parallel(ffi::ThreadPool& pool, int threads, Body body) {
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
  const auto latest = std::chrono::steady_clock::now() + PATIENCE;
  while (team->came.load() < threads && pool.num_threads() > 1 && std::chrono::steady_clock::now() < latest)
    lstm::relax();
  const int n = std::min(team->came.load(), threads);
  team->size.store(n, std::memory_order_release);
  body(0, n, team->meeting);
  while (team->done.load(std::memory_order_acquire) < n - 1) lstm::relax();
}

template <ffi::DataType Kind>
ffi::Error forward(ffi::ThreadPool pool, int32_t threads, ffi::Buffer<Kind> z, ffi::Buffer<Kind> h0,
                   ffi::Buffer<Kind> c0, ffi::Buffer<Kind> recurrent, ffi::ResultBuffer<Kind> gates,
                   ffi::ResultBuffer<Kind> output, ffi::ResultBuffer<Kind> all_c) {
  using T = ffi::NativeType<Kind>;
  const auto sizes = output->dimensions();
  in_parallel(pool, lstm::useful_threads<T>(sizes[2], threads), [&](int p, int n, lstm::Meeting& meeting) {
    lstm::forward<T>(sizes[0], sizes[1], sizes[2], z.typed_data(), h0.typed_data(), c0.typed_data(),
                     recurrent.typed_data(), gates->typed_data(), output->typed_data(), all_c->typed_data(), p, n,
                     meeting);
  });
  return ffi::Error::Success();
}

template <ffi::DataType Kind>
ffi::Error backward(ffi::ThreadPool pool, int32_t threads, ffi::Buffer<Kind> d_output, ffi::Buffer<Kind> d_h_n,
                    ffi::Buffer<Kind> d_c_n, ffi::Buffer<Kind> gates, ffi::Buffer<Kind> c0, ffi::Buffer<Kind> all_c,
                    ffi::Buffer<Kind> recurrent, ffi::ResultBuffer<Kind> d_z, ffi::ResultBuffer<Kind> d_h0,
                    ffi::ResultBuffer<Kind> d_c0) {
  using T = ffi::NativeType<Kind>;
  const auto sizes = all_c.dimensions();
  in_parallel(pool, lstm::useful_threads<T>(sizes[2], threads), [&](int p, int n, lstm::Meeting& meeting) {
    lstm::backward<T>(sizes[0], sizes[1], sizes[2], d_output.typed_data(), d_h_n.typed_data(), d_c_n.typed_data(),
                      gates.typed_data(), c0.typed_data(), all_c.typed_data(), recurrent.typed_data(),
                      d_z->typed_data(), d_h0->typed_data(), d_c0->typed_data(), p, n, meeting);
  });
  return ffi::Error::Success();
}

#define LSTM_HANDLERS(KIND, NAME)                                                                                      \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_forward_##NAME, (forward<ffi::KIND>),                                             \
                                ffi::Ffi::Bind()                                                                       \
                                    .Ctx<ffi::ThreadPool>()                                                            \
                                    .Attr<int32_t>("threads")                                                          \
                                    .Arg<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Arg<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Arg<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Arg<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Ret<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Ret<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Ret<ffi::Buffer<ffi::KIND>>());                                                   \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_backward_##NAME, (backward<ffi::KIND>),                                           \
                                ffi::Ffi::Bind()                                                                       \
                                    .Ctx<ffi::ThreadPool>()                                                            \
                                    .Attr<int32_t>("threads")                                                          \
                                    .Arg<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Arg<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Arg<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Arg<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Arg<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Arg<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Arg<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Ret<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Ret<ffi::Buffer<ffi::KIND>>()                                                     \
                                    .Ret<ffi::Buffer<ffi::KIND>>())

LSTM_HANDLERS(F32, float32);
LSTM_HANDLERS(F64, float64);
