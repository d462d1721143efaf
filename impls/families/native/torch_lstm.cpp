// lstm.h as functions of C, on threads of OpenMP: those that PyTorch uses too.

#include <omp.h>

#include "lstm.h"

// Let threads do a body, which gets the number of its thread, how many there are, and where they meet.
template <typename Body> void in_parallel(int threads, Body body) {
  lstm::Meeting meeting;
#pragma omp parallel num_threads(threads)
  body(omp_get_thread_num(), omp_get_num_threads(), meeting);
}

#define LSTM_FUNCTIONS(T, NAME)                                                                                        \
  extern "C" void lstm_forward_##NAME(int64_t steps, int64_t batch, int64_t hidden, const T* z, const T* h0,           \
                                      const T* c0, const T* recurrent, T* gates, T* output, T* all_c, int threads) {   \
    in_parallel(lstm::useful_threads<T>(hidden, threads), [&](int p, int n, lstm::Meeting& meeting) {                  \
      lstm::forward<T>(steps, batch, hidden, z, h0, c0, recurrent, gates, output, all_c, p, n, meeting);               \
    });                                                                                                                \
  }                                                                                                                    \
  extern "C" void lstm_backward_##NAME(int64_t steps, int64_t batch, int64_t hidden, const T* d_output,                \
                                       const T* d_h_n, const T* d_c_n, const T* gates, const T* c0, const T* all_c,    \
                                       const T* recurrent, T* d_z, T* d_h0, T* d_c0, int threads) {                    \
    in_parallel(lstm::useful_threads<T>(hidden, threads), [&](int p, int n, lstm::Meeting& meeting) {                  \
      lstm::backward<T>(steps, batch, hidden, d_output, d_h_n, d_c_n, gates, c0, all_c, recurrent, d_z, d_h0, d_c0, p, \
                        n, meeting);                                                                                   \
    });                                                                                                                \
  }

LSTM_FUNCTIONS(float, float32)
LSTM_FUNCTIONS(double, float64)
