// The targets of a lane: how they come, pause, change and go, and how their members are signalled. Part of class Lane; everything here runs
// on the lane's thread.
#include <sys/epoll.h>

#include <csignal>

#include "engine/lane.h"

namespace hobble {
namespace {

constexpr Nanos kReadingRequestGap = 5 * kMillisecond;

}  // namespace

void Lane::attach(Target& target, Member* chain) {
  // A fresh target is pending: `add` stops its members together.
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
    target.members.append(&member);
    target.member_count.add(1);
    counters_.members.add(1);
    target.empty_noted = false;
    if (stop_at_once) signal(member, SIGSTOP);
  }
}

void Lane::add(Target& target, Nanos now) {
  targets_.append(&target);
  counters_.targets.set(targets_.size());
  if (finished_) {
    leave(target, Note::Kind::kTargetRetired, EndReason::kFinished);
    return;
  }
  if (mode_reached_.load(std::memory_order_relaxed) == Mode::kPaused) {
    set_state(target, TargetState::kPaused);
  } else {
    unpause(target, now);
  }
  if (target.members.empty()) {
    note_empty(target);
  } else {
    note_ready(target);
  }
}

void Lane::note_ready(Target& target) {
  if (target.ready_noted) return;
  target.ready_noted = true;
  send_note(target.ready_note, &target);
}

// Stopped at once; the first run window comes with its phase.
void Lane::unpause(Target& target, Nanos now) {
  stop_members(target);
  target.halted = now;
  target.first_window = true;
  target.deferred = false;
  set_state(target, TargetState::kStopped);
  const Nanos period = target.cycle.period() * stretch_.load(std::memory_order_relaxed);
  target.start = next_occurrence(now + kShortestWindow, period, target.offset);
  heap_.push(target.start, &target);
}

void Lane::pause(Target& target) {
  continue_members(target);
  if (target.queued()) heap_.remove(&target);
  if (target.phase_state == TargetState::kWaiting) waiting_.remove(&target);
  target.waiting_since.set(0);
  give_turn_back(target);
  set_state(target, TargetState::kPaused);
}

void Lane::update(Target& target, const Cycle& cycle, Nanos offset, Nanos now) {
  target.cycle = cycle;
  target.offset = offset;
  target.run_length.set(cycle.run);
  target.stop_length.set(cycle.stop);
  target.phase.set(offset);
  const int stretch = stretch_.load(std::memory_order_relaxed);
  const Nanos period = cycle.period() * stretch;
  target.deferred = true;  // the present stop window belongs to neither cycle
  if (target.phase_state == TargetState::kRunning) {
    target.window = cycle.run * stretch;
    target.start = next_occurrence(target.continued + target.window + kShortestWindow, period, offset) - period;
    heap_.move(&target, target.continued + target.window);
  } else if (target.phase_state == TargetState::kStopped) {
    target.start = next_occurrence(now, period, offset);
    heap_.move(&target, target.start);
  }
}

// Resumed and let go. The target is the scout's from the moment the note is sent.
void Lane::leave(Target& target, Note::Kind how, EndReason reason) {
  target.retiring = how == Note::Kind::kTargetRetired;
  target.end_reason = reason;
  pause(target);
  if (target.retiring) set_state(target, TargetState::kGone);
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
  for (Target* target = targets_.first(); target != nullptr; target = decltype(targets_)::next(target)) continue_members(*target);
  while (!targets_.empty()) leave(*targets_.first(), Note::Kind::kTargetRetired, reason);
}

void Lane::stop_members(Target& target) {
  for (Member* member = target.members.first(); member != nullptr;) {
    Member* const next = decltype(target.members)::next(member);
    signal(*member, SIGSTOP);
    member = next;
  }
}

void Lane::continue_members(Target& target) {
  for (Member* member = target.members.last(); member != nullptr;) {
    Member* const previous = decltype(target.members)::previous(member);
    if (member->stopped) signal(*member, SIGCONT);
    member = previous;
  }
}

bool Lane::signal(Member& member, int number) {
  const int error = member.process.send(number);
  counters_.signals.add(1);
  member.target->signals.add(1);
  if (error == 0) {
    member.stopped = number == SIGSTOP;
    return true;
  }
  // ESRCH: it is gone. Anything else (EPERM: it became another user's) will not get better: let it go and say so.
  if (error != ESRCH) member.error = error;
  drop(member);
  return false;
}

void Lane::drop(Member& member) {
  Target& target = *member.target;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, member.process.exit_fd(), nullptr);
  member.attached = false;
  target.members.remove(&member);
  target.member_count.set(target.members.size());
  counters_.members.set(counters_.members.get() - 1);
  send_note(member.retired, &member);
}

void Lane::note_empty(Target& target) {
  if (target.kind.get() == TargetKind::kProcess) {
    leave(target, Note::Kind::kTargetRetired, EndReason::kExit);
  } else if (!target.empty_noted) {
    // A child may have been born that nobody has seen yet: the scout looks, and then adds it or ends the target.
    target.empty_noted = true;
    send_note(target.empty_note, &target);
  }
}

void Lane::ask_for_reading(Target& target, Nanos now) {
  target.wants_reading.set(true);
  if (now - last_reading_request_ < kReadingRequestGap) return;
  last_reading_request_ = now;
  ring_scout();
}

void Lane::set_state(Target& target, TargetState state) {
  target.phase_state = state;
  target.state.set(state);
}

}  // namespace hobble
