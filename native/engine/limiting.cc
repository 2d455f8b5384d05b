// Limits: a target without a cycle is looked at when it could first overspend, stopped when it has, and resumed when it has earned a run
// window. Part of class Lane; everything here runs on the lane's thread, and nothing here allocates, blocks, opens or logs.
#include <algorithm>
#include <utility>

#include "engine/lane.h"

namespace hobble {
namespace {

// Between two looks, at least; and this many times what a look takes (0.8 us a member), so that looking stays cheap.
constexpr Nanos kNearestLook = 250 * kMicrosecond;
constexpr Nanos kLookCost = 800;
constexpr Nanos kLookShare = 20;
// And at most: after an eighth of the time for which nothing was spent, beyond the first moments, in which a busy process that waits for a
// CPU looks idle too.
constexpr Nanos kFarthestLook = 1 * kSecond;
constexpr Nanos kIdleShare = 8;
constexpr Nanos kNotYetIdle = 20 * kMillisecond;
constexpr Nanos kBusyLook = 100 * kMillisecond;
// One that has a turn under the cap and spends nothing for so long gives it back to those that wait. Not sooner: who waits for a CPU looks
// idle as well.
constexpr Nanos kIdleTurn = 200 * kMillisecond;
constexpr Nanos kAwaitedLook = 50 * kMillisecond;
// Looks that far away are put on a grid, on which about so many share a wake-up.
constexpr Nanos kLongLook = 100 * kMillisecond;
constexpr Nanos kLooksTogether = 100;
constexpr Nanos kFinestLookGrid = 5 * kMillisecond;
constexpr Nanos kCoarsestLookGrid = 250 * kMillisecond;

// What has no limit of its own has that of its pool only.
Limit own_limit(const Allowance& allowance) { return allowance.limit.rate > 0 ? allowance.limit : Limit{.rate = kMostRate}; }

}  // namespace

// From now on its members' CPU clocks count.
void Lane::begin_metering(Target& target, Nanos now) {
  for (Member* member = target.members.first(); member != nullptr; member = decltype(target.members)::next(member)) {
    member->cpu_seen = std::max(member->cpu_seen, member->cpu());
  }
  target.budget.begin(own_limit(target.allowance), cpus_, tick_, now);
  target.metering = true;
  target.metering_periods.add(1);
  ++metering_;
  target.missed_seen = target.missed.get();
  target.spent_by_gone = 0;
  target.settled = now;
  target.busy_at = now;
  TargetPool* const pool = target.allowance.pool;
  if (pool == nullptr) return;
  pool->share.join(target, target.allowance.weight);
  pool->targets.add(1);
}

void Lane::end_metering(Target& target) {
  // Its pool pays for what it has spent until now, and so does it if it goes on under other terms.
  const Nanos now = monotonic_now();
  settle(target, now);
  target.metering = false;
  --metering_;
  TargetPool* const pool = target.allowance.pool;
  if (pool == nullptr) return;
  end_pool_turn(target);
  pool->targets.set(pool->targets.get() - 1);
  ask_pool(*pool, now);
}

// It runs until it has spent too much.
void Lane::begin_limit(Target& target, Nanos now) {
  begin_metering(target, now);
  target.continued = now;
  set_state(target, TargetState::kRunning);
  // Who was seen to run when it was added, and joins a pool in which others wait, waits too.
  const bool contested = target.allowance.pool != nullptr && target.allowance.pool->share.contested() && target.counts_for_cap;
  heap_.push(contested ? now : next_look(target, now), &target);
  if (target.members.empty()) {
    end_if_alone(target);
  } else {
    note_ready(target);
  }
}

// What it owes it still owes, and if it waits for a turn of its pool it still waits.
void Lane::change_limit(Target& target, const Allowance& allowance, Nanos now) {
  settle(target, now);
  if (allowance.pool != nullptr) allowance.pool->share.reweigh(target, allowance.weight);
  target.allowance = allowance;
  target.budget.change(own_limit(allowance));
  if (target.phase_state == TargetState::kStopped) {
    const Nanos moment = now + std::max(kShortestWait, target.budget.until_earned(now));
    renew_leases(target, moment);
    heap_.move(&target, moment);
  } else if (target.phase_state == TargetState::kRunning && target.levels_stopped == 0) {
    heap_.move(&target, next_look(target, now));
  }
}

// Takes what its members spent since the last time out of its budget and its pool's.
Nanos Lane::settle(Target& target, Nanos now) {
  const Nanos missed = target.missed.get();
  Nanos spent = std::exchange(target.spent_by_gone, 0) + missed - std::exchange(target.missed_seen, missed);
  for (Member* member = target.members.first(); member != nullptr; member = decltype(target.members)::next(member)) {
    const Nanos clock = member->cpu();
    if (clock <= member->cpu_seen) continue;
    spent += clock - member->cpu_seen;
    member->cpu_seen = clock;
  }
  const Nanos elapsed = now - target.settled;
  target.settled = now;
  target.budget.settle(elapsed, spent);
  if (target.allowance.pool != nullptr) charge_pool(target, spent, now);
  if (spent > kHardlySpent) target.busy_at = now;
  target.metered.add(elapsed);
  target.spent.add(spent);
  counters_.metered.add(elapsed);
  counters_.spent.add(spent);
  return spent;
}

// The clock of a process that has exited can be read until its parent has collected it.
void Lane::count_gone(Member& member) const {
  Target& target = *member.target;
  if (!target.allowance.meters()) return;
  const Nanos clock = std::max(member.cpu_seen, member.cpu());
  if (target.metering) target.spent_by_gone += clock - member.cpu_seen;
  member.gone_counted = clock - member.cpu_base;
  target.gone_cpu.add(member.gone_counted);
}

Nanos Lane::serve_limited(Target& target, Nanos now) {
  const Nanos elapsed = now - target.settled;
  const Nanos spent = settle(target, now);
  if (target.phase_state == TargetState::kStopped && target.look_at > 0 && !target.budget.earned()) {
    const Nanos end = now + std::max(kShortestWait, target.budget.until_earned(now));
    watch(target, now, end);
    if (!target.queued()) return monotonic_now();  // its last member went
    heap_.move(&target, next_in_stop(target, end));
    if (end > target.resume_by.get()) renew_leases(target, end);
    return monotonic_now();
  }
  return target.phase_state == TargetState::kRunning ? look_at_spending(target, spent, elapsed, now) : run_if_earned(target, now);
}

Nanos Lane::look_at_spending(Target& target, Nanos spent, Nanos elapsed, Nanos now) {
  if (target.owes_continue && target.levels_stopped == 0) {
    continue_members(target, false);
    if (target.members.empty()) {
      end_if_alone(target);  // may end the target
      if (!target.queued()) return monotonic_now();
    }
  }
  // Others are stopped until it gives its turn back, and one that has nothing to do would never be stopped for that.
  if (target.has_turn && now - target.busy_at - tick_ >= kIdleTurn) {
    give_turn_back(target);
    turn_free_ = true;
  }
  const bool exhausted = target.budget.exhausted(now);
  if (target.levels_stopped == 0) {
    if (!exhausted && (target.allowance.pool == nullptr || goes_on_in_pool(target, spent, elapsed, now))) {
      heap_.move(&target, next_look(target, now));
      return now;
    }
    target.resume_by.set(now + (exhausted ? target.budget.until_earned(now) : kWaitingPatience));
  }
  Nanos after = now;
  const bool all = stop_next_level(target, now, exhausted ? target.budget.until_earned(now) / 4 : kWaitingPatience, after);
  return all ? finish_limited_stop(target, now, after) : after;
}

// Every member has been sent SIGSTOP, the last of them at `now`.
Nanos Lane::finish_limited_stop(Target& target, Nanos now, Nanos after) {
  target.ran.add(now - target.continued);
  const bool exhausted = target.budget.exhausted(now);
  target.budget.end_window(now);
  target.halted = now;
  target.stopped_since.set(now);
  TargetPool* const pool = target.allowance.pool;
  if (pool != nullptr) end_pool_turn(target);
  if (pool != nullptr && !exhausted) {
    heap_.remove(&target);
    note_still(target);
    wait_for_turn(target);
  } else {
    const Nanos end = now + std::max(kShortestWait, target.budget.until_earned(now));
    set_state(target, TargetState::kStopped);
    begin_watch(target, after, end);
    heap_.move(&target, next_in_stop(target, end));
  }
  note_stops(target);
  if (target.kind.get() != TargetKind::kProcess && !target.frozen_whole.get()) ask_for_reading(target, now);
  const bool had_turn = target.has_turn;
  give_turn_back(target);
  if (target.members.empty()) end_if_alone(target);  // may end the target: nothing may be done with it after this
  if (pool != nullptr) return admit_from(*pool, after);
  return had_turn ? admit_waiting(after) : after;
}

// Who is stopped now and then must be looked at for stops of others; who never is, need not.
void Lane::note_stops(Target& target) {
  if (target.watched.get()) {
    target.stops_noted = false;
  } else if (!target.stops_noted) {
    target.stops_noted = true;
    send_note(target.stops_note, &target);
  }
}

Nanos Lane::run_if_earned(Target& target, Nanos now) {
  if (!target.budget.earned()) {
    // What ran on for a moment after its SIGSTOP, or was continued by somebody else.
    const Nanos moment = now + std::max(kShortestWait, target.budget.until_earned(now));
    renew_leases(target, moment);
    doubt(target, now);
    heap_.move(&target, next_in_stop(target, moment));
    return now;
  }
  if (target.allowance.pool != nullptr) {
    heap_.remove(&target);
    wait_for_turn(target);
    return admit_from(*target.allowance.pool, now);
  }
  if (!take_turn(target)) {
    heap_.remove(&target);
    waiting_.append(&target);
    set_state(target, TargetState::kWaiting);
    target.waiting_since.set(target.halted);
    return now;
  }
  run_limited(target, now);
  return monotonic_now();
}

// It is in the heap.
void Lane::run_limited(Target& target, Nanos now) {
  judge(target, now);
  continue_members(target, false);
  learn_cost(target, monotonic_now() - now, target.members.size(), true);
  target.stopped.add(now - target.halted);
  target.cycles.add(1);
  target.stopped_since.set(0);
  target.continued = now;
  target.budget.begin_window(now);
  target.busy_at = now;  // it could not spend anything while it was stopped
  set_state(target, TargetState::kRunning);
  heap_.move(&target, next_look(target, now));
  if (target.members.empty()) end_if_alone(target);
}

// When its members could first overspend, if they go on as they were last seen to; ever later while they spend nothing.
Nanos Lane::next_look(const Target& target, Nanos now) const {
  const Nanos least = std::max(kNearestLook, target.members.size() * kLookCost * kLookShare);
  const Nanos idle = (now - target.busy_at - kNotYetIdle) / kIdleShare;
  Nanos interval = target.budget.until_exhausted(now);
  if (target.allowance.pool != nullptr) interval = std::min(interval, next_pool_look(target, now));
  // Many threads may wake up before the next look, whatever the pace was.
  if (idle <= 0) interval = std::min(interval, kBusyLook);
  interval = std::max(interval, idle);
  if (target.has_turn && !waiting_.empty()) interval = std::min(interval, kAwaitedLook);
  interval = std::max(interval, least);
  return interval < kLongLook ? now + interval : now + share_wake_up(target, std::min(interval, kFarthestLook), now);
}

// Idle targets are looked at together: a wake-up takes as long as 40 looks. Each has an interval of its own, a little shorter than asked,
// so that those that were added together do not stay together.
Nanos Lane::share_wake_up(const Target& target, Nanos interval, Nanos now) const {
  const Nanos grid = std::clamp(kSecond * kLooksTogether / std::max(metering_, 1), kFinestLookGrid, kCoarsestLookGrid);
  const auto turn = static_cast<double>((reinterpret_cast<uintptr_t>(&target) / sizeof(Target)) % 64) / 64;
  const auto shorter = static_cast<Nanos>(static_cast<double>(interval) * (1 - turn / 4));
  return next_occurrence(now + std::max(shorter, kLongLook) - std::min(grid, interval / 4), grid, 0) - now;
}

// A cycle that leaves idle targets alone: its run window is over, and it did not use it. The next look is at the end of the next one.
bool Lane::spares_idle(Target& target, Nanos now) {
  if (target.owes_continue) return false;
  const Nanos elapsed = now - target.settled;
  const Nanos spent = settle(target, now);
  target.window_spent += spent;
  // The clock of one that runs may be a tick old. That of one that was stopped is exact, so the window before tells.
  const bool blind = elapsed < 2 * tick_ && !target.idle_before;
  if (blind || spent > std::max(kIdleCpu, elapsed / 100)) return false;
  if (!target.members.empty()) note_ready(target);
  const int stretch = stretch_.load(std::memory_order_relaxed);
  const Nanos run = target.cycle.run * stretch;
  const Nanos period = target.cycle.period() * stretch;
  target.start += period;
  if (target.start + run <= now) target.start = next_occurrence(now, period, target.offset);
  // What follows is no run window that began with a signal.
  target.first_window = true;
  target.spared_windows.add(1);
  const bool had_turn = target.has_turn;
  give_turn_back(target);
  heap_.move(&target, target.start + run);
  if (target.allowance.pool != nullptr) {
    end_pool_turn(target);
    ask_pool(*target.allowance.pool, now);
  }
  if (had_turn) admit_waiting(now);
  return true;
}

// A cycle with a limit: a run window for which nothing was earned is left out.
bool Lane::postpone_overspent(Target& target, Nanos now) {
  if (!target.budget.exhausted(now)) return false;
  const Nanos period = target.cycle.period() * stretch_.load(std::memory_order_relaxed);
  const Nanos windows = std::max<Nanos>(now - target.start, 0) / period + 1;
  target.start += windows * period;
  target.deferred = true;
  target.throttled_windows.add(static_cast<uint64_t>(windows));
  renew_leases(target, target.start);
  heap_.move(&target, target.start);
  return true;
}

}  // namespace hobble
