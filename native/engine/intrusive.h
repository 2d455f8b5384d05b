// Containers whose links live in what they hold: nothing is allocated when something moves between threads or lists.
#pragma once

#include <atomic>
#include <cstdint>

namespace hobble {

template <class T>
struct ListLink {
  T* previous = nullptr;
  T* next = nullptr;
};

// A doubly linked list through the member `Link`. One thread's own.
template <class T, ListLink<T> T::*Link>
class List {
 public:
  bool empty() const { return first_ == nullptr; }
  uint32_t size() const { return size_; }
  T* first() const { return first_; }
  T* last() const { return last_; }
  static T* next(const T* item) { return (item->*Link).next; }
  static T* previous(const T* item) { return (item->*Link).previous; }

  void append(T* item) { insert_after(last_, item); }

  // Null: at the front.
  void insert_after(T* place, T* item) {
    T* const follower = place != nullptr ? (place->*Link).next : first_;
    item->*Link = {.previous = place, .next = follower};
    (place != nullptr ? (place->*Link).next : first_) = item;
    (follower != nullptr ? (follower->*Link).previous : last_) = item;
    ++size_;
  }

  void remove(T* item) {
    ListLink<T>& link = item->*Link;
    (link.previous != nullptr ? (link.previous->*Link).next : first_) = link.next;
    (link.next != nullptr ? (link.next->*Link).previous : last_) = link.previous;
    link = {};
    --size_;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
  uint32_t size_ = 0;
};

// Any thread pushes, one thread takes everything: lock-free, wait-free for the taker.
template <class T>
class Mailbox {
 public:
  // True if it was empty: the receiver wants to be woken.
  bool push(T* item) {
    T* head = head_.load(std::memory_order_relaxed);
    do item->mailbox_next = head;
    while (!head_.compare_exchange_weak(head, item, std::memory_order_release, std::memory_order_relaxed));
    return head == nullptr;
  }

  bool empty() const { return head_.load(std::memory_order_relaxed) == nullptr; }

  // In the order of pushing, linked by mailbox_next.
  T* take_all() {
    T* item = head_.exchange(nullptr, std::memory_order_acquire);
    T* in_order = nullptr;
    while (item != nullptr) {
      T* const next = item->mailbox_next;
      item->mailbox_next = in_order;
      in_order = item;
      item = next;
    }
    return in_order;
  }

 private:
  std::atomic<T*> head_{nullptr};
};

}  // namespace hobble
