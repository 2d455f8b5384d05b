// Objects of one type in locked memory that never moves: the timer thread meets no page fault there, and an address stays good.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#include "engine/counter.h"
#include "engine/realtime.h"

namespace hobble {

// Not thread-safe; whoever shares it brings the lock. Slots are numbered; a freed one is used again, its memory is never given back.
template <class T>
class Pool {
 public:
  explicit Pool(size_t most) : most_(most), memory_(most * sizeof(T)) {}

  // Null when the pool is full or there is no memory.
  T* allocate() {
    if (!free_.empty()) {
      T* const slot = free_.back();
      free_.pop_back();
      return new (slot) T();
    }
    const size_t number = used_.get();
    if (number == most_ || !memory_.valid()) return nullptr;
    locked_.set(memory_.prepare((number + 1) * sizeof(T)));
    T* const slot = new (at(number)) T();
    used_.set(number + 1);
    return slot;
  }

  // The caller has ended whatever the object held; its memory stays readable, because other threads may still look at its counters.
  void release(T* item) { free_.push_back(item); }

  T* at(size_t index) { return reinterpret_cast<T*>(memory_.base()) + index; }
  size_t index_of(const T* item) const { return static_cast<size_t>(item - reinterpret_cast<const T*>(memory_.base())); }
  // Any thread.
  size_t used() const { return used_.get(); }
  bool locked() const { return locked_.get(); }

 private:
  size_t most_;
  Counter<size_t> used_;
  Counter<bool> locked_{true};
  LockedMemory memory_;
  std::vector<T*> free_;
};

}  // namespace hobble
