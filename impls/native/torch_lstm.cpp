// lstm.h as functions of C, on threads of OpenMP: those that PyTorch uses too.

#include <omp.h>

#include "lstm.h"

// Return 0, or 1 where there is not enough memory.
template <typename IO> int on_threads(const IO& io, int threads) {
  try {
    lstm::run(io, threads, [](int useful, auto body) {
      lstm::Meeting meeting;
      if (useful == 1) return body(0, 1, meeting);
#pragma omp parallel num_threads(useful)
      body(omp_get_thread_num(), omp_get_num_threads(), meeting);
    });
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

using Stored = lstm::STORED;  // a library for each dtype: who needs one does not wait for the others

extern "C" int lstm_forward(const lstm::Forward<Stored>* io, int threads) { return on_threads(*io, threads); }
extern "C" int lstm_backward(const lstm::Backward<Stored>* io, int threads) { return on_threads(*io, threads); }
