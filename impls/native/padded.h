// Padded rows of different lengths, in any order, as the packed rows that a layer takes, and back.

#pragma once

#include <numeric>
#include <vector>

#include "layout.h"

namespace lstm {

// The rows of a batch by length, the longest first.
class Order {
 public:
  Order(const Sizes& of, const int32_t* lengths) : order_(of.batch), rows_(of.steps) {
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [=](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
    for (const int64_t row : order_)
      for (int64_t t = 0; t < lengths[row]; ++t) ++rows_[t];
    const int64_t steps = lengths[order_[0]];
    rows_.resize(steps);
    first_.resize(steps + 1);
    std::partial_sum(rows_.begin(), rows_.end(), first_.begin() + 1);
  }

  int64_t steps() const { return rows_.size(); }          // as many as the longest row has
  int64_t rows(int64_t t) const { return t < steps() ? rows_[t] : 0; }
  const int64_t* rows() const { return rows_.data(); }
  int64_t first(int64_t t) const { return first_[t]; }    // where the rows of a step are, of all packed ones
  int64_t all() const { return first_.back(); }
  int64_t operator[](int64_t k) const { return order_[k]; }  // the row of the batch that comes k-th

 private:
  std::vector<int64_t> order_, rows_, first_;
};

// Copies of a call's arrays, which threads make together: packed ones before it, padded ones after it.
template <typename S> class Copies {
 public:
  // `size`: of all copies.
  Copies(const Sizes& of, const Order& order, int64_t size)
      : of_(of), order_(order), next_(scratch<S, PACKED>(size)) {}

  // A copy of an array (T, B, width), packed; or of one (D, B, width), in order. Null of null.
  const S* packed(const S* from, int64_t width) { return add(before_, from, order_.all(), width, true); }
  const S* sorted(const S* from, int64_t width) { return add(before_, from, states(), width, false); }

  // An array whose copy is such a one, after the call.
  S* to_pad(S* to, int64_t width) { return add(after_, to, order_.all(), width, true); }
  S* to_unsort(S* to, int64_t width) { return add(after_, to, states(), width, false); }

  void before(int p, int n) const {
    for (const Job& job : before_) job.of_steps ? pack(job, p, n) : sort<true>(job, p, n);
  }
  void after(int p, int n) const {
    for (const Job& job : after_) job.of_steps ? pad(job, p, n) : sort<false>(job, p, n);
  }

 private:
  struct Job {
    S *given, *copy;
    int64_t width;
    bool of_steps;
  };

  int64_t states() const { return of_.directions * of_.batch; }

  S* add(std::vector<Job>& jobs, const S* given, int64_t rows, int64_t width, bool of_steps) {
    if (!given) return nullptr;
    jobs.push_back({const_cast<S*>(given), next_, width, of_steps});
    next_ += rows * width;
    return jobs.back().copy;
  }

  void pack(const Job& job, int p, int n) const {
    const Range steps = share(order_.steps(), 1, p, n);
    for (int64_t t = steps.first; t < steps.last; ++t)
      for (int64_t k = 0; k < order_.rows(t); ++k)
        std::copy_n(job.given + (t * of_.batch + order_[k]) * job.width, job.width,
                    job.copy + (order_.first(t) + k) * job.width);
  }

  // With 0 beyond the lengths.
  void pad(const Job& job, int p, int n) const {
    const Range steps = share(of_.steps, 1, p, n);
    for (int64_t t = steps.first; t < steps.last; ++t)
      for (int64_t k = 0; k < of_.batch; ++k) {
        S* const row = job.given + (t * of_.batch + order_[k]) * job.width;
        if (k < order_.rows(t))
          std::copy_n(job.copy + (order_.first(t) + k) * job.width, job.width, row);
        else
          std::fill_n(row, job.width, S{});
      }
  }

  template <bool forth> void sort(const Job& job, int p, int n) const {
    const Range rows = share(states(), 1, p, n);
    for (int64_t row = rows.first; row < rows.last; ++row) {
      const int64_t first = row - row % of_.batch;  // of the direction
      S* const given = job.given + (first + order_[row % of_.batch]) * job.width;
      S* const copy = job.copy + row * job.width;
      std::copy_n(forth ? given : copy, job.width, forth ? copy : given);
    }
  }

  const Sizes& of_;
  const Order& order_;
  S* next_;
  std::vector<Job> before_, after_;
};

}  // namespace lstm
