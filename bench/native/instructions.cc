// instructions WHAT TIMES
//
// Does one thing of the engine's hot path TIMES times, so that a simulator can count its instructions: twice with different TIMES, and the
// difference is what one of them takes, whatever the host does meanwhile. The inputs are always the same.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "engine/budget.h"
#include "engine/deadline_heap.h"
#include "engine/histogram.h"
#include "engine/intrusive.h"
#include "engine/schedule.h"

namespace {

using hobble::kMicrosecond;
using hobble::kMillisecond;
using hobble::Nanos;

constexpr uint32_t kTargets = 1000;

struct Item : hobble::HeapPlace {
  Item* mailbox_next = nullptr;
};

uint64_t random_state = 1;

// xorshift64: the same sequence in every run.
uint64_t next_random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

volatile uint64_t sink;

// As a lane does it: the earliest of a thousand deadlines is served and moved one window on.
void heap(uint64_t times) {
  std::vector<hobble::DeadlineHeap<Item>::Entry> entries(kTargets);
  std::vector<Item> items(kTargets);
  hobble::DeadlineHeap<Item> queue(entries.data());
  for (Item& item : items) queue.push(static_cast<Nanos>(next_random() % (260 * kMillisecond)), &item);
  for (uint64_t i = 0; i < times; ++i) queue.move(queue.top(), queue.next_deadline() + (i % 2 == 0 ? 10 : 250) * kMillisecond);
  sink = static_cast<uint64_t>(queue.next_deadline());
}

void histogram(uint64_t times) {
  static hobble::EngineHistogram recorded;
  for (uint64_t i = 0; i < times; ++i) recorded.record(static_cast<Nanos>(next_random() % (100 * kMicrosecond)));
  sink = static_cast<uint64_t>(recorded.max());
}

// One command after another, taken at once: no other thread competes.
void mailbox(uint64_t times) {
  std::vector<Item> items(16);
  hobble::Mailbox<Item> box;
  for (uint64_t i = 0; i < times; ++i) {
    for (Item& item : items) box.push(&item);
    sink = reinterpret_cast<uintptr_t>(box.take_all());
  }
}

void schedule(uint64_t times) {
  hobble::PhasePlanner planner(16);
  const hobble::Cycle cycle{.run = 10 * kMillisecond, .stop = 250 * kMillisecond};
  std::vector<hobble::PhasePlanner::Placement> placed;
  for (uint32_t i = 0; i < kTargets; ++i) placed.push_back(planner.place(cycle, 1, 5 * kMicrosecond));
  for (uint64_t i = 0; i < times; ++i) {
    auto& placement = placed[i % kTargets];
    planner.release(placement);
    placement = planner.place(cycle, 1, 5 * kMicrosecond);
  }
  sink = static_cast<uint64_t>(planner.signals_per_second());
}

// A look at a limited target: settle, and how long until the next look.
void budget(uint64_t times) {
  hobble::Budget tokens;
  Nanos now = 0;
  tokens.begin({.rate = 0.05}, 1, kMillisecond, now);
  Nanos until = 0;
  for (uint64_t i = 0; i < times; ++i) {
    const bool runs = i % 2 == 0;
    const Nanos elapsed = kMillisecond * (runs ? 1 : 20);
    if (runs) tokens.begin_window(now);
    now += elapsed;
    if (runs) tokens.end_window(now);
    tokens.settle(elapsed, runs ? kMillisecond : 0);
    until += runs ? tokens.until_exhausted(now) % kMillisecond : tokens.until_earned(now);
  }
  sink = static_cast<uint64_t>(until);
}

struct Thing {
  const char* name;
  void (*run)(uint64_t);
};

constexpr Thing kThings[] = {{"heap", heap}, {"histogram", histogram}, {"mailbox", mailbox}, {"schedule", schedule}, {"budget", budget}};

}  // namespace

int main(int argc, char** argv) {
  for (const Thing& thing : kThings) {
    if (argc == 3 && std::strcmp(argv[1], thing.name) == 0) {
      thing.run(std::strtoull(argv[2], nullptr, 10));
      return 0;
    }
  }
  std::fprintf(stderr, "usage: instructions heap|histogram|mailbox|schedule|budget TIMES\n");
  return 2;
}
