#include "engine/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "engine/error_text.h"

namespace hobble {
namespace {

constexpr Nanos kPatience = 2 * kSecond;
// Above all those that it takes for the guardian's side of the table: 3 to 6, see guardian/main.cc.
constexpr int kLowestCopy = 10;

// The guardians of this process: they are protected, and are nobody's orphans.
constexpr size_t kMostGuardians = 256;
std::array<std::atomic<pid_t>, kMostGuardians> own_guardians{};

void remember(pid_t pid) {
  for (auto& place : own_guardians) {
    pid_t none = 0;
    if (place.compare_exchange_strong(none, pid)) return;
  }
}

void forget(pid_t pid) {
  for (auto& place : own_guardians) {
    pid_t expected = pid;
    if (place.compare_exchange_strong(expected, 0)) return;
  }
}

UniqueFd copy_above(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, kLowestCopy)); }

// A signal that comes meanwhile, to a thread that is JavaScript's, does not end it.
int poll_patiently(pollfd& one) {
  const Nanos until = monotonic_now() + kPatience;
  for (;;) {
    const Nanos left = std::max<Nanos>(until - monotonic_now(), 0);
    const int ready = poll(&one, 1, static_cast<int>((left + kMillisecond - 1) / kMillisecond));
    if (ready >= 0 || errno != EINTR) return ready;
  }
}

}  // namespace

bool is_own_guardian(pid_t pid) {
  for (const auto& place : own_guardians) {
    if (place.load(std::memory_order_relaxed) == pid) return true;
  }
  return false;
}

Guard::~Guard() {
  pipe_.reset();
  // It ends within milliseconds.
  wait_for_end();
  reap();
}

void Guard::wait_for_end() const {
  if (!handle_) return;
  pollfd gone{.fd = handle_.get(), .events = POLLIN, .revents = 0};
  poll_patiently(gone);
}

// Through its handle: where the program ignores SIGCHLD, the kernel collects it, and its PID may be another's.
void Guard::kill() {
  if (auto process = Process::find_again(identity_)) process->send(SIGKILL);
  wait_for_end();
  reap();
}

std::optional<Error> Guard::start() {
  std::array<int, 2> ends{-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return Error{Code::kNoDescriptors, 0, "no file descriptor is left for the guardian"};
  const UniqueFd ready(ends[0]);
  {
    const UniqueFd child_end(ends[1]);
    if (auto error = spawn(child_end.get())) return error;
  }
  pollfd end{.fd = ready.get(), .events = POLLIN, .revents = 0};
  std::array<char, 2> word{};
  if (poll_patiently(end) <= 0 || read(ready.get(), word.data(), word.size()) <= 0) {
    kill();
    return Error{Code::kUnsupported, 0, "the guardian " + options_.program + " started but does not work"};
  }
  return std::nullopt;
}

std::optional<Error> Guard::spawn(int ready) {
  std::array<int, 2> ends{-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return Error{Code::kNoDescriptors, 0, "no file descriptor is left for the guardian"};
  const UniqueFd watched(ends[0]);
  pipe_.reset(ends[1]);
  const UniqueFd self = open_pidfd(getpid());

  const std::array<UniqueFd, 4> copies{copy_above(table_.fd()), self ? copy_above(self.get()) : UniqueFd(), copy_above(watched.get()),
                                       copy_above(ready)};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO);
  for (size_t i = 0; i < copies.size(); ++i) {
    const int number = static_cast<int>(i) + 3;
    if (copies[i]) {
      posix_spawn_file_actions_adddup2(&actions, copies[i].get(), number);
    } else {
      posix_spawn_file_actions_addclose(&actions, number);  // not some descriptor of the program's
    }
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // Until it ignores them itself, a Ctrl-C or Ctrl-Z that comes while it starts waits.
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);

  std::string program = options_.program;
  std::string priority = std::to_string(options_.priority);
  std::string owner = std::to_string(getpid());
  std::array<char*, 4> arguments{program.data(), priority.data(), owner.data(), nullptr};
  const int error = posix_spawn(&pid_, program.c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    pid_ = 0;
    return Error{Code::kUnsupported, 0, "the guardian " + options_.program + " cannot be started: " + error_text(error)};
  }
  remember(pid_);
  handle_ = open_pidfd(pid_);
  identity_ = {.pid = pid_, .inode = handle_ ? pidfd_inode(handle_.get()) : 0};
  if (const auto stat = read_stat(pid_)) identity_.start_ticks = stat->start_ticks;
  return std::nullopt;
}

void Guard::reap() {
  if (pid_ == 0) return;
  forget(pid_);
  reap_child(pid_);
  handle_.reset();
  pid_ = 0;
}

}  // namespace hobble
