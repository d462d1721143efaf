// lstm.h as functions of C, on threads of OpenMP: those that PyTorch uses too.

#include <omp.h>

#include "lstm.h"

template <typename IO> void on_threads(const IO& io, int threads) {
  const int useful = lstm::useful_threads<typename IO::Type>(io.of, threads);
  auto* const shared = lstm::scratch<typename IO::Type, true>(io.shared_size());
  lstm::Meeting meeting;
#pragma omp parallel num_threads(useful) if (useful > 1)
  lstm::run(io, shared, omp_get_thread_num(), omp_get_num_threads(), meeting);
}

extern "C" {
void lstm_forward_float32(const lstm::Forward<float>* io, int threads) { on_threads(*io, threads); }
void lstm_forward_float64(const lstm::Forward<double>* io, int threads) { on_threads(*io, threads); }
void lstm_backward_float32(const lstm::Backward<float>* io, int threads) { on_threads(*io, threads); }
void lstm_backward_float64(const lstm::Backward<double>* io, int threads) { on_threads(*io, threads); }
}
