// The earliest deadline first: a 4-ary heap over memory that never moves. Pure: no system call, no clock.
// Four children a node: half the levels of a binary heap, and the four lie in one cache line (measured at 10,000 entries: 1.4 x faster).
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/clock.h"

namespace hobble {

// What the heap holds knows its own place, so that it can be moved or taken out without a search.
struct HeapPlace {
  static constexpr uint32_t kNone = UINT32_MAX;
  uint32_t heap_index = kNone;
  bool queued() const { return heap_index != kNone; }
};

// T derives from HeapPlace. Deadlines that are equal go by address: the same order in every cycle, so that a member's place in a burst,
// and with it its lateness, is the same at both ends of a window and cancels out of the window's length.
template <class T>
class DeadlineHeap {
 public:
  struct Entry {
    Nanos deadline;
    T* item;
    bool operator<(const Entry& other) const { return deadline != other.deadline ? deadline < other.deadline : item < other.item; }
  };

  // `entries` must have room for everything that is ever pushed; the heap does not own it.
  explicit DeadlineHeap(Entry* entries = nullptr) : entries_(entries) {}

  bool empty() const { return size_ == 0; }
  uint32_t size() const { return size_; }
  Nanos next_deadline() const { return size_ == 0 ? kNever : entries_[0].deadline; }
  T* top() const { return entries_[0].item; }

  void push(Nanos deadline, T* item) {
    ++size_;
    sift_up(size_ - 1, {deadline, item});
  }

  void remove(T* item) {
    const uint32_t index = item->heap_index;
    item->heap_index = HeapPlace::kNone;
    const Entry last = entries_[--size_];
    if (index != size_) place(index, last);
  }

  // Cheaper than remove and push: for the top the way is mostly down.
  void move(T* item, Nanos deadline) { place(item->heap_index, {deadline, item}); }

 private:
  static constexpr uint32_t kArity = 4;

  void put(uint32_t index, const Entry& entry) {
    entries_[index] = entry;
    entry.item->heap_index = index;
  }

  void place(uint32_t index, const Entry& entry) {
    if (index > 0 && entry < entries_[(index - 1) / kArity]) {
      sift_up(index, entry);
    } else {
      sift_down(index, entry);
    }
  }

  void sift_up(uint32_t index, const Entry& entry) {
    while (index > 0) {
      const uint32_t parent = (index - 1) / kArity;
      if (!(entry < entries_[parent])) break;
      put(index, entries_[parent]);
      index = parent;
    }
    put(index, entry);
  }

  void sift_down(uint32_t index, const Entry& entry) {
    for (;;) {
      const uint32_t first = index * kArity + 1;
      if (first >= size_) break;
      uint32_t least = first;
      const uint32_t end = first + kArity < size_ ? first + kArity : size_;
      for (uint32_t child = first + 1; child < end; ++child) {
        if (entries_[child] < entries_[least]) least = child;
      }
      if (!(entries_[least] < entry)) break;
      put(index, entries_[least]);
      index = least;
    }
    put(index, entry);
  }

  Entry* entries_;
  uint32_t size_ = 0;
};

}  // namespace hobble
