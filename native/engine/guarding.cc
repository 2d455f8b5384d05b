// The guardian of an engine, and its neighbours. Part of class Scout; everything here runs on the scout's thread, or after its end.
#include <unistd.h>

#include <algorithm>

#include "engine/runtime_dir.h"
#include "engine/scout.h"

namespace hobble {
void Scout::tell_unguarded(const Error& error) {
  events_.push({.type = Event::Type::kGuardian,
                .code = code_name(error.code),
                .message = error.message + "; if this process is killed with SIGKILL, what is stopped stays stopped until hobble release"});
}

void Scout::replace_guardian() {
  next_guardian_ = kNever;
  if (closing_.load()) return;
  guard_->reap();
  guardian_pid_.set(0);
  const auto error = guard_->start();
  guardian_pid_.set(guard_->pid());
  if (!error) {
    guardians_failed_ = 0;
    return;
  }
  next_guardian_ = monotonic_now() + kGuardianRetry;
  if (guardians_failed_++ > 0) return;
  tell_unguarded(*error);
  if (options_.guard.mode == GuardMode::kRequire) request_mode(Lane::Mode::kClosed);
}

// The lanes have ended, so nobody is stopped any more.
void Scout::let_guardian_go() {
  options_.leases->close();
  guard_.reset();
  guardian_pid_.set(0);
}

void Scout::read_neighbours(Nanos now) {
  // Whom root must not let off because he stops himself, he must not let off because he hobbles himself.
  const bool heed_users = options_.respect_foreign_stops || geteuid() != 0;
  neighbours_.read(visible_runtime_directories(options_.runtime_directory), options_.leases->path(), heed_users);
  neighbours_read_ = now;
}

// A child that appears in a tree and is somebody else's already is left out by find_new_members.
std::optional<Error> Scout::busy_elsewhere(const std::vector<Found>& found) const {
  for (const Found& one : found) {
    const pid_t owner = neighbours_.owner_of(one.process.identity());
    if (owner == 0) continue;
    const pid_t pid = one.process.pid();
    const std::string who = owner == getpid() ? "another engine of this process" : "the hobble with PID " + std::to_string(owner);
    return Error{Code::kBusy, pid, "process " + std::to_string(pid) + " is hobbled by " + who + " already"};
  }
  return std::nullopt;
}

}  // namespace hobble
