// Targets that share one limit, fairly. The lane that owns it is the main one.
//
// Weighted fair queueing: each target has a virtual time, the CPU time it has spent by its weight. Those who want more than there is wait,
// stopped, in the order of their virtual times, and run in turn, each for a grant of CPU time out of the pool's token bucket. Who wants
// less than its share has the lowest virtual time and runs on without a signal. So what comes out is max-min fair, and nothing has to be
// planned again when demand changes.
#pragma once

#include "engine/budget.h"
#include "engine/counter.h"
#include "engine/deadline_heap.h"
#include "engine/realtime.h"

namespace hobble {

// What a deadline of a lane is about: a target, or a pool that has earned another turn.
struct Timed : HeapPlace {
  enum class Sort : uint8_t { kTarget, kPool };
  explicit Timed(Sort of) : sort(of) {}
  const Sort sort;
};

struct PoolTerms {
  Limit limit;
  int concurrency = 0;  // most of its targets that have a turn at once; 0 = no cap
};

struct TargetPool : Timed {
  static constexpr size_t kMost = 1024;
  using Queue = DeadlineHeap<Timed>;

  explicit TargetPool(size_t most_targets)
      : Timed(Sort::kPool),
        queue_memory(most_targets * sizeof(Queue::Entry)),
        queue(reinterpret_cast<Queue::Entry*>(queue_memory.base())) {}

  // The lane's.
  PoolTerms terms;
  TokenBucket budget;
  LockedMemory queue_memory;
  Queue queue;             // those that wait; the key is their virtual time
  Nanos virtual_time = 0;  // of whoever had the last turn
  Nanos settled = 0;
  double reserved = 0;  // tokens granted and not spent yet
  double weights = 0;   // of those that wait or have a turn
  int in_turn = 0;
  bool refilling = false;  // nothing is left: it waits for several turns' tokens, so that they share wake-ups

  // The scout's: targets that name it, and whether it ends with the last of them.
  size_t uses = 0;
  bool closing = false;

  // Any thread may read. `id` is 0 while the slot is free.
  Counter<uint64_t> id;
  Counter<double> rate;
  Counter<Nanos> metered, spent;
  Counter<uint64_t> turns;
  Counter<uint32_t> targets, waiting, running;  // `running`: those that have a turn
};

}  // namespace hobble
