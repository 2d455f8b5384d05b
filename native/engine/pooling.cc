// Pools that come and go. Part of class Scout; everything here runs on the scout's thread, but for what says otherwise.
#include <algorithm>

#include "engine/scout.h"

namespace hobble {
namespace {

// An id is a slot's number and a count that tells its tenants apart.
constexpr unsigned kSlotBits = 10;
constexpr uint64_t kSlotMask = (1ULL << kSlotBits) - 1;
static_assert(TargetPool::kMost == kSlotMask + 1);

}  // namespace

// Any thread. A slot that is used again gets a fresh pool, so that its counters begin at 0: whoever still has the old id does not find it.
TargetPool* Scout::reserve_pool() {
  const std::lock_guard lock(requests_mutex_);
  size_t slot = pools_.size();
  if (!free_pools_.empty()) {
    slot = free_pools_.back();
    free_pools_.pop_back();
  } else if (slot == TargetPool::kMost) {
    return nullptr;
  } else {
    pools_.emplace_back();
  }
  pools_[slot] = std::make_unique<TargetPool>(kMostTargets);
  pools_[slot]->id.set((++pool_generation_ << kSlotBits) | slot);
  return pools_[slot].get();
}

// JavaScript's thread, which alone reserves and asks.
TargetPool* Scout::find_pool(uint64_t id) {
  const std::lock_guard lock(requests_mutex_);
  const size_t slot = id & kSlotMask;
  if (slot >= pools_.size() || !pools_[slot] || pools_[slot]->id.get() != id) return nullptr;
  return pools_[slot].get();
}

void Scout::set_pool(const Request& request) {
  if (closing_.load()) return;
  TargetPool& pool = *request.pool;
  if (request.kind == Request::Kind::kEndPool) {
    pool.closing = true;
    end_pool_if_unused(pool);
    return;
  }
  auto* const command = new Command{.kind = Command::Kind::kSetPool, .pool = &pool, .pool_terms = request.pool_terms};
  pool.queue_memory.prepare(sizeof(TargetPool::Entry));
  lanes_[kMain]->prepare_for(records_.size() + TargetPool::kMost + 1);
  lanes_[kMain]->post(command);
}

void Scout::use_pool(TargetPool* pool) {
  if (pool == nullptr) return;
  ++pool->uses;
  pool->queue_memory.prepare((pool->uses + 1) * sizeof(TargetPool::Entry));
}

void Scout::leave_pool(TargetPool* pool) {
  if (pool == nullptr) return;
  --pool->uses;
  end_pool_if_unused(*pool);
}

// The lane forgets its deadline first.
void Scout::end_pool_if_unused(TargetPool& pool) {
  if (!pool.closing || pool.uses > 0 || closing_.load()) return;
  lanes_[kMain]->post(new Command{.kind = Command::Kind::kEndPool, .pool = &pool});
}

void Scout::free_pool(TargetPool& pool) {
  const std::lock_guard lock(requests_mutex_);
  const size_t slot = pool.id.get() & kSlotMask;
  pools_[slot].reset();
  free_pools_.push_back(slot);
}

}  // namespace hobble
