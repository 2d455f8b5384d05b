// Targets that fight back: whose members run while they should stand still, because somebody sends them SIGCONT. A stopped process uses no
// CPU time, so their clocks tell (0.8 us a member). Part of class Lane; everything here runs on the lane's thread, and nothing here
// allocates, blocks, opens or logs.
//
// Every stop window is judged at its end. Whoever was seen to run in one is watched in the next ones: looked at again and again, and
// reported. Once that is proven every look sends SIGSTOP, whether the clock has moved or not: it moves once a tick while the process runs
// (4 ms), in which a SIGCONT each half millisecond would have won 98 % of a CPU. Of a process of several threads the clock alone proves
// nothing: the scout looks at it, and until it has a say nothing is counted and nothing sent.
#include <algorithm>
#include <cerrno>
#include <csignal>

#include "engine/lane.h"

namespace hobble {
namespace {

// A SIGSTOP needs this long to arrive on a busy host.
constexpr Nanos kArrival = kMillisecond;
// Less than this much CPU time between two looks is not running: the clock of a thread that is stopped a little late.
constexpr Nanos kStill = 40 * kMicrosecond;
// Likewise in a stop window of which only the beginning and the end were looked at. The clock of a process that runs is brought up to date
// once a tick only, or when it leaves its CPU: right after the SIGSTOP it lags by up to a tick for each thread.
constexpr Nanos kUnwatchedShare = 50;
// For so long a thread may run before another one that waits for its CPU gets it (base_slice_ns of the scheduler: 2.8 to 4 ms).
constexpr Nanos kSlice = 4 * kMillisecond;
// Stop windows longer than that are looked at in between too, so that nobody runs for long.
constexpr Nanos kLongWindow = kSecond;
constexpr Nanos kFirstLook = 500 * kMillisecond;
// Between two looks at a target that is watched.
constexpr Nanos kWatchLook = 100 * kMicrosecond;
// Looks at which it ran, that prove it: one may be a thread that was stopped late.
constexpr uint8_t kProof = 2;
// Stop windows without running after which it is watched no longer.
constexpr uint8_t kInnocent = 8;
// Members that are looked at: of a larger target the uppermost.
constexpr int kMostWatched = 64;
// Between two reports of a target.
constexpr Nanos kReportGap = 250 * kMillisecond;
// The watching may save up this much of its share.
constexpr Nanos kSavedUp = 5 * kMillisecond;
// What a look costs beside what this thread sees of it: waking up, on a virtual machine (45 us a look were measured there).
constexpr Nanos kWakeUp = 40 * kMicrosecond;

// How far the clock of a running thread may lag.
Nanos tick() {
  timespec resolution{};
  return clock_getres(CLOCK_MONOTONIC_COARSE, &resolution) == 0 ? to_nanos(resolution) : 10 * kMillisecond;
}

// Whom somebody else had stopped, and has let run again in the middle of a stop window of the others, evades nothing.
bool stopped_by_us(const Member& member) { return member.stopped && !member.held.get(); }

// Those whose clocks are looked at. `visit` may drop its member.
template <class Visit>
void for_watched(const Target& target, Visit visit) {
  int looked = 0;
  for (Member* member = target.members.first(); member != nullptr && looked < kMostWatched; ++looked) {
    Member* const next = decltype(target.members)::next(member);
    visit(*member);
    member = next;
  }
}

}  // namespace

// The last SIGSTOP has gone out at `now`, for a window that ends at `end`.
void Lane::begin_watch(Target& target, Nanos now, Nanos end) {
  target.look_at = 0;
  if (!watches(target)) return;
  target.settled_down = false;
  if (target.suspected.get()) {
    target.look_at = now + std::min(kArrival, (end - now) / 8);
  } else if (end - now > kLongWindow) {
    target.look_at = now + kFirstLook;
  }
  note_still(target);
}

// What its members have spent now is not held against them when this stop window is judged.
void Lane::note_still(Target& target) const {
  if (!watches(target)) return;
  for_watched(target, [](Member& member) { member.cpu_still = cpu_time(member.process.pid()); });
}

bool Lane::watches(const Target& target) const { return options_.watches_evasion && !target.frozen_whole.get() && !target.members.empty(); }

// When the target is to be served next while it is stopped, its stop window ending at `end`.
Nanos Lane::next_in_stop(const Target& target, Nanos end) { return target.look_at > 0 ? std::min(end, target.look_at) : end; }

// A look within a stop window.
void Lane::watch(Target& target, Nanos now, Nanos end) {
  target.look_at = 0;
  if (!target.suspected.get()) {
    if (!ran_unwatched(target, now)) return;
    suspect(target);
  }
  watch_left_ = std::min(kSavedUp, watch_left_ + static_cast<Nanos>(static_cast<double>(now - watch_refilled_) * options_.watch_share));
  watch_refilled_ = now;
  watch_members(target, target.settled_down);
  target.settled_down = true;
  const Nanos after = monotonic_now();
  watch_left_ -= after - now + kWakeUp;
  // Where the share is used up the next look waits until it is not.
  const Nanos debt = watch_left_ < 0 ? static_cast<Nanos>(static_cast<double>(-watch_left_) / options_.watch_share) : 0;
  const Nanos next = after + std::max(kWatchLook, debt);
  if (next < end) target.look_at = next;
  if (target.proofs >= kProof) report_evasion(target, after);
}

// Whoever has run, or of whom it is proven that they do, is sent SIGSTOP again. `counts`: the SIGSTOPs had arrived long before the look
// before this one.
void Lane::watch_members(Target& target, bool counts) {
  const bool proven = counts && target.proofs >= kProof;
  bool doubtful = false;
  for_watched(target, [&](Member& member) {
    const Nanos cpu = cpu_time(member.process.pid());
    const Nanos ran = cpu - member.cpu_still;
    if (cpu < 0 || !stopped_by_us(member)) return;
    const bool has_run = ran > kStill;
    const bool answerable = member.standing.get() == Standing::kAnswerable;
    if (has_run) member.cpu_still = cpu;
    if (has_run && counts && answerable) count_evasion(target, member, ran);
    doubtful = doubtful || (has_run && counts && !answerable);
    if ((proven || (has_run && counts)) && answerable && target.restops_allowed) restop(member);
  });
  if (doubtful) send_note(target.evasion_note, &target);
}

// One that was stopped again already keeps it pending: whoever looks after it must not take that for somebody else's.
void Lane::restop(Member& member) {
  member.restopped = true;
  member.lease->restopped.store(1, std::memory_order_release);
  member.target->restops.add(1);
  member.target->signals.add(1);
  counters_.signals.add(1);
  if (const int error = member.process.send(SIGSTOP); error != 0) {
    if (error != ESRCH) member.error = error;
    drop(member);
  }
}

void Lane::count_evasion(Target& target, const Member& member, Nanos ran) {
  target.evaded.add(ran);
  target.evader.set(member.process.pid());
  target.clean_windows = 0;
  if (target.proofs < kProof) ++target.proofs;
}

// Was more used since the SIGSTOPs than they need to arrive?
bool Lane::ran_unwatched(Target& target, Nanos now) {
  const Nanos stopped = now - target.halted;
  static const Nanos lag = tick();
  if (stopped < 2 * (lag + kArrival)) return false;
  bool ran_on = false;
  for_watched(target, [&](Member& member) {
    const Nanos cpu = cpu_time(member.process.pid());
    const Nanos ran = cpu - member.cpu_still;
    const auto threads = static_cast<Nanos>(member.threads.get());
    const Nanos late = threads > 1 ? lag * std::min<Nanos>(threads - 1, cpus_ - 1) + kSlice * threads : 0;
    const Nanos allowed = std::clamp(lag + kArrival + late, stopped / kUnwatchedShare, stopped / 2);
    if (cpu < 0 || ran <= allowed || !stopped_by_us(member)) return;
    ran_on = true;
    if (threads == 1) target.evaded.add(ran);
    member.cpu_still = cpu;
  });
  return ran_on;
}

void Lane::suspect(Target& target) {
  target.suspected.set(true);
  target.clean_windows = 0;
  target.proofs = 0;
  target.settled_down = false;
  for_watched(target, [](Member& member) { member.standing.set(Standing::kUnknown); });
  send_note(target.evasion_note, &target);
}

// The stop window ends now: before the SIGCONTs.
void Lane::judge(Target& target, Nanos now) {
  target.look_at = 0;
  if (!watches(target) || (target.cyclic() && target.first_window)) return;
  if (!target.suspected.get()) {
    if (ran_unwatched(target, now)) suspect(target);
  } else if (++target.clean_windows > kInnocent) {
    target.suspected.set(false);
  }
}

// Under a limit, whose stop windows end when enough is earned: one that runs on may never earn it.
void Lane::doubt(Target& target, Nanos now) {
  if (!watches(target)) return;
  if (!target.suspected.get()) {
    if (!ran_unwatched(target, now)) return;
    suspect(target);
  }
  target.look_at = now + kWatchLook;
}

void Lane::report_evasion(Target& target, Nanos now) {
  if (now - target.reported < kReportGap || target.evasions_told.get() != target.evasions.get()) return;
  target.reported = now;
  target.evasions.add(1);
  send_note(target.evasion_note, &target);
}

}  // namespace hobble
