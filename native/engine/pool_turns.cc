// Pools: who of the targets that share a limit has a turn. Part of class Lane; everything here runs on the lane's thread, and nothing here
// allocates, blocks, opens or logs.
#include <algorithm>
#include <utility>

#include "engine/lane.h"

namespace hobble {
namespace {

// Each of those that want to run has a turn this often, if turns do not become shorter than this share of the pool's limit for that.
constexpr double kRound = 500.0 * kMillisecond;
constexpr double kShortestTurn = 5.0 * kMillisecond;
// A pool that has nothing left waits until it can give so many turns, which then share their wake-ups.
constexpr double kTurnsTogether = 4;
// Who was idle has this many turns' worth of credit over those that waited, and no more.
constexpr double kCreditTurns = 2;
// A target with a turn that spends nothing for so long lets another have one too: more than a tick, as its clock may be that old. It keeps
// its grant for a while, because one that waits for a CPU looks idle as well.
constexpr Nanos kIdleTurn = 10 * kMillisecond;
constexpr Nanos kIdleGrant = 200 * kMillisecond;

double weight_of(const Target& target) { return target.allowance.weight; }

Nanos virtual_cost(const Target& target, double cpu) { return static_cast<Nanos>(cpu / weight_of(target)); }

}  // namespace

void Lane::set_pool(TargetPool& pool, const PoolTerms& terms, Nanos now) {
  settle_pool(pool, now);
  const bool fresh = pool.terms.limit.rate == 0;
  pool.terms = terms;
  // Whoever asked for no number gets the lane's: without real-time rights it must stay in front of those that run.
  if (pool.terms.concurrency == 0 && cap_spares_idle_) pool.terms.concurrency = cap_;
  pool.rate.set(terms.limit.rate);
  if (fresh) {
    pool.budget.begin(terms.limit);
  } else {
    pool.budget.change(terms.limit);
  }
  admit_from(pool, now);
}

void Lane::settle_pool(TargetPool& pool, Nanos now) {
  if (pool.settled != 0 && pool.terms.limit.rate > 0) {
    pool.budget.earn(now - pool.settled);
    pool.metered.add(now - pool.settled);
  }
  pool.settled = now;
}

// `spent` since its last look, out of the pool's tokens and its own grant.
void Lane::charge_pool(Target& target, Nanos spent, Nanos now) {
  TargetPool& pool = *target.allowance.pool;
  settle_pool(pool, now);
  pool.budget.spend(spent);
  pool.spent.add(spent);
  if (!target.in_pool_turn && target.phase_state == TargetState::kRunning) {
    // A credit for who was idle, so that it need not wait a whole round; but no more, or it could keep the others waiting.
    const Nanos credit = virtual_cost(target, kCreditTurns * turn_tokens(target));
    target.virtual_time = std::max(target.virtual_time, pool.virtual_time - credit);
  }
  target.virtual_time += virtual_cost(target, static_cast<double>(spent));
  const double used = std::min(target.grant, static_cast<double>(spent));
  target.grant -= used;
  pool.reserved -= used;
}

// CPU time of one turn, by its weight.
double Lane::turn_tokens(const Target& target) const {
  const TargetPool& pool = *target.allowance.pool;
  if (target.cyclic()) {
    const auto window = static_cast<double>(target.cycle.run * stretch_.load(std::memory_order_relaxed));
    return std::min(window * target.budget.pace(), pool.budget.capacity() / 2);
  }
  const double rivals = std::max(1.0, static_cast<double>(pool.queue.size()) + pool.in_turn);
  const double mean_weight = std::max(pool.weights, weight_of(target)) / rivals;
  const double longest = static_cast<double>(pool.terms.limit.burst) / 4;
  const double mean = pool.terms.limit.rate * std::min(std::max(kRound / rivals, kShortestTurn), longest);
  const double least = static_cast<double>(pool.terms.limit.min_run) * std::max(target.budget.pace(), 1.0);
  return std::clamp(mean * weight_of(target) / mean_weight, least, std::max(least, pool.budget.capacity() / 2));
}

bool Lane::take_slot(Target& target) {
  TargetPool& pool = *target.allowance.pool;
  if (target.has_slot) return true;
  if (pool.terms.concurrency > 0 && pool.in_turn >= pool.terms.concurrency) return false;
  target.has_slot = true;
  pool.running.set(static_cast<uint32_t>(++pool.in_turn));
  return true;
}

void Lane::give_slot_back(Target& target) {
  TargetPool& pool = *target.allowance.pool;
  if (!std::exchange(target.has_slot, false)) return;
  pool.running.set(static_cast<uint32_t>(--pool.in_turn));
}

bool Lane::give_grant(Target& target) {
  TargetPool& pool = *target.allowance.pool;
  const double wanted = turn_tokens(target) - target.grant;
  if (pool.budget.tokens() - pool.reserved < wanted || !take_slot(target)) return false;
  target.grant += wanted;
  pool.reserved += wanted;
  pool.virtual_time = std::max(pool.virtual_time, target.virtual_time);
  pool.turns.add(1);
  if (!target.in_pool_turn) {
    target.in_pool_turn = true;
    pool.weights += weight_of(target);
  }
  return true;
}

void Lane::take_grant_back(Target& target) {
  if (!target.in_pool_turn) return;
  TargetPool& pool = *target.allowance.pool;
  target.in_pool_turn = false;
  pool.reserved -= target.grant;
  target.grant = 0;
  pool.weights -= weight_of(target);
  give_slot_back(target);
}

// It is stopped, and in no heap.
void Lane::wait_for_turn(Target& target) {
  TargetPool& pool = *target.allowance.pool;
  pool.queue.push(target.virtual_time, &target);
  pool.weights += weight_of(target);
  pool.waiting.set(pool.queue.size());
  set_state(target, TargetState::kWaiting);
}

void Lane::leave_queue(Target& target) {
  TargetPool& pool = *target.allowance.pool;
  pool.queue.remove(&target);
  pool.weights -= weight_of(target);
  pool.waiting.set(pool.queue.size());
}

// Somebody left, and others may have waited for that. Not at once: we may be in the middle of something with one of its targets.
void Lane::ask_pool(TargetPool& pool, Nanos now) {
  if (pool.queue.empty()) return;
  if (pool.queued()) {
    heap_.move(&pool, now);
  } else {
    heap_.push(now, &pool);
  }
}

// Whose turn it is runs, as long as there are tokens for it.
Nanos Lane::admit_from(TargetPool& pool, Nanos now) {
  settle_pool(pool, now);
  while (!pool.queue.empty()) {
    if (pool.terms.concurrency > 0 && pool.in_turn >= pool.terms.concurrency) break;
    Target& target = static_cast<Target&>(*pool.queue.top());
    const double turn = turn_tokens(target);
    const double wanted = pool.refilling ? std::max(turn, std::min(kTurnsTogether * turn, pool.budget.capacity() / 2)) : turn;
    const double missing = wanted + pool.reserved - pool.budget.tokens();
    if (missing > 0) {
      if (!pool.refilling) {
        pool.refilling = true;
        continue;
      }
      const Nanos moment = now + std::max(kShortestWait, static_cast<Nanos>(missing / pool.terms.limit.rate));
      if (pool.queued()) {
        heap_.move(&pool, moment);
      } else {
        heap_.push(moment, &pool);
      }
      return now;
    }
    pool.refilling = false;
    leave_queue(target);
    give_grant(target);
    now = run_waiting(target, now);
  }
  // Somebody's stop, or somebody who comes, will ask again.
  if (pool.queued()) heap_.remove(&pool);
  return now;
}

// A running target without a cycle was looked at: may it go on? Sets its next deadline if so.
bool Lane::goes_on_in_pool(Target& target, Nanos spent, Nanos elapsed, Nanos now) {
  TargetPool& pool = *target.allowance.pool;
  const bool busy = std::exchange(target.counts_for_cap, false) || spent > std::max(kHardlySpent, elapsed / 100);
  if (target.in_pool_turn) {
    const Nanos idle = now - target.busy_at;
    if (idle >= kIdleTurn) {
      if (idle >= kIdleGrant) take_grant_back(target);
      give_slot_back(target);
      admit_from(pool, now);
      return true;
    }
    if (!take_slot(target)) return false;
    if (target.grant - target.budget.unseen(now) > turn_tokens(target) / 16) return true;
    const bool first = pool.queue.empty() || target.virtual_time <= static_cast<Target&>(*pool.queue.top()).virtual_time;
    return first && give_grant(target);
  }
  if (!busy) return true;
  const bool contested = !pool.queue.empty() || pool.in_turn > 0;
  // Below its share, though others want more than theirs.
  if (contested && target.virtual_time <= pool.virtual_time && pool.budget.tokens() > 0) return true;
  return pool.queue.empty() && give_grant(target);
}

// When a running target that belongs to a pool is looked at again.
Nanos Lane::next_pool_look(const Target& target, Nanos now) const {
  const double tokens = target.in_pool_turn ? target.grant - target.budget.unseen(now) : turn_tokens(target);
  return static_cast<Nanos>(std::max(tokens, 0.0) / std::max(target.budget.pace(), 1.0));
}

}  // namespace hobble
