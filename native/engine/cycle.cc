// The timer thread's cycle: what happens at a deadline. Part of class Lane; everything here runs on the lane's thread, and nothing here
// allocates, blocks, opens or logs.
#include <algorithm>

#include "engine/lane.h"

namespace hobble {
namespace {

// Deadlines served before commands get a turn even though more are due.
constexpr int kServedAtOnce = 64;
// A target whose SIGCONT takes longer than this makes others late.
constexpr Nanos kSlowSignal = 150 * kMicrosecond;
constexpr uint8_t kSlowInARow = 4;
// How long a level of a tree waits for its parents to do this, at least and at most.
constexpr Nanos kLevelPatience = 5 * kMillisecond;
constexpr Nanos kLongestSample = 100 * kMicrosecond;
// Members whose CPU clocks are read to tell an idle target from a busy one (0.8 us each).
constexpr uint32_t kDemandMembers = 8;
constexpr int kIdleInARow = 3;

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

Nanos spin_until(Nanos moment) {
  Nanos now = monotonic_now();
  while (now < moment) {
    relax();
    now = monotonic_now();
  }
  return now;
}

void smooth(Counter<Nanos>& mean, Nanos sample, Nanos weight) { mean.set(mean.get() + (sample - mean.get()) / weight); }

}  // namespace

Nanos Lane::serve_due(Nanos now) {
  for (int served = 0; now < options_.finish_at || finished_; ++served) {
    const Nanos deadline = heap_.next_deadline();
    if (deadline == kNever) break;
    if ((has_commands() || mode_wanted()) && (deadline > now || served >= kServedAtOnce)) break;
    if (deadline - margin_.tolerance() > now) {
      const Nanos gap = deadline - now;
      if (gap > std::max(spin_left_, margin_.cheap_gap())) break;
      now = spin_until(deadline);
      spin_left_ -= std::min(gap, spin_left_);
      margin_.spun(gap);
      counters_.spun.add(gap);
    }
    if (wake_began_ == 0 || now - wake_began_ > kMillisecond) wake_began_ = now;
    if (heap_.top()->sort == Timed::Sort::kPool) {
      now = admit_from(static_cast<TargetPool&>(*heap_.top()), now);
      continue;
    }
    Target& target = static_cast<Target&>(*heap_.top());
    if (!target.cyclic()) {
      now = serve_limited(target, now);
    } else if (target.phase_state == TargetState::kStopped && target.look_at > 0 && target.look_at < target.start) {
      watch(target, now, target.start);
      heap_.move(&target, next_in_stop(target, target.start));
      now = monotonic_now();
    } else {
      now = target.phase_state == TargetState::kRunning ? begin_stop(target, deadline, now) : begin_run(target, deadline, now);
    }
  }
  return now;
}

Nanos Lane::begin_stop(Target& target, Nanos deadline, Nanos now) {
  if (target.levels_stopped == 0) {
    if (target.allowance.spare_idle && spares_idle(target, now)) return now;
    if (!target.first_window) counters_.lateness.record(now - deadline);
    const int stretch = stretch_.load(std::memory_order_relaxed);
    // Its deadline as it is planned: the looks for foreign stops come shortly before it. Renewed if it is past.
    target.resume_by.set(target.start + target.cycle.period() * stretch);
  }
  Nanos after = now;
  return stop_next_level(target, now, target.cycle.stop / 4, after) ? finish_stop(target, now, after) : after;
}

// Sends SIGSTOP to the members of the next level. False: another level is left, or this one waits for its parents to stop, but no longer
// than `patience`; the deadline for it is set. `after`: when the signals had been sent.
bool Lane::stop_next_level(Target& target, Nanos now, Nanos patience, Nanos& after) {
  if (target.levels_stopped > 0 && now < target.patience && !level_has_stopped(target)) {
    heap_.move(&target, now + kLevelGap);
    return false;
  }
  const uint32_t signalled = stop_level(target);
  after = monotonic_now();
  learn_cost(target, after - now, signalled, false);
  if (!target.members.empty()) note_ready(target);
  if (target.levels_stopped == 0) return true;
  target.patience = now + std::min(kLevelPatience, patience);
  heap_.move(&target, after + kLevelGap);
  return false;
}

// Every member has been sent SIGSTOP, the last of them at `now`.
Nanos Lane::finish_stop(Target& target, Nanos now, Nanos after) {
  if (!target.first_window) count_run_window(target, now);
  target.halted = now;
  set_state(target, TargetState::kStopped);

  // Absolute: lateness is not passed on to the next cycle.
  const int stretch = stretch_.load(std::memory_order_relaxed);
  target.start += target.cycle.period() * stretch;
  target.window = target.cycle.stop * stretch;
  skip_past_windows(target, now);
  follow_group(target, now);
  if (target.start > target.resume_by.get()) renew_leases(target, target.start);
  begin_watch(target, after, target.start);
  heap_.move(&target, next_in_stop(target, target.start));
  if (target.kind.get() != TargetKind::kProcess && !target.frozen_whole.get()) ask_for_reading(target, now);
  const bool had_turn = target.has_turn;
  give_turn_back(target);
  TargetPool* const pool = target.allowance.pool;
  if (target.allowance.meters()) {
    target.window_spent += settle(target, now);
    target.budget.end_window(now);
  }
  if (pool != nullptr) end_pool_turn(target);
  if (target.members.empty()) end_if_alone(target);  // may end the target: nothing may be done with it after this
  if (pool != nullptr) return admit_from(*pool, after);
  return had_turn ? admit_waiting(after) : after;
}

void Lane::count_run_window(Target& target, Nanos now) {
  const Nanos ran = now - target.continued;
  // In pairs, so that the duty is right after the first cycle already.
  if (target.stop_before >= 0) {
    target.ran.add(ran);
    target.stopped.add(target.stop_before);
    target.cycles.add(1);
    counters_.ran.add(ran);
    counters_.stopped.add(target.stop_before);
  }
  target.run_error.record(ran - target.window);
  counters_.run_error.record(ran - target.window);
  if (cap_spares_idle_ && cap_ > 0) look_at_demand(target);
}

// A run window that is wholly in the past is not made up for.
void Lane::skip_past_windows(Target& target, Nanos now) {
  const int stretch = stretch_.load(std::memory_order_relaxed);
  const Nanos past = now - (target.start + target.cycle.run * stretch);
  if (past < 0) return;
  const Nanos period = target.cycle.period() * stretch;
  const Nanos windows = past / period + 1;
  target.start += windows * period;
  target.skipped_windows.add(static_cast<uint64_t>(windows));
  counters_.skipped_windows.add(static_cast<uint64_t>(windows));
}

Nanos Lane::begin_run(Target& target, Nanos deadline, Nanos now) {
  const Nanos planned = target.start;
  skip_past_windows(target, now);
  if (target.start != planned) {
    target.deferred = true;  // its stop window is longer than asked, by design
    renew_leases(target, target.start);
    heap_.move(&target, target.start);
    return now;
  }
  if (target.allowance.meters()) {
    target.window_spent += settle(target, now);
    target.idle_before = target.window_spent <= std::max(kIdleCpu, target.cycle.run / 100);
    target.window_spent = 0;
  }
  if (target.allowance.limit.rate > 0 && postpone_overspent(target, now)) return now;
  if (target.allowance.pool != nullptr) {
    heap_.remove(&target);
    target.waiting_since.set(target.halted);
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
  enter_run(target, deadline, now);
  const Nanos after = monotonic_now();
  learn_cost(target, after - now, target.members.size(), true);
  heap_.move(&target, (options_.precision == Precision::kEconomy ? wake_began_ : now) + target.window - lead(target));
  if (target.members.empty()) end_if_alone(target);
  return after;
}

// The run window is measured from the signal that really began it: a late SIGCONT does not shorten it.
void Lane::enter_run(Target& target, Nanos deadline, Nanos now) {
  judge(target, now);
  continue_members(target, false);
  const Nanos stopped = now - target.halted;
  target.stop_before = target.first_window ? -1 : stopped;
  if (!target.first_window && !target.deferred) {
    target.stop_error.record(stopped - target.window);
    counters_.stop_error.record(stopped - target.window);
  }
  counters_.lateness.record(now - deadline);
  target.first_window = false;
  target.deferred = false;
  target.continued = now;
  if (target.allowance.meters()) target.budget.begin_window(now);
  target.window = target.cycle.run * stretch_.load(std::memory_order_relaxed);
  set_state(target, TargetState::kRunning);
}

bool Lane::take_turn(Target& target) {
  if (cap_ == 0 || (cap_spares_idle_ && !target.counts_for_cap)) return true;
  if (running_ >= cap_) return false;
  ++running_;
  target.has_turn = true;
  return true;
}

void Lane::give_turn_back(Target& target) {
  if (!target.has_turn) return;
  target.has_turn = false;
  --running_;
}

// In turn: who waited longest runs first, from now on for its full run time.
Nanos Lane::admit_waiting(Nanos now) {
  while (!waiting_.empty() && take_turn(*waiting_.first())) {
    Target& target = *waiting_.first();
    waiting_.remove(&target);
    now = run_waiting(target, now);
  }
  return now;
}

// Its turn has come. It is in no heap.
Nanos Lane::run_waiting(Target& target, Nanos now) {
  target.waiting_since.set(0);
  if (!target.cyclic()) {
    heap_.push(kNever, &target);
    settle(target, now);
    run_limited(target, now);
    return monotonic_now();
  }
  // Whose turn comes in the very moment when another's ends has hardly waited.
  target.deferred = now - target.start > kShortestWindow;
  if (target.deferred) {
    target.deferred_windows.add(1);
    counters_.deferred_windows.add(1);
  }
  const Nanos period = target.cycle.period() * stretch_.load(std::memory_order_relaxed);
  const Nanos missed = (now - target.start) / period;
  if (missed > 0) {
    target.start += missed * period;
    target.skipped_windows.add(static_cast<uint64_t>(missed));
    counters_.skipped_windows.add(static_cast<uint64_t>(missed));
    if (target.allowance.pool == nullptr) counters_.cap_exceeded.set(true);
  }
  enter_run(target, target.deferred ? now : target.start, now);
  const Nanos after = monotonic_now();
  learn_cost(target, after - now, target.members.size(), true);
  heap_.push(now + target.window - lead(target), &target);
  if (target.members.empty()) end_if_alone(target);
  return after;
}

void Lane::learn_cost(Target& target, Nanos took, uint32_t signalled, bool continued) {
  smooth(counters_.signal_cost, std::min(took / std::max<Nanos>(1, signalled), kLongestSample), 64);
  if (!continued) return;
  // Several times in a row: a single long one may be the host's doing.
  target.slow_in_a_row = took > kSlowSignal ? target.slow_in_a_row + 1 : 0;
  if (options_.reports_slow_targets && target.allowance.pool == nullptr && target.slow_in_a_row == kSlowInARow && !target.slow_noted) {
    target.slow_noted = true;
    send_note(target.slow_note, &target);
  }
}

// Did it use the CPU in the run window that just ended? Idle targets harm nobody: the cap does not count them. One that is starved looks
// idle too, so a busy one must look idle several times, each time with a turn of its own.
void Lane::look_at_demand(Target& target) {
  if (target.members.size() > kDemandMembers) {
    target.counts_for_cap = true;
    return;
  }
  Nanos spent = 0;
  for (Member* member = target.members.first(); member != nullptr; member = decltype(target.members)::next(member)) {
    spent += std::max<Nanos>(0, member->cpu());
  }
  const bool busy = spent - target.cpu_before > std::max(kIdleCpu, target.window / 100);
  target.cpu_before = spent;
  target.idle_in_a_row = busy ? 0 : std::min(target.idle_in_a_row + 1, kIdleInARow);
  if (busy || target.idle_in_a_row == kIdleInARow) target.counts_for_cap = busy;
}

}  // namespace hobble
