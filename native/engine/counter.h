// A number that one thread writes and any thread may read at any time.
#pragma once

#include <atomic>

namespace hobble {

// Relaxed loads and stores: a counter orders nothing. Only the owning thread may call `add` and `set`: it is not a read-modify-write, which
// would cost a locked instruction on the timer thread.
template <class T>
class Counter {
 public:
  constexpr Counter() = default;
  constexpr explicit Counter(T value) : value_(value) {}

  void add(T amount) { value_.store(static_cast<T>(value_.load(std::memory_order_relaxed) + amount), std::memory_order_relaxed); }
  void set(T value) { value_.store(value, std::memory_order_relaxed); }
  T get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<T> value_{};
};

}  // namespace hobble
