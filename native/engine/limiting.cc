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
// Less than this between two looks is not work: the clock of a stopped or sleeping process may still move a little.
constexpr Nanos kHardlySpent = 10 * kMicrosecond;

}  // namespace

// It runs until it has spent too much.
void Lane::begin_limit(Target& target, Nanos now) {
  for (Member* member = target.members.first(); member != nullptr; member = decltype(target.members)::next(member)) {
    member->cpu_seen = std::max(member->cpu_seen, cpu_time(member->process.pid()));
  }
  target.spent_by_gone = 0;
  target.budget.begin(target.allowance.limit, cpus_);
  target.settled = now;
  target.busy_at = now;
  target.continued = now;
  target.busy_at = now;  // it could not spend anything while it was stopped
  set_state(target, TargetState::kRunning);
  heap_.push(next_look(target, now), &target);
  if (target.members.empty()) {
    note_empty(target);
  } else {
    note_ready(target);
  }
}

// Takes what its members spent since the last time out of its budget.
void Lane::settle(Target& target, Nanos now) {
  Nanos spent = std::exchange(target.spent_by_gone, 0);
  for (Member* member = target.members.first(); member != nullptr; member = decltype(target.members)::next(member)) {
    const Nanos clock = cpu_time(member->process.pid());
    if (clock <= member->cpu_seen) continue;
    spent += clock - member->cpu_seen;
    member->cpu_seen = clock;
  }
  const Nanos elapsed = now - target.settled;
  target.settled = now;
  target.budget.settle(elapsed, spent, target.phase_state == TargetState::kRunning && target.levels_stopped == 0);
  if (spent > kHardlySpent) target.busy_at = now;
  target.metered.add(elapsed);
  target.spent.add(spent);
}

// The clock of a process that has exited can be read until its parent has collected it.
void Lane::count_gone(Member& member) const {
  if (member.target->allowance.limit.rate == 0) return;
  member.target->spent_by_gone += std::max<Nanos>(0, cpu_time(member.process.pid()) - member.cpu_seen);
}

Nanos Lane::serve_limited(Target& target, Nanos now) {
  settle(target, now);
  return target.phase_state == TargetState::kRunning ? look_at_spending(target, now) : run_if_earned(target, now);
}

Nanos Lane::look_at_spending(Target& target, Nanos now) {
  if (target.levels_stopped == 0) {
    if (!target.budget.exhausted()) {
      heap_.move(&target, next_look(target, now));
      return now;
    }
    target.resume_by.set(now + target.budget.until_earned());
  }
  Nanos after = now;
  if (!stop_next_level(target, now, target.budget.until_earned() / 4, after)) return after;
  target.ran.add(now - target.continued);
  target.halted = now;
  target.stopped_since.set(now);
  set_state(target, TargetState::kStopped);
  heap_.move(&target, now + target.budget.until_earned());
  if (target.kind.get() != TargetKind::kProcess) ask_for_reading(target, now);
  const bool had_turn = target.has_turn;
  give_turn_back(target);
  if (target.members.empty()) note_empty(target);  // may end the target: nothing may be done with it after this
  return had_turn ? admit_waiting(after) : after;
}

Nanos Lane::run_if_earned(Target& target, Nanos now) {
  if (!target.budget.earned()) {
    // What ran on for a moment after its SIGSTOP, or was continued by somebody else.
    const Nanos moment = now + target.budget.until_earned();
    renew_leases(target, moment);
    heap_.move(&target, moment);
    return now;
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
  continue_members(target);
  learn_cost(target, monotonic_now() - now, target.members.size(), true);
  target.stopped.add(now - target.halted);
  target.cycles.add(1);
  target.stopped_since.set(0);
  target.continued = now;
  set_state(target, TargetState::kRunning);
  heap_.move(&target, next_look(target, now));
  if (target.members.empty()) note_empty(target);
}

// When its members could first overspend, if they go on as they were last seen to; ever later while they spend nothing.
Nanos Lane::next_look(const Target& target, Nanos now) const {
  const Nanos least = std::max(kNearestLook, target.members.size() * kLookCost * kLookShare);
  const Nanos idle = (now - target.busy_at - kNotYetIdle) / kIdleShare;
  const Nanos interval = std::clamp(std::max(target.budget.until_exhausted(), idle), least, std::max(least, kFarthestLook));
  return now + interval;
}

}  // namespace hobble
