// lstm.h as functions of C, on threads of OpenMP: those that PyTorch uses too.

#include <omp.h>
#include <pthread.h>

#include "lstm.h"

// A forked process has none of its parent's threads, and OpenMP would wait for them.
static bool forked = false;
static const int registered = pthread_atfork(nullptr, nullptr, [] { forked = true; });

// Return 0; 1 where there is not enough memory; 2 where the rows of the steps are no batch.
template <typename IO> int on_threads(const IO& io, int threads) {
  if (!lstm::is_batch(io.of, io.rows)) return 2;
  try {
    lstm::run(io, forked ? 1 : threads, [](int useful, auto body) {
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
