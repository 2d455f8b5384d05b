// What comes back from the lanes: members and targets that have ended. Part of class Scout; everything here runs on the scout's thread.
#include <algorithm>
#include <cstring>

#include "engine/error_text.h"
#include "engine/scout.h"

namespace hobble {
namespace {

const char* end_name(EndReason reason) {
  switch (reason) {
    case EndReason::kFinished:
      return "finished";
    case EndReason::kClosed:
      return "closed";
    default:
      return "released";
  }
}

}  // namespace

void Scout::handle_notes() {
  for (Note* note = notes_.take_all(); note != nullptr;) handle(*std::exchange(note, note->mailbox_next));
}

void Scout::handle(Note& note) {
  const Note::Kind kind = note.kind;  // the note goes with what it is about
  note.under_way.exchange(false, std::memory_order_acq_rel);
  if (kind == Note::Kind::kMemberRetired) {
    Member& member = *static_cast<Member*>(note.about);
    const uint64_t id = member.target->id.get();
    retire_member(member);
    end_if_empty(id);
    return;
  }
  if (kind == Note::Kind::kLaneClosed || kind == Note::Kind::kFinished) {
    const bool closed = kind == Note::Kind::kLaneClosed;
    if (closed && --lanes_open_ == 0) finish_closing();
    if (!closed && ++lanes_finished_ == lanes_open_) events_.push({.type = Event::Type::kFinished});
    return;
  }
  const bool command_done = kind == Note::Kind::kCommandDone;
  auto* const target = command_done ? static_cast<Command*>(note.about)->target : static_cast<Target*>(note.about);
  if (command_done) {
    const auto* const command = static_cast<const Command*>(note.about);
    if (command->kind == Command::Kind::kEndPool) free_pool(*command->pool);
    delete command;
    if (target == nullptr) return;
  }
  const auto found = records_.find(target->id.get());
  if (found == records_.end()) return;
  Record& record = *found->second;
  switch (kind) {
    case Note::Kind::kCommandDone:
      --record.commands_under_way;
      if (record.retired) finish_retirement(record);
      break;
    case Note::Kind::kTargetReady:
      record.ready = true;
      events_.push({.type = Event::Type::kReady, .target = target->id.get(), .pid = record.spec.identity.pid});
      break;
    case Note::Kind::kTargetSlow:
      if (!record.retired && !record.moving && record.spec.allowance.pool == nullptr && open_slow_lane()) move_to(record, kSlow);
      break;
    case Note::Kind::kTargetStops:
      if (!target->watched.get()) watch_for_foreign_stops(record, monotonic_now());
      break;
    case Note::Kind::kTargetEvades:
      handle_evasion(record);
      break;
    case Note::Kind::kTargetDetached:
      finish_move(record);
      break;
    case Note::Kind::kTargetRetired:
      retire_target(record);
      break;
    default:
      break;
  }
}

void Scout::retire_member(Member& member) {
  const auto listed = by_pid_.find(member.process.pid());
  if (listed != by_pid_.end() && listed->second == &member) {
    by_pid_.erase(listed);
    remember(member.process.pid(), member.target->id.get());
  }
  const auto found = records_.find(member.target->id.get());
  if (found != records_.end()) {
    Record& record = *found->second;
    record.children_spent = true;
    balance_exit(record, member);
    // COMMAND itself is its starter's to collect.
    if (record.spec.adopt_orphans && member.process.pid() != record.spec.identity.pid) member.process.reap();
    {
      const std::lock_guard lock(records_mutex_);
      std::erase(record.members, &member);
    }
    // A member that is lost among others is let go; with the last one the target has failed.
    if (member.error != 0 && record.members.empty()) {
      record.failure = Error{Code::kNotPermitted, member.process.pid(),
                             (member.group ? name_of(record.spec) + " can no longer be frozen by us ("
                                           : "process " + std::to_string(member.process.pid()) + " can no longer be signalled by us (") +
                                 error_text(member.error) + "); it was let go"};
    }
    count_rate(record, record.spec.cycle, record.members.size());
  }
  if (member.held.get()) member.target->held_members.set(member.target->held_members.get() - 1);
  if (member.status_file) --status_files_;
  // A SIGCONT that was refused is still owed: the guardian, or hobble release as root, may be able to send it.
  const bool owed =
      member.error != 0 && member.lease->resume_by.load(std::memory_order_relaxed) != 0 && (member.group || !member.process.gone());
  if (member.group && member.group->made_here()) {
    dissolve({.lease = FreeLease(member.lease, {options_.leases}), .group = std::move(member.group)});
  } else if (!owed) {
    options_.leases->release(member.lease);
  }
  member.~Member();
  members_.release(&member);
  if (found != records_.end() && found->second->retired) finish_retirement(*found->second);
}

// Its last member is gone, and there is no child that nobody has seen yet. The lane itself ends what has no members but one; what is on its
// way from lane to lane is looked at when it arrives.
void Scout::end_if_empty(uint64_t id) {
  const auto found = records_.find(id);
  if (found == records_.end()) return;
  Record& record = *found->second;
  if (record.spec.kind == TargetKind::kProcess || record.target->frozen_whole.get()) return;
  if (!record.members.empty() || record.retired || record.moving || record.ending) return;
  read_record(record, true);
  if (!record.members.empty()) return;
  record.ending = true;
  post_to_lane(record, Command::Kind::kRemove, nullptr, EndReason::kExit);
}

// The lane has let the target go: its members, all resumed, are ours again.
void Scout::retire_target(Record& record) {
  Target& target = *record.target;
  while (!target.members.empty()) {
    Member* const member = target.members.first();
    target.members.remove(member);
    retire_member(*member);
  }
  record.retired = true;
  finish_retirement(record);
}

// Commands that are under way may still bring members back: only then is the slot free for another target.
void Scout::finish_retirement(Record& record) {
  if (record.commands_under_way > 0 || !record.members.empty()) return;
  tell_end(record);
  forget(record);
}

void Scout::tell_end(const Record& record) {
  const uint64_t id = record.target->id.get();
  const pid_t pid = record.spec.identity.pid;
  const EndReason reason = record.target->end_reason;
  if (record.failure) {
    events_.push({.type = Event::Type::kError,
                  .target = id,
                  .pid = pid,
                  .code = code_name(record.failure->code),
                  .message = record.failure->message});
  } else if (reason == EndReason::kExit && !record.ready) {
    events_.push({.type = Event::Type::kError,
                  .target = id,
                  .pid = pid,
                  .code = code_name(Code::kNoSuchProcess),
                  .message = name_of(record.spec) + " was gone before the first signal"});
  } else if (reason == EndReason::kExit) {
    events_.push({.type = Event::Type::kExit, .target = id, .pid = pid});
  } else {
    events_.push({.type = Event::Type::kReleased, .target = id, .pid = pid, .code = end_name(reason)});
  }
}

void Scout::fail(uint64_t id, const Error& error) {
  events_.push({.type = Event::Type::kError, .target = id, .pid = error.pid, .code = code_name(error.code), .message = error.message});
  Target* const target = find(id);
  if (target == nullptr) return;
  const std::lock_guard lock(requests_mutex_);
  target->id.set(0);
  targets_.release(target);
}

void Scout::forget(Record& record) {
  const uint64_t id = record.target->id.get();
  if (record.spread) planner_.release(record.placement);
  signals_per_second_ -= record.signals_per_second;
  if (record.followed) --followed_;
  leave_pool(record.spec.allowance.pool);
  {
    const std::lock_guard lock(requests_mutex_);
    record.target->id.set(0);
    targets_.release(record.target);
  }
  const std::lock_guard lock(records_mutex_);
  records_.erase(id);
}

// The lanes are gone, and with them what was still on its way to them.
void Scout::finish_closing() {
  for (auto& lane : lanes_) {
    if (!lane) continue;
    lane->join();
    for (Command* command = lane->abandoned(); command != nullptr;) delete std::exchange(command, command->mailbox_next);
  }
  dismantle_groups();
  let_guardian_go();
  handle_requests();
  while (!records_.empty()) {
    Record& record = *records_.begin()->second;
    record.target->end_reason = EndReason::kClosed;
    record.failure.reset();
    record.ready = true;
    for (Member* member : record.members) {
      by_pid_.erase(member->process.pid());
      member->~Member();
    }
    tell_end(record);
    forget(record);
  }
  events_.push({.type = Event::Type::kClosed});
}

}  // namespace hobble
