#include "host/identify.h"

#include <poll.h>

#include <cerrno>

#include "engine/process.h"

namespace hobble {
namespace {

bool gone(const UniqueFd& pidfd) {
  pollfd poll_fd{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  return poll(&poll_fd, 1, 0) > 0;
}

}  // namespace

std::optional<SeenProcess> identify(pid_t pid) {
  const UniqueFd pidfd = open_pidfd(pid);
  // Without pidfds (before Linux 5.3) the start time has to do: the caller's later use of it is checked against /proc again.
  if (!pidfd && errno != ENOSYS && errno != EPERM) return std::nullopt;
  auto stat = read_stat(pid);
  if (!stat) return std::nullopt;
  if (!pidfd) {
    if (thread_group_of(pid) != pid || stat->state == 'Z' || stat->state == 'X') return std::nullopt;
    return SeenProcess{.stat = std::move(*stat), .inode = 0};
  }
  // The pidfd was opened before /proc was read: still alive now, it is the process that /proc spoke of.
  if (gone(pidfd)) {
    errno = ESRCH;
    return std::nullopt;
  }
  return SeenProcess{.stat = std::move(*stat), .inode = pidfd_inode(pidfd.get())};
}

}  // namespace hobble
