#include "engine/emergency.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <thread>
#include <utility>

#include "engine/engine.h"

namespace hobble {
namespace {

// What a signal handler can reach. An eventfd and not signalfd(2): Node's threads were there before us and do not block the signal.
std::atomic<int> bell{-1};

void ring(int /*signal*/) {
  const int saved = errno;
  const uint64_t one = 1;
  static_cast<void>(write(bell.load(std::memory_order_relaxed), &one, sizeof one));
  errno = saved;
}

void wait_and_pause(int fd, const std::function<void()>& told) {
  // Ahead of whatever is hobbled, behind the lanes. Where it is refused we have the priority of this process.
  const sched_param lowest{.sched_priority = 1};
  sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest);
  for (uint64_t rings = 0;;) {
    if (read(fd, &rings, sizeof rings) != sizeof rings) continue;
    pause_all_engines();
    told();
  }
}

}  // namespace

bool pause_engines_on(int signal, std::function<void()> told) {
  const int fd = eventfd(0, EFD_CLOEXEC);
  int none = -1;
  if (fd < 0 || !bell.compare_exchange_strong(none, fd)) {
    if (fd >= 0) close(fd);
    return false;
  }
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the new thread inherits it
  // It lives as long as the process.
  std::thread([fd, told = std::move(told)] { wait_and_pause(fd, told); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  struct sigaction action {};
  action.sa_handler = ring;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  return sigaction(signal, &action, nullptr) == 0;
}

}  // namespace hobble
