// Real processes for the tests: they die with the test, stopped or not.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "engine/clock.h"
#include "engine/procfs.h"

namespace hobble {

class Child {
 public:
  explicit Child(const std::function<void()>& work = [] {
    for (;;) pause();
  }) {
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ != 0) return;
    // Follows the forking thread: the test's own.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    work();
    _exit(0);
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void end() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
};

inline char state_of(pid_t pid) {
  const auto stat = read_stat(pid);
  return stat ? stat->state : '-';
}

inline void rest(Nanos time) {
  const timespec pause = to_timespec(time);
  nanosleep(&pause, nullptr);
}

// True as soon as `condition` holds; false if it does not for ten seconds.
inline bool eventually(const std::function<bool()>& condition) {
  const Nanos until = monotonic_now() + 10 * kSecond;
  while (!condition()) {
    if (monotonic_now() > until) return false;
    rest(kMillisecond);
  }
  return true;
}

}  // namespace hobble
