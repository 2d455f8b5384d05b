// Pools: carries out whose turn it is (fair_share.h). Part of class Lane; everything here runs on the lane's thread, and nothing here
// allocates, blocks, opens or logs.
#include <algorithm>
#include <utility>

#include "engine/lane.h"

namespace hobble {
namespace {

constexpr Nanos kAwaitedLook = 10 * kMillisecond;

}  // namespace

void Lane::set_pool(TargetPool& pool, const PoolTerms& terms, Nanos now) {
  settle_pool(pool, now);
  // Whoever asked for no number gets the lane's: that of the hobbler, or without real-time rights one that keeps it in front of those that
  // run.
  pool.share.set(terms.limit, terms.concurrency == 0 ? cap_ : terms.concurrency);
  pool.rate.set(terms.limit.rate);
  admit_from(pool, now);
}

void Lane::settle_pool(TargetPool& pool, Nanos now) {
  if (pool.settled != 0 && pool.share.limit().rate > 0) {
    pool.share.earn(now - pool.settled);
    pool.metered.add(now - pool.settled);
  }
  pool.settled = now;
}

// `spent` since its last look.
void Lane::charge_pool(Target& target, Nanos spent, Nanos now) {
  TargetPool& pool = *target.allowance.pool;
  settle_pool(pool, now);
  pool.spent.add(spent);
  const bool unasked = !target.in_pool_turn && target.phase_state == TargetState::kRunning;
  pool.share.charge(target, spent, unasked, turn_tokens(target));
}

// CPU time of one turn. That of a cycle is its run window.
double Lane::turn_tokens(const Target& target) const {
  const FairShare& share = target.allowance.pool->share;
  if (!target.cyclic()) return share.turn_of(target, target.budget.pace());
  const auto window = static_cast<double>(target.cycle.run * stretch_.load(std::memory_order_relaxed));
  return std::min(window * target.budget.pace(), share.capacity() / 2);
}

void Lane::end_pool_turn(Target& target) {
  target.allowance.pool->share.end_turn(target);
  target.allowance.pool->tell();
}

// It is stopped, and in no heap.
void Lane::wait_for_turn(Target& target) {
  target.allowance.pool->share.wait(target, turn_tokens(target));
  target.allowance.pool->tell();
  set_state(target, TargetState::kWaiting);
}

void Lane::leave_queue(Target& target) {
  target.allowance.pool->share.leave_queue(target);
  target.allowance.pool->tell();
}

// Somebody left, and others may have waited for that. Not at once: we may be in the middle of something with one of its targets.
void Lane::ask_pool(TargetPool& pool, Nanos now) {
  if (pool.share.contested()) look_at_pool(pool, now);
}

void Lane::look_at_pool(TargetPool& pool, Nanos moment) {
  if (pool.queued()) {
    heap_.move(&pool, moment);
  } else {
    heap_.push(moment, &pool);
  }
}

// Whose turn it is runs, as long as there are tokens for it.
Nanos Lane::admit_from(TargetPool& pool, Nanos now) {
  settle_pool(pool, now);
  Nanos wait = kNever;
  while (pool.share.contested()) {
    Target& target = static_cast<Target&>(pool.share.first());
    wait = pool.share.admit_first(turn_tokens(target), !target.cyclic());
    if (wait > 0) break;
    now = run_waiting(target, now);
  }
  pool.tell();
  if (pool.share.contested() && wait != kNever) {
    look_at_pool(pool, now + std::max(kShortestWait, wait));
  } else if (pool.queued()) {
    heap_.remove(&pool);  // somebody's stop, or somebody who comes, will ask again
  }
  return now;
}

// A running target without a cycle was looked at: may it go on?
bool Lane::goes_on_in_pool(Target& target, Nanos spent, Nanos elapsed, Nanos now) {
  TargetPool& pool = *target.allowance.pool;
  const bool much = std::exchange(target.counts_for_cap, false) || spent > std::max(kHardlySpent, elapsed / 100);
  const FairShare::Work work = much ? FairShare::Work::kMuch : spent > kHardlySpent ? FairShare::Work::kLittle : FairShare::Work::kNone;
  const bool had_turn = target.in_pool_turn;
  const bool had_slot = target.has_slot;
  // Its clock may be a tick old: for the rest it has certainly spent nothing.
  const Nanos idle = now - target.busy_at - tick_;
  const bool goes_on = pool.share.goes_on(target, turn_tokens(target), target.budget.unseen(now), idle, work);
  pool.tell();
  if ((had_slot && !target.has_slot) || (had_turn && !target.in_pool_turn)) admit_from(pool, now);
  return goes_on;
}

// When a running target that belongs to a pool is looked at again.
Nanos Lane::next_pool_look(const Target& target, Nanos now) const {
  const double tokens = target.in_pool_turn ? target.grant - target.budget.unseen(now) : turn_tokens(target);
  const auto until_spent = static_cast<Nanos>(std::max(tokens, 0.0) / std::max(target.budget.pace(), 1.0));
  // Others wait for it to spend its turn, or to have nothing to do.
  const bool awaited = target.has_slot && target.allowance.pool->share.contested();
  return awaited ? std::min(until_spent, kAwaitedLook) : until_spent;
}

}  // namespace hobble
