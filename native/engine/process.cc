#include "engine/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "engine/error_text.h"

namespace hobble {
namespace {

constexpr long kPidfsMagic = 0x50494446;  // PID_FS_MAGIC, include/uapi/linux/magic.h

#ifndef P_PIDFD
constexpr idtype_t P_PIDFD = static_cast<idtype_t>(3);
#endif

// Descriptors that are left to /proc readings and to the program that we are part of.
constexpr rlim_t kReserve = 32;

// Descriptors are numbered from below, so the number tells how many are left.
bool in_reserve(int fd) {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 && static_cast<rlim_t>(fd) + kReserve >= limit.rlim_cur;
}

int pidfd_send_signal(int pidfd, int signal) { return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0)); }

bool readable(int fd) {
  pollfd poll_fd{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&poll_fd, 1, 0) > 0;
}

Error system_error(int error, pid_t pid) {
  const std::string who = "process " + std::to_string(pid);
  switch (error) {
    case ESRCH:
      return {Code::kNoSuchProcess, pid, "there is no " + who};
    case EPERM:
    case EACCES:
      return {Code::kNotPermitted, pid, who + " belongs to another user: not permitted to signal it; run as its owner or as root"};
    case EMFILE:
    case ENFILE:
      return {Code::kNoDescriptors, pid,
              "no file descriptor is left for " + who +
                  ": raise the hard limit on open files (ulimit -Hn, LimitNOFILE=); each member takes one"};
    default:
      return {Code::kInvalid, pid, who + " cannot be opened: " + error_text(error)};
  }
}

}  // namespace

UniqueFd open_pidfd(pid_t pid) { return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

// A leader that exited while its threads live looks like a zombie too, but counts more than one thread.
bool dead(const ProcessStat& stat) { return (stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1; }

// Before pidfs every pidfd shared one inode number, which identifies nobody.
uint64_t pidfd_inode(int pidfd) {
  struct statfs filesystem {};
  struct stat file {};
  if (fstatfs(pidfd, &filesystem) != 0 || filesystem.f_type != kPidfsMagic || fstat(pidfd, &file) != 0) return 0;
  return file.st_ino;
}

const char* code_name(Code code) {
  switch (code) {
    case Code::kNoSuchProcess:
      return "ESRCH";
    case Code::kNotPermitted:
      return "EPERM";
    case Code::kInvalid:
      return "EINVAL";
    case Code::kNoDescriptors:
      return "EMFILE";
    case Code::kProtected:
      return "ERR_PROTECTED";
    case Code::kIdentity:
      return "ERR_IDENTITY";
    case Code::kBusy:
      return "ERR_BUSY";
    case Code::kOverload:
      return "ERR_OVERLOAD";
    case Code::kClosed:
      return "ERR_CLOSED";
    case Code::kUnsupported:
      return "ERR_UNSUPPORTED";
    case Code::kRuntimeDir:
      return "ERR_RUNTIME_DIR";
  }
  return "EINVAL";
}

SignalMethod best_signal_method() {
  const UniqueFd self = open_pidfd(getpid());
  return self && pidfd_send_signal(self.get(), 0) == 0 ? SignalMethod::kPidfd : SignalMethod::kKill;
}

Result<Process> Process::open(const Identity& expected, SignalMethod method, ProcessStat* seen) {
  const pid_t pid = expected.pid;
  Process process;
  process.method_ = method;
  if (method == SignalMethod::kPidfd) {
    process.handle_ = open_pidfd(pid);
    if (!process.handle_) {
      // EINVAL (ENOENT since Linux 6.9) means a thread that is not the leader of its process.
      const int error = errno;
      const pid_t leader = error == EINVAL || error == ENOENT ? thread_group_of(pid) : 0;
      if (leader != 0 && leader != pid) {
        const std::string name = std::to_string(pid);
        return Error{Code::kInvalid, pid, name + " is a thread of process " + std::to_string(leader) + "; give the process"};
      }
      return system_error(leader == 0 && error != EMFILE && error != ENFILE && error != EPERM ? ESRCH : error, pid);
    }
    process.identity_.inode = pidfd_inode(process.handle_.get());
  } else {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    process.handle_.reset(::open(path, O_RDONLY | O_CLOEXEC));
    if (!process.handle_) return system_error(errno == ENOENT ? ESRCH : errno, pid);
    if (thread_group_of(pid) != pid) return Error{Code::kInvalid, pid, std::to_string(pid) + " is a thread; give its process"};
  }

  if (in_reserve(process.handle_.get())) return system_error(EMFILE, pid);

  auto stat = method == SignalMethod::kPidfd ? read_stat(pid) : read_stat_fd(process.handle_.get());
  // The pidfd was opened first: if it is still alive now, what /proc said is about this very process.
  if (!stat) return system_error(method == SignalMethod::kPidfd && !process.gone() ? EPERM : ESRCH, pid);
  process.identity_.pid = pid;
  process.identity_.start_ticks = stat->start_ticks;
  if (process.gone()) return system_error(ESRCH, pid);

  const bool other_inode = expected.inode != 0 && process.identity_.inode != 0 && expected.inode != process.identity_.inode;
  const bool other_start = expected.start_ticks != Identity::kUnknownTicks && expected.start_ticks != process.identity_.start_ticks;
  if (other_inode || other_start) {
    return Error{Code::kIdentity, pid, "PID " + std::to_string(pid) + " is another process by now (" + stat->name + "); look it up again"};
  }
  if (const int error = process.send(0); error != 0) return system_error(error, pid);
  if (seen != nullptr) *seen = std::move(*stat);
  return process;
}

Result<Process> Process::find_again(const Identity& known) {
  const Error is_gone = system_error(ESRCH, known.pid);
  Process process;
  process.identity_ = known;
  process.handle_ = open_pidfd(known.pid);
  if (process.handle_) {
    if (const uint64_t inode = pidfd_inode(process.handle_.get()); known.inode != 0 && inode != 0) {
      if (inode != known.inode || process.gone()) return is_gone;
      return process;
    }
  } else {
    // EINVAL (ENOENT since Linux 6.9): the PID is a thread's by now.
    if (errno == ESRCH || errno == EINVAL || errno == ENOENT) return is_gone;
    if (errno != ENOSYS && errno != EPERM) return system_error(errno, known.pid);
    process.method_ = SignalMethod::kKill;
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", known.pid);
    process.handle_.reset(::open(path, O_RDONLY | O_CLOEXEC));
    if (!process.handle_) return system_error(errno == ENOENT ? ESRCH : errno, known.pid);
  }
  // The handle first: if the process still lives afterwards, the start time was its own.
  const auto stat = process.method_ == SignalMethod::kKill ? read_stat_fd(process.handle_.get()) : read_stat(known.pid);
  if (process.gone()) return is_gone;
  if (!stat) return system_error(errno, known.pid);
  if (stat->start_ticks != known.start_ticks) return is_gone;
  return process;
}

int Process::send(int signal) const {
  if (method_ == SignalMethod::kPidfd) return pidfd_send_signal(handle_.get(), signal) == 0 ? 0 : errno;
  const auto stat = read_stat_fd(handle_.get());
  // kill() on a zombie succeeds: it is gone all the same.
  if (!stat || stat->start_ticks != identity_.start_ticks || dead(*stat)) return ESRCH;
  return kill(identity_.pid, signal) == 0 ? 0 : errno;
}

bool Process::gone() const {
  if (method_ == SignalMethod::kPidfd) return readable(handle_.get());
  const auto stat = read_stat_fd(handle_.get());
  return !stat || dead(*stat);
}

UniqueFd Process::open_file(const char* name) const {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", identity_.pid, name);
  UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  // Still there after opening: then the file is its own, and not a successor's.
  return !file || in_reserve(file.get()) || gone() ? UniqueFd() : std::move(file);
}

void Process::reap() const {
  siginfo_t info{};
  if (method_ == SignalMethod::kPidfd) {
    waitid(P_PIDFD, static_cast<id_t>(handle_.get()), &info, WEXITED | WNOHANG);
  } else {
    reap_child(identity_.pid);
  }
}

void reap_child(pid_t pid) {
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);
}

Nanos cpu_time(pid_t pid) {
  timespec time{};
  // CPUCLOCK_SCHED of a process: see clock_getcpuclockid(3) and include/linux/posix-timers.h.
  const auto clock = static_cast<clockid_t>((~static_cast<unsigned>(pid) << 3U) | 2U);
  return clock_gettime(clock, &time) == 0 ? to_nanos(time) : -1;
}

}  // namespace hobble
