// Threads that do one thing together: how they wait for each other, what each has of it, and their memory.

#pragma once

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace lstm {

// Tell the processor that this thread only waits for another one.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}
// Where n threads wait for each other. The others are microseconds away, so a thread spins, and yields only after long.
class Meeting {
 public:
  // Throws bad_alloc where another thread ended it, since it found no memory.
  void wait(int n) {
    if (n == 1) return;
    const int64_t all = (arrived_.fetch_add(1, std::memory_order_acq_rel) / n + 1) * n;
    for (int64_t spins = 0; arrived_.load(std::memory_order_acquire) < all; ++spins) {
      if (ended_.load(std::memory_order_relaxed)) throw std::bad_alloc();
      if (spins < 1024)
        relax();
      else
        sched_yield();
    }
  }

  void end() { ended_.store(true, std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<int64_t> arrived_{0};
  std::atomic<bool> ended_{false};
};

// The parts of a thread's memory. Of several threads, the calling one has what is shared.
enum Part {
  INPUTS,
  RECURRENT,
  PROJECTION,
  GATES,
  CELLS,
  X,
  H,
  SIDES,
  LEFT,
  SUMS,
  FIRST,
  SHARED_GATES,
  SHARED_H,
  BEFORE,
  PACKED
};

// Memory that a thread keeps between its calls. It starts at a cache line's boundary.
template <typename T, Part part> T* scratch(int64_t size) {
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  constexpr int64_t LINE = 64;
  thread_local std::unique_ptr<void, Free> memory;
  thread_local int64_t held = 0;
  const int64_t bytes = (size * static_cast<int64_t>(sizeof(T)) / LINE + 1) * LINE;
  if (held < bytes) {
    held = 0;
    memory.reset();  // before there are two
    memory.reset(std::aligned_alloc(LINE, bytes));
    if (!memory) throw std::bad_alloc();
    held = bytes;
  }
  return static_cast<T*>(memory.get());
}

inline int64_t up(int64_t size, int64_t part) { return (size + part - 1) / part * part; }

struct Range {
  int64_t first, last;
  int64_t size() const { return last - first; }
};

// What thread p of n has of `size` things, in whole parts.
inline Range share(int64_t size, int64_t part, int p, int n) {
  const int64_t parts = (size + part - 1) / part;
  return {std::min(size, parts * p / n * part), std::min(size, parts * (p + 1) / n * part)};
}
}  // namespace lstm
