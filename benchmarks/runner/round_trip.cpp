// The round trip of a cache line: two threads, each on a processor of its own, hand a counter to and fro.

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <thread>

namespace {

constexpr int BATCHES = 4;
constexpr int TRIPS = 250;  // of a batch

bool run_on(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

// Wait until the counter has a value. A thread whose processor was taken away would keep the other one waiting for
// long, so the wait ends at the deadline.
bool wait_for(const std::atomic<int>& counter, int value, std::chrono::steady_clock::time_point deadline) {
  for (int spins = 1; counter.load(std::memory_order_acquire) != value; ++spins)
    if (spins % 4096 == 0 && std::chrono::steady_clock::now() > deadline) return false;
  return true;
}

}  // namespace

// Return the seconds of a round trip between two processors: those of the fastest batch, 0 where none came to its end.
extern "C" double round_trip(int first, int second, double most_seconds) {
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;
  alignas(128) std::atomic<int> counter{0};
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(most_seconds));
  double fastest = std::numeric_limits<double>::infinity();

  std::thread answering([&] {
    if (!run_on(second)) return;
    for (int sent = 1; sent < 2 * BATCHES * TRIPS; sent += 2) {
      if (!wait_for(counter, sent, deadline)) return;
      counter.store(sent + 1, std::memory_order_release);
    }
  });
  std::thread asking([&] {
    if (!run_on(first)) return;
    for (int sent = 1; sent < 2 * BATCHES * TRIPS;) {
      const auto start = Clock::now();
      for (int trip = 0; trip < TRIPS; ++trip, sent += 2) {
        counter.store(sent, std::memory_order_release);
        if (!wait_for(counter, sent + 1, deadline)) return;
      }
      fastest = std::min(fastest, Seconds(Clock::now() - start).count() / TRIPS);
    }
  });
  asking.join();
  answering.join();
  return fastest < std::numeric_limits<double>::infinity() ? fastest : 0.0;
}
