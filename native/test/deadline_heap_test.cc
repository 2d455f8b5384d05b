#include "engine/deadline_heap.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

using hobble::HeapPlace;
using hobble::Nanos;

namespace {
struct Item : HeapPlace {};
using Heap = hobble::DeadlineHeap<Item>;
}  // namespace

TEST_CASE("heap: empty, nothing is ever due") {
  Heap heap;
  CHECK(heap.empty());
  CHECK(heap.next_deadline() == hobble::kNever);
}

TEST_CASE("heap: equal deadlines come in a fixed order, by address") {
  std::vector<Heap::Entry> room(8);
  std::vector<Item> items(8);
  Heap heap(room.data());
  for (const size_t i : {5, 2, 7, 0, 1, 6, 3, 4}) heap.push(100, &items[i]);
  for (Item& item : items) {
    REQUIRE(heap.top() == &item);
    heap.remove(&item);
    CHECK_FALSE(item.queued());
  }
}

TEST_CASE("heap: any mix of push, move and remove leaves the earliest on top") {
  std::mt19937 random(20);  // NOLINT(bugprone-random-generator-seed): the same sequence every time
  std::vector<Heap::Entry> room(300);
  std::vector<Item> items(300);
  std::vector<Nanos> deadlines(300, -1);
  Heap heap(room.data());
  for (int step = 0; step < 30'000; ++step) {
    const size_t i = random() % items.size();
    const auto deadline = static_cast<Nanos>(random() % 1000);
    if (!items[i].queued()) {
      heap.push(deadline, &items[i]);
      deadlines[i] = deadline;
    } else if (random() % 3 == 0) {
      heap.remove(&items[i]);
      deadlines[i] = -1;
    } else {
      heap.move(&items[i], deadline);
      deadlines[i] = deadline;
    }
    Nanos earliest = hobble::kNever;
    for (const Nanos at : deadlines) {
      if (at >= 0) earliest = std::min(earliest, at);
    }
    REQUIRE(heap.next_deadline() == earliest);
  }
}
