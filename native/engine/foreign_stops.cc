// What others stopped is not ours to resume. Part of class Scout; everything here runs on the scout's thread.
//
// Shortly before a SIGCONT is due, /proc/PID/status tells whether a stop signal is pending although the process is stopped: either
// somebody's came while we held it, or ours found it stopped by somebody. Such a member is held: the lane does not signal it any more,
// until it runs again. While there is time to spare there is a second look at the end of the run window, which keeps our SIGSTOP from a
// debugger.
#include <algorithm>
#include <csignal>

#include "engine/scout.h"

namespace hobble {
namespace {

// Looks may take this share of a CPU. Beyond it only every k-th cycle is looked at.
constexpr double kMostShare = 0.1;
// How long before a signal is due: a stop that comes in between is not seen. With many targets a wake-up serves the looks of 5 ms.
constexpr Nanos kLead = 1500 * kMicrosecond;
constexpr Nanos kLongLead = 6 * kMillisecond;
constexpr double kManyLooks = 500;  // a second
// This thread may be late itself. What it was late by lately comes on top, up to this.
constexpr Nanos kMostLateness = 20 * kMillisecond;
// The second look of a cycle is for few targets.
constexpr double kMostTwice = 200;
// Between two looks at a member that is held.
constexpr Nanos kHeldLook = 50 * kMillisecond;
constexpr Nanos kFirstLook = 5 * kMillisecond;
constexpr Nanos kNearestLook = kMillisecond;
// Looks at a target without a cycle, until it has not been stopped for so long.
constexpr Nanos kLimitIdle = 1 * kSecond;
constexpr Nanos kLimitLook = 10 * kMillisecond;
// Looks at a target of a pool, for each target of it: 400 a second for all of them together.
constexpr Nanos kPoolLook = 2500 * kMicrosecond;
constexpr Nanos kLeastPoolLook = 50 * kMillisecond;
constexpr Nanos kMostPoolLook = 5 * kSecond;
// Members whose file stays open between looks. Each takes a descriptor, and some 5 KiB of the kernel's memory.
constexpr size_t kMostFiles = 2048;

}  // namespace

// How long before a signal to look.
Nanos Scout::look_lead() const { return (signals_per_second_ > kManyLooks ? kLongLead : kLead) + std::min(look_lateness_, kMostLateness); }

Nanos Scout::next_look() const { return looks_.empty() ? kNever : looks_.top().at; }

void Scout::watch_for_foreign_stops(const Record& record, Nanos now) {
  if (!options_.respect_foreign_stops) return;
  record.target->watched.set(true);
  looks_.push({.at = now + (record.spec.cycle.run > 0 ? kFirstLook : 0), .target = record.target->id.get()});
}

void Scout::look_for_foreign_stops(Nanos now) {
  const Nanos until = now + (signals_per_second_ > kManyLooks ? kLongLead - kLead : 0);
  while (!looks_.empty() && looks_.top().at <= until) {
    const uint64_t id = looks_.top().target;
    // Up at once, down slowly.
    look_lateness_ = std::max(monotonic_now() - looks_.top().at, look_lateness_ - look_lateness_ / 32);
    looks_.pop();
    const auto found = records_.find(id);
    if (found == records_.end() || found->second->retired) continue;
    Record& record = *found->second;
    look_at(record);
    yield_to_neighbours(record);
    if (record.spec.cycle.run == 0 && !stops_now_and_then(*record.target, monotonic_now())) {
      record.target->watched.set(false);
      continue;
    }
    looks_.push({.at = time_of_next_look(record, monotonic_now()), .target = id});
  }
}

void Scout::look_at(Record& record) {
  const Nanos began = read_clock(CLOCK_THREAD_CPUTIME_ID);
  uint32_t looks = 0;
  for (Member* member : record.members) {
    look_at(*member);
    ++looks;
  }
  if (looks == 0) return;
  looks_done_.add(looks);
  const Nanos cost = std::min((read_clock(CLOCK_THREAD_CPUTIME_ID) - began) / looks, 50 * kMicrosecond);
  look_cost_ += (cost - look_cost_) / 16;
}

// What looks like an operator's stop may be that of another hobble, which did not see our table when it began, a user's that of root's. It
// takes our stops for an operator's too, so that both would wait for the other for ever: whoever sees the other lets go.
void Scout::yield_to_neighbours(Record& record) {
  if (record.target->held_members.get() == 0 || record.retired || record.moving || record.ending) return;
  const Nanos now = monotonic_now();
  if (now - neighbours_read_ > kSecond) read_neighbours(now);
  const auto shared = [this](const Member* member) {
    return member->held.get() && !member->traced.get() && !member->group && neighbours_.owner_of(member->process.identity()) != 0;
  };
  const auto first = std::find_if(record.members.begin(), record.members.end(), shared);
  if (first == record.members.end()) return;
  const pid_t pid = (*first)->process.pid();
  const pid_t owner = neighbours_.owner_of((*first)->process.identity());
  record.failure = Error{Code::kBusy, pid,
                         "process " + std::to_string(pid) + " is hobbled by the hobble with PID " + std::to_string(owner) +
                             " too, which did not see us; it is left to that one"};
  record.ending = true;
  post_to_lane(record, Command::Kind::kRemove, nullptr, EndReason::kError);
  // The lane sends nothing to those that are held, and the other hobble nothing before they run.
  for (const Member* member : record.members) {
    if (shared(member)) member->process.send(SIGCONT);
  }
}

std::optional<StopStatus> Scout::read_status(Member& member) {
  if (!member.status_file && status_files_ < kMostFiles) {
    member.status_file = member.process.open_file("status");
    if (member.status_file) ++status_files_;
  }
  return member.status_file ? read_stop_status_fd(member.status_file.get()) : read_stop_status(member.process.pid());
}

// Before its first stop: what is stopped now, others have stopped.
void Scout::hold_what_others_hold(Member& member, char state) {
  if (!options_.respect_foreign_stops) return;
  const auto status = read_status(member);
  if (status && status->tracer != 0) {
    hold(member, true);
  } else if (state == 'T' || (status && status->stop_pending)) {
    hold(member, false);
  }
}

void Scout::look_at(Member& member) {
  if (member.group) {
    look_at_group(member);
    return;
  }
  // In this order, and the same again afterwards: then no signal of ours came while we looked.
  const uint64_t signals = member.target->signals.get();
  const Nanos resume_by = member.lease->resume_by.load(std::memory_order_acquire);
  const auto status = read_status(member);
  if (!status) return;
  member.threads.set(status->threads);
  const bool stopped = status->state == 'T' || status->state == 't';
  if (member.held.get()) {
    // With the debugger gone, a stop that is ours and nobody else's is in force still: the lane ends it in its turn.
    const bool ours_alone = member.traced.get() && resume_by != 0 && !status->stop_pending;
    if (status->tracer != 0) return;
    if ((!stopped && !status->stop_pending) || ours_alone) {
      let_go(member);
    } else {
      member.traced.set(false);
    }
    return;
  }
  // It ran while we held it and was sent SIGSTOP again, which may be what is pending. Said before that signal, so it is read after the
  // look.
  if (member.lease->restopped.load(std::memory_order_acquire) != 0) return;
  const bool undisturbed = member.lease->resume_by.load(std::memory_order_acquire) == resume_by && member.target->signals.get() == signals;
  const bool ours = resume_by != 0 || !undisturbed;
  if (status->tracer != 0) {
    hold(member, true);
  } else if (ours ? status->state == 'T' && status->stop_pending : status->state == 'T' || status->stop_pending) {
    // A starved process takes a while to stop: a stop signal on its way to one that we do not hold is somebody else's too.
    hold(member, false);
  }
}

// Frozen by its own setting while we do not freeze it. What somebody does during our stop window cannot be told from what we did.
void Scout::look_at_group(Member& member) {
  const uint64_t signals = member.target->signals.get();
  const Nanos resume_by = member.lease->resume_by.load(std::memory_order_acquire);
  const bool frozen = member.group->frozen();
  const bool undisturbed = member.lease->resume_by.load(std::memory_order_acquire) == resume_by && member.target->signals.get() == signals;
  if (member.held.get()) {
    if (!frozen) let_go(member);
  } else if (frozen && resume_by == 0 && undisturbed) {
    hold(member, false);
  }
}

void Scout::hold(Member& member, bool traced) {
  member.traced.set(traced);
  member.held.set(true);
  Target& target = *member.target;
  target.held_members.set(target.held_members.get() + 1);
  events_.push({.type = Event::Type::kHeld, .target = target.id.get(), .pid = member.process.pid(), .code = traced ? "tracer" : "signal"});
}

void Scout::let_go(Member& member) {
  member.held.set(false);
  Target& target = *member.target;
  target.held_members.set(target.held_members.get() - 1);
  events_.push({.type = Event::Type::kUnheld, .target = target.id.get(), .pid = member.process.pid()});
}

// Without a cycle: was it stopped lately? The lane tells when it is stopped again.
bool Scout::stops_now_and_then(const Target& target, Nanos now) {
  const TargetState state = target.state.get();
  return target.held_members.get() > 0 || state == TargetState::kStopped || state == TargetState::kWaiting ||
         now - target.resume_by.get() < kLimitIdle;
}

// While it is stopped, shortly before it runs again. While it runs nobody can foretell when its limit will be spent: often enough to see
// the stop window before it ends. Whose turn it is in a pool cannot be foretold either.
Nanos Scout::time_of_next_limit_look(const Record& record, Nanos now) const {
  if (const TargetPool* const pool = record.spec.allowance.pool) {
    return now + std::clamp(static_cast<Nanos>(pool->uses) * kPoolLook, kLeastPoolLook, kMostPoolLook);
  }
  const Nanos resume = record.target->resume_by.get();
  return resume > now + kLead + kNearestLook ? resume - kLead : now + kLimitLook;
}

Nanos Scout::time_of_next_look(const Record& record, Nanos now) const {
  if (record.target->held_members.get() > 0) return now + kHeldLook;
  if (record.spec.cycle.run == 0) return time_of_next_limit_look(record, now);
  const Cycle& cycle = record.spec.cycle;
  const int stretch = rates_.stretch.get();
  const Nanos period = cycle.period() * stretch;
  // The SIGCONTs are half of the signals.
  const double allowed = kMostShare * kSecond / static_cast<double>(std::max<Nanos>(look_cost_, 1));
  const bool twice = signals_per_second_ <= kMostTwice;
  const auto skipped = static_cast<Nanos>(signals_per_second_ / 2 / allowed);
  const Nanos lead = std::min(look_lead(), std::max(kLead, cycle.stop * stretch / 2));

  // The next SIGCONT whose look is still to come.
  Nanos resume = record.target->resume_by.get();
  if (resume == 0) return now + kFirstLook;
  // With many targets a look may come as much earlier as is served at a time: that SIGCONT had its look just now.
  const Nanos ahead = signals_per_second_ > kManyLooks ? kLongLead - kLead : 0;
  const Nanos earliest = now + std::min(kNearestLook, cycle.stop / 4) + lead + ahead;
  const Nanos run_look = resume + cycle.run * stretch - std::min(lead, cycle.run * stretch / 2);
  if (resume < earliest) resume += ((earliest - resume) / period + 1) * period;
  Nanos next = resume - lead;
  if (twice && run_look > now + kNearestLook) next = std::min(next, run_look);
  return std::max(next, now + kNearestLook) + skipped * period;
}

}  // namespace hobble
