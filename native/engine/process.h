// One process, held by identity: the only file of the engine that sends a signal.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "engine/clock.h"
#include "engine/procfs.h"
#include "engine/result.h"
#include "engine/unique_fd.h"

namespace hobble {

// Who a process is. A PID alone names nobody: it can be another process tomorrow.
struct Identity {
  static constexpr uint64_t kUnknownTicks = UINT64_MAX;

  pid_t pid = 0;
  // Inode of its pidfd: unique while the system is up (pidfs, Linux 6.9). 0 = unknown.
  uint64_t inode = 0;
  // Start in clock ticks (10 ms) after boot.
  uint64_t start_ticks = kUnknownTicks;
};

// A pidfd of a process, or an empty one and errno.
UniqueFd open_pidfd(pid_t pid);

// 0 before pidfs (Linux 6.9).
uint64_t pidfd_inode(int pidfd);

enum class SignalMethod { kPidfd, kKill };

// What this kernel has. kill() is for Linux before 5.3, and for sandboxes that refuse pidfds.
SignalMethod best_signal_method();

// A handle to one process. Opened on the helper thread; its signals are sent by the timer thread that owns the member.
class Process {
 public:
  Process() = default;

  // Fails with ESRCH, EPERM, EMFILE, ERR_IDENTITY (it is not the process that `expected` describes) or EINVAL (a thread that leads no
  // process). `seen`: what /proc says about that very process.
  static Result<Process> open(const Identity& expected, SignalMethod method, ProcessStat* seen = nullptr);

  // The process that was known earlier, by the inode of its pidfd where that is known (7 us), else by its start time. Fails with ESRCH if
  // it is gone, or another has its PID; any other error (EMFILE) tells nothing about it.
  static Result<Process> find_again(const Identity& known);

  const Identity& identity() const { return identity_; }
  pid_t pid() const { return identity_.pid; }
  // Becomes readable when the process is gone: when its last thread has exited, not when its leader is a zombie. -1 with kKill.
  int exit_fd() const { return method_ == SignalMethod::kPidfd ? handle_.get() : -1; }

  // 0 or an errno. ESRCH = gone. With kKill the start time is looked at first, through a descriptor that stays with the process;
  // a PID that changes hands in the microseconds between is the hole that pidfds close.
  int send(int signal) const;

  // Is it gone (a zombie with no living thread counts as gone)?
  bool gone() const;

  // A file of /proc/PID of this very process ("stat", "status"); empty if it is gone, or descriptors are scarce.
  UniqueFd open_file(const char* name) const;

  // Collect it if it is a child of ours that has exited.
  void reap() const;

 private:
  SignalMethod method_ = SignalMethod::kPidfd;
  UniqueFd handle_;  // a pidfd, or /proc/PID/stat with kKill
  Identity identity_;
};

// Collect a child of ours if it has exited.
void reap_child(pid_t pid);

// The CPU clock of a process: nanoseconds, all threads, also those that exited. No privilege is needed. -1 if it is gone.
// A reused PID gives a wrong figure, never a wrong signal.
Nanos cpu_time(pid_t pid);

}  // namespace hobble
