// What the lane says of targets that run in their stop windows: is it true, and what is to be done? Part of class Scout; everything here
// runs on the scout's thread.
#include <algorithm>
#include <string_view>

#include "engine/scout.h"

namespace hobble {
namespace {

constexpr size_t kMostExamined = 64;
constexpr Nanos kBetweenLooks = 5 * kMillisecond;
// CPU time between two looks of one window: more than the clock may lag.
constexpr Nanos kRunsOn = 5 * kMillisecond;

}  // namespace

// Members run although they are stopped: somebody sends them SIGCONT.
void Scout::handle_evasion(Record& record) {
  constexpr Nanos kSoonAgain = 5 * kSecond;
  Target& target = *record.target;
  const Nanos now = monotonic_now();
  // The uppermost, whom the lane looks at. It may ask at each of its looks.
  if (now - record.examined_at > kBetweenLooks) {
    record.examined_at = now;
    const size_t looked_at = std::min(record.members.size(), kMostExamined);
    for (size_t i = 0; i < looked_at; ++i) examine(*record.members[i]);
  }
  if (target.evasions_told.get() == target.evasions.get()) return;
  target.evasions_told.set(target.evasions.get());
  if (record.retired || record.moving || record.ending) return;
  Nanos cpu = 0;
  for (const Member* member : record.members) cpu += std::max<Nanos>(0, member->cpu());
  const bool again = record.evasion_told_at != 0 && now - record.evasion_told_at < kSoonAgain;
  const Nanos evaded = target.evaded.get();
  const Nanos since = again ? now - record.evasion_told_at : 0;
  const OnEvasion how = record.spec.on_evasion;
  // Sending SIGSTOP again was not enough, or not wanted.
  const bool freezes = (how == OnEvasion::kFreeze || (how == OnEvasion::kAuto && again)) && freeze(record);
  events_.push({.type = Event::Type::kEvasion,
                .target = target.id.get(),
                .pid = target.evader.get(),
                .code = freezes                     ? "freeze"
                        : how == OnEvasion::kReport ? "report"
                                                    : "restop",
                .message = "process " + std::to_string(target.evader.get()) + " runs while it should stand still: it is sent SIGCONT",
                .amount = static_cast<double>(evaded - (again ? record.evaded_then : 0)),
                .share = since > 0 ? static_cast<double>(cpu - record.cpu_then) / static_cast<double>(since) : 0});
  record.evasion_told_at = now;
  record.cpu_then = cpu;
  record.evaded_then = evaded;
}

// Does it run because somebody continued it, or because it has not stopped yet? In the middle of a stop window: whoever runs then, and has
// no SIGSTOP on its way, was sent SIGCONT. But another thread may have taken the SIGSTOP, and the first one waits for a CPU to obey it:
// then none of them uses the CPU any more. So it is looked at again in the same window.
void Scout::examine(Member& member) {
  if (member.group || member.standing.get() == Standing::kAnswerable) return;
  const uint64_t signals = member.target->signals.get();
  const Nanos resume_by = member.lease->resume_by.load(std::memory_order_acquire);
  auto status = read_status(member);
  // The first thread has ended before the others: another one tells.
  if (status && status->state == 'Z' && status->threads > 1) status = read_thread_stop_status(member.process.pid());
  if (!status) return;
  member.threads.set(status->threads);
  const bool undisturbed = member.lease->resume_by.load(std::memory_order_acquire) == resume_by && member.target->signals.get() == signals;
  const bool stands = std::string_view("TtZX").find(status->state) != std::string_view::npos || status->stop_pending;
  const bool ours = resume_by != 0 && undisturbed && !member.held.get() && status->tracer == 0;
  if (status->threads <= 1) {
    member.standing.set(Standing::kAnswerable);
  } else if (ours && !stands) {
    const uint64_t window = member.target->cycles.get();
    const Nanos cpu = cpu_time(member.process.pid());
    if (member.standing.get() != Standing::kSeenRunning || member.seen_in_window != window) {
      member.seen_in_window = window;
      member.cpu_when_seen = cpu;
      member.standing.set(Standing::kSeenRunning);
    } else if (cpu - member.cpu_when_seen >= kRunsOn) {
      member.standing.set(Standing::kAnswerable);
    }
  }
}

}  // namespace hobble
