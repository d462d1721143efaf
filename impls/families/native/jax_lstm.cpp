// lstm.h as calls of XLA's foreign function interface.

#include "lstm.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

template <ffi::DataType Kind>
ffi::Error forward(int32_t threads, ffi::Buffer<Kind> z, ffi::Buffer<Kind> h0, ffi::Buffer<Kind> c0,
                   ffi::Buffer<Kind> recurrent, ffi::ResultBuffer<Kind> gates, ffi::ResultBuffer<Kind> output,
                   ffi::ResultBuffer<Kind> all_c) {
  const auto sizes = output->dimensions();
  lstm::forward(sizes[0], sizes[1], sizes[2], z.typed_data(), h0.typed_data(), c0.typed_data(), recurrent.typed_data(),
                gates->typed_data(), output->typed_data(), all_c->typed_data(), threads);
  return ffi::Error::Success();
}

template <ffi::DataType Kind>
ffi::Error backward(int32_t threads, ffi::Buffer<Kind> d_output, ffi::Buffer<Kind> d_h_n, ffi::Buffer<Kind> d_c_n,
                    ffi::Buffer<Kind> gates, ffi::Buffer<Kind> c0, ffi::Buffer<Kind> all_c, ffi::Buffer<Kind> recurrent,
                    ffi::ResultBuffer<Kind> d_z, ffi::ResultBuffer<Kind> d_h0, ffi::ResultBuffer<Kind> d_c0) {
  const auto sizes = all_c.dimensions();
  lstm::backward(sizes[0], sizes[1], sizes[2], d_output.typed_data(), d_h_n.typed_data(), d_c_n.typed_data(),
                 gates.typed_data(), c0.typed_data(), all_c.typed_data(), recurrent.typed_data(), d_z->typed_data(),
                 d_h0->typed_data(), d_c0->typed_data(), threads);
  return ffi::Error::Success();
}

#define LSTM_HANDLERS(KIND, NAME)                                                                                      \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_forward_##NAME, (forward<ffi::KIND>),                                             \
                                ffi::Ffi::Bind()                                                                       \
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
