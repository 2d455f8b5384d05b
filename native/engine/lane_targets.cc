// The targets of a lane: how they come, pause, change and go, and how their members are signalled. Part of class Lane; everything here runs
// on the lane's thread.
#include <sys/epoll.h>

#include <algorithm>
#include <csignal>

#include "engine/demand.h"
#include "engine/lane.h"
#include "engine/recovery.h"

namespace hobble {
namespace {

constexpr Nanos kReadingRequestGap = 5 * kMillisecond;
// Parents whose state is looked at before their children are stopped (3.3 us each).
constexpr int kMostLooks = 16;
// How long the scout may take to move 10,000 processes into a cgroup.
constexpr Nanos kSeized = 5 * kSecond;

}  // namespace

void Lane::attach(Target& target, Member* chain) {
  // A fresh target is pending: its members are stopped together.
  const bool stop_at_once = target.phase_state == TargetState::kStopped || target.phase_state == TargetState::kWaiting;
  while (chain != nullptr) {
    Member& member = *chain;
    chain = member.siblings.next;
    if (target.retiring || member.exit_seen) {
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, member.process.exit_fd(), nullptr);
      send_note(member.retired, &member);
      continue;
    }
    member.attached = true;
    Member* above = target.members.last();
    while (above != nullptr && above->level > member.level) above = decltype(target.members)::previous(above);
    target.members.insert_after(above, &member);
    target.member_count.add(1);
    counters_.members.add(1);
    if ((stop_at_once || member.level < target.levels_stopped) && !member.held.get()) signal(member, SIGSTOP);
  }
}

void Lane::add(Target& target, Nanos now) {
  targets_.append(&target);
  counters_.targets.set(targets_.size());
  if (finished_) {
    leave(target, Note::Kind::kTargetRetired, EndReason::kFinished);
    return;
  }
  // Those that were seized, unless they are to be stopped at once anyway.
  const bool paused = mode_reached_.load(std::memory_order_relaxed) == Mode::kPaused;
  if (paused || !target.cyclic()) continue_members(target, false);
  if (paused) {
    set_state(target, TargetState::kPaused);
    if (target.members.empty()) {
      end_if_alone(target);
    } else {
      note_ready(target);
    }
  } else {
    unpause(target, now);
  }
}

void Lane::note_ready(Target& target) {
  if (target.ready_noted) return;
  target.ready_noted = true;
  send_note(target.ready_note, &target);
}

// A cycle: stopped at once; the first run window comes with its phase.
void Lane::unpause(Target& target, Nanos now) {
  if (!target.cyclic()) {
    begin_limit(target, now);
    return;
  }
  if (target.allowance.meters()) begin_metering(target, now);
  target.first_window = true;
  target.deferred = false;
  target.stop_before = -1;
  target.continued = now;
  target.window = 0;
  set_state(target, TargetState::kRunning);
  target.start = start_before_first(target, now);
  heap_.push(now, &target);
}

// `start` of a target that is not stopped yet: one period before its first run window.
Nanos Lane::start_before_first(Target& target, Nanos now) const {
  const Nanos period = target.cycle.period() * stretch_.load(std::memory_order_relaxed);
  choose_phase(target);
  return next_occurrence(now + kShortestWindow, period, target.phase_now) - period;
}

// True if it is another phase than before.
bool Lane::choose_phase(Target& target) const {
  const double rate = grouped_rate_.load(std::memory_order_relaxed);
  if (rate != target.grouped_rate) {
    target.grouped_rate = rate;
    target.group = rate > 0 && target.may_group ? group_length(target.cycle, rate, kSignalsForSleepers) : 0;
  }
  const Nanos phase = target.group == 0 ? target.offset : target.offset - target.offset % target.group;
  if (phase == target.phase_now) return false;
  target.phase_now = phase;
  target.phase.set(phase);
  return true;
}

// After its SIGSTOP, with `start` set: when sleeping targets are grouped, or no longer, this one's stop window is longer or shorter for
// once.
void Lane::follow_group(Target& target, Nanos now) const {
  if (!choose_phase(target)) return;
  const int stretch = stretch_.load(std::memory_order_relaxed);
  target.start = next_occurrence(now + target.cycle.stop * stretch / 2, target.cycle.period() * stretch, target.phase_now);
  target.deferred = true;
}

void Lane::pause(Target& target) {
  continue_members(target, true);
  take_out(target);
  set_state(target, TargetState::kPaused);
}

// Nothing happens to it any more.
void Lane::take_out(Target& target) {
  if (target.phase_state != TargetState::kWaiting) {
    if (target.queued()) heap_.remove(&target);
  } else if (target.allowance.pool != nullptr) {
    leave_queue(target);
  } else {
    waiting_.remove(&target);
  }
  target.waiting_since.set(0);
  target.levels_stopped = 0;
  target.stopped_since.set(0);
  turn_free_ = turn_free_ || target.has_turn;
  give_turn_back(target);
  if (target.metering) end_metering(target);
}

void Lane::update(Target& target, const Command& command, Nanos now) {
  target.rate.set(command.allowance.limit.rate);
  target.may_group = command.may_group;
  target.grouped_rate = -1;
  if (target.cyclic() && command.cycle.run > 0 && target.allowance == command.allowance) {
    update_cycle(target, command.cycle, command.offset, now);
    return;
  }
  const bool only_limit = target.metering && !target.cyclic() && command.cycle.run == 0;
  if (only_limit && target.allowance.pool == command.allowance.pool) {
    change_limit(target, command.allowance, now);
    return;
  }
  // From one sort of terms to another: as if it were added anew.
  const bool paused = target.phase_state == TargetState::kPaused;
  pause(target);
  target.cycle = command.cycle;
  target.offset = command.offset;
  target.allowance = command.allowance;
  target.run_length.set(command.cycle.run);
  target.stop_length.set(command.cycle.stop);
  target.phase.set(command.offset);
  if (!paused) unpause(target, now);
}

void Lane::update_cycle(Target& target, const Cycle& cycle, Nanos offset, Nanos now) {
  target.cycle = cycle;
  target.offset = offset;
  target.run_length.set(cycle.run);
  target.stop_length.set(cycle.stop);
  choose_phase(target);
  const Nanos phase = target.phase_now;
  const int stretch = stretch_.load(std::memory_order_relaxed);
  const Nanos period = cycle.period() * stretch;
  target.deferred = true;  // the present stop window belongs to neither cycle
  if (target.phase_state == TargetState::kRunning && (target.first_window || target.levels_stopped > 0)) {
    target.start = start_before_first(target, now);
  } else if (target.phase_state == TargetState::kRunning) {
    target.window = cycle.run * stretch;
    target.start = next_occurrence(target.continued + target.window + kShortestWindow, period, phase) - period;
    heap_.move(&target, target.continued + target.window - lead(target));
  } else if (target.phase_state == TargetState::kStopped) {
    target.start = next_occurrence(now, period, phase);
    renew_leases(target, target.start);
    heap_.move(&target, target.start);
  }
}

// Its present stop window ends at another moment than was foreseen.
void Lane::renew_leases(Target& target, Nanos resume_by) const {
  target.resume_by.set(resume_by);
  for (Member* member = target.members.first(); member != nullptr; member = decltype(target.members)::next(member)) {
    if (member->stopped) set_resume_by(*member->lease, resume_by);
  }
}

// This thread hung, or was suspended: the guardian has resumed those that were overdue. A cycle stops them again by itself; who waits for
// its turn, or for what its limit gives it, is stopped now. None of them has run of its own accord.
void Lane::take_back(Nanos now) {
  promised_ = now;
  for (Target* target = targets_.first(); target != nullptr;) {
    Target* const next = decltype(targets_)::next(target);
    const bool stopped = target->phase_state == TargetState::kStopped || target->phase_state == TargetState::kWaiting;
    if (stopped && !target->frozen_whole.get() && target->resume_by.get() + kGuardianPatience < now) take_back(*target, now);
    target = next;
  }
}

void Lane::take_back(Target& target, Nanos now) {
  const bool again = !target.cyclic() || target.phase_state == TargetState::kWaiting;
  if (again) renew_leases(target, now + kWaitingPatience);
  target.halted = now;
  for (Member* member = target.members.first(); member != nullptr;) {
    Member* const next = decltype(target.members)::next(member);
    const bool ours = member->stopped && !member->held.get();
    if (ours) member->cpu_still = std::max<Nanos>(member->cpu_still, cpu_time(member->process.pid()));
    if (ours && again) restop(*member);
    member = next;
  }
  if (target.members.empty()) end_if_alone(target);  // may end the target
}

// Resumed and let go.
void Lane::leave(Target& target, Note::Kind how, EndReason reason) {
  target.retiring = how == Note::Kind::kTargetRetired;
  target.end_reason = reason;
  pause(target);
  if (target.retiring) set_state(target, TargetState::kGone);
  let_go(target, how);
}

// Stopped, and handed over like that: what is to be moved into a cgroup must not fork meanwhile. The scout resumes it.
void Lane::seize(Target& target, Nanos now) {
  target.resume_by.set(now + kSeized);
  seized_until_ = now + kSeized;
  for (Member* member = target.members.first(); member != nullptr;) {
    Member* const next = decltype(target.members)::next(member);
    if (!member->held.get()) signal(*member, SIGSTOP);
    member = next;
  }
  take_out(target);
  set_state(target, TargetState::kStopped);
  let_go(target, Note::Kind::kTargetDetached);
}

// The target is the scout's from the moment the note is sent.
void Lane::let_go(Target& target, Note::Kind how) {
  for (Member* member = target.members.first(); member != nullptr; member = decltype(target.members)::next(member)) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, member->process.exit_fd(), nullptr);
    member->attached = false;
  }
  targets_.remove(&target);
  counters_.targets.set(targets_.size());
  counters_.members.set(counters_.members.get() - target.members.size());
  target.member_count.set(0);
  target.end_note.kind = how;
  send_note(target.end_note, &target);
}

void Lane::leave_all(EndReason reason) {
  // Everything runs again before the slower work of letting go.
  for (Target* target = targets_.first(); target != nullptr; target = decltype(targets_)::next(target)) {
    yield_to_others(*target);
    continue_members(*target, true);
  }
  while (!targets_.empty()) leave(*targets_.first(), Note::Kind::kTargetRetired, reason);
}

// Stops the uppermost level that has not been stopped yet, and says how many members it has. Then `levels_stopped` tells whether another
// is left: it must wait. A parent in waitpid(WUNTRACED) that is sent SIGSTOP looks for stopped children once more before it stops itself,
// and an interactive shell that finds one takes the terminal back.
uint32_t Lane::stop_level(Target& target) {
  Member* member = target.members.first();
  while (member != nullptr && member->level < target.levels_stopped) member = decltype(target.members)::next(member);
  const int level = member != nullptr ? member->level : 0;
  uint32_t signalled = 0;
  while (member != nullptr && member->level == level) {
    Member* const next = decltype(target.members)::next(member);
    if (member->stopped) {
      // Since before a debugger held it; a second SIGSTOP would be pending, and look like somebody else's.
      set_resume_by(*member->lease, target.resume_by.get());
    } else if (!member->held.get()) {
      signal(*member, SIGSTOP);
      ++signalled;
    }
    member = next;
  }
  target.levels_stopped = member != nullptr ? level + 1 : 0;
  return signalled;
}

// Have the parents among the members that were stopped last really stopped?
bool Lane::level_has_stopped(const Target& target) const {
  int looks = 0;
  for (const Member* member = target.members.first(); member != nullptr; member = decltype(target.members)::next(member)) {
    if (member->level >= target.levels_stopped || looks == kMostLooks) break;
    if (member->level < target.levels_stopped - 1 || member->state_fd.get() < 0) continue;
    ++looks;
    if (!has_stopped(member->state_fd.get())) return false;
  }
  return true;
}

// How long before the end of the run window the uppermost level is stopped, so that the lowest, which does the work, is stopped in time.
Nanos Lane::lead(const Target& target) const {
  if (target.members.size() < 2) return 0;
  const int gaps = target.members.last()->level - target.members.first()->level;
  return std::min(gaps * kLevelGap, target.window / 4);
}

void Lane::continue_members(Target& target, bool for_good) {
  target.owes_continue = false;
  for (Member* member = target.members.last(); member != nullptr;) {
    Member* const previous = decltype(target.members)::previous(member);
    if (!member->stopped) {
      // nothing is owed
    } else if (!member->held.get() || (for_good && member->traced.get())) {
      signal(*member, SIGCONT);
    } else if (member->traced.get()) {
      target.owes_continue = true;  // when the debugger goes, the kernel puts our stop in force again
    } else {
      leave_to_others(*member);
    }
    member = previous;
  }
}

// Somebody else wants it stopped: from now on it is that one's.
void Lane::leave_to_others(Member& member) {
  member.stopped = false;
  set_resume_by(*member.lease, 0);
}

// The last look for stops that came while we held it: when an engine pauses or closes, no helper thread has had the time to look, and
// nothing has to be on time any more (20 us a member).
void Lane::yield_to_others(Target& target) {
  if (!options_.respect_foreign_stops) return;
  for (Member* member = target.members.first(); member != nullptr; member = decltype(target.members)::next(member)) {
    if (!member->stopped || member->group || member->restopped) continue;
    if (foreign_stop(member->process.pid()) == ForeignStop::kSignal) leave_to_others(*member);
  }
}

bool Lane::signal(Member& member, int number) {
  // The lease before the SIGSTOP, and until after the SIGCONT: whenever we die, whoever looks after us finds what may be stopped.
  if (number == SIGSTOP) set_resume_by(*member.lease, member.target->resume_by.get());
  // A second SIGSTOP would stay pending, and look like somebody else's.
  if (number == SIGSTOP && member.stopped) return true;
  const int error = member.send(number);
  counters_.signals.add(1);
  member.target->signals.add(1);
  if (error == 0) {
    member.stopped = number == SIGSTOP;
    if (member.stopped) return true;
    set_resume_by(*member.lease, 0);
    if (!member.restopped) return true;
    member.restopped = false;
    member.lease->restopped.store(0, std::memory_order_relaxed);
    return true;
  }
  // ESRCH: it is gone. Anything else (EPERM: it became another user's) will not get better: let it go and say so.
  if (error != ESRCH) member.error = error;
  drop(member);
  return false;
}

// The member is the scout's, and soon another target's, from the moment the note is sent.
void Lane::drop(Member& member) {
  Target& target = *member.target;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, member.process.exit_fd(), nullptr);
  member.attached = false;
  count_gone(member);
  // Gone, or not stopped: only a SIGCONT that was refused leaves something to be done.
  if (member.error == 0 || !member.stopped) set_resume_by(*member.lease, 0);
  target.members.remove(&member);
  target.member_count.set(target.members.size());
  counters_.members.set(counters_.members.get() - 1);
  send_note(member.retired, &member);
}

// Of a tree or group a child may have been born that nobody has seen yet: the scout, who hears of every member that goes, looks, and then
// adds it or ends the target.
void Lane::end_if_alone(Target& target) {
  if (target.kind.get() == TargetKind::kProcess || target.frozen_whole.get()) leave(target, Note::Kind::kTargetRetired, EndReason::kExit);
}

void Lane::ask_for_reading(Target& target, Nanos now) {
  target.wants_reading.set(true);
  if (now - last_reading_request_ < kReadingRequestGap) return;
  last_reading_request_ = now;
  ring_scout();
}

void Lane::set_state(Target& target, TargetState state) {
  waits_ += static_cast<int>(state == TargetState::kWaiting) - static_cast<int>(target.phase_state == TargetState::kWaiting);
  target.phase_state = state;
  target.state.set(state);
}

}  // namespace hobble
