// lstm.h as functions of C.

#include "lstm.h"

#define LSTM_FUNCTIONS(TYPE, NAME)                                                                                     \
  extern "C" void lstm_forward_##NAME(int64_t steps, int64_t batch, int64_t hidden, const TYPE* z, const TYPE* h0,     \
                                      const TYPE* c0, const TYPE* recurrent, TYPE* gates, TYPE* output, TYPE* all_c,   \
                                      int threads) {                                                                   \
    lstm::forward<TYPE>(steps, batch, hidden, z, h0, c0, recurrent, gates, output, all_c, threads);                    \
  }                                                                                                                    \
  extern "C" void lstm_backward_##NAME(int64_t steps, int64_t batch, int64_t hidden, const TYPE* d_output,             \
                                       const TYPE* d_h_n, const TYPE* d_c_n, const TYPE* gates, const TYPE* c0,        \
                                       const TYPE* all_c, const TYPE* recurrent, TYPE* d_z, TYPE* d_h0, TYPE* d_c0,    \
                                       int threads) {                                                                  \
    lstm::backward<TYPE>(steps, batch, hidden, d_output, d_h_n, d_c_n, gates, c0, all_c, recurrent, d_z, d_h0, d_c0,   \
                         threads);                                                                                     \
  }

LSTM_FUNCTIONS(float, float32)
LSTM_FUNCTIONS(double, float64)
