// Targets that share one limit. The lane that owns it is the main one.
#pragma once

#include "engine/counter.h"
#include "engine/fair_share.h"
#include "engine/realtime.h"

namespace hobble {

struct PoolTerms {
  Limit limit;
  int concurrency = 0;  // most of its targets that have a turn at once; 0 = none was set
};

struct TargetPool : Timed {
  static constexpr size_t kMost = 1024;
  using Entry = FairShare::Queue::Entry;

  explicit TargetPool(size_t most_targets)
      : Timed(Sort::kPool), queue_memory(most_targets * sizeof(Entry)), share(reinterpret_cast<Entry*>(queue_memory.base())) {}

  // The lane's.
  LockedMemory queue_memory;
  FairShare share;
  Nanos settled = 0;

  // The scout's: targets that name it, and whether it ends with the last of them.
  size_t uses = 0;
  bool closing = false;

  // Any thread may read. `id` is 0 while the slot is free.
  Counter<uint64_t> id;
  Counter<double> rate;
  Counter<Nanos> metered, spent;
  Counter<uint64_t> turns;
  Counter<uint32_t> targets, waiting, running;  // `running`: those that have a turn

  // What changed in `share`, for those who read.
  void tell() {
    turns.set(share.turns());
    waiting.set(share.waiting());
    running.set(static_cast<uint32_t>(share.in_turn()));
  }
};

}  // namespace hobble
