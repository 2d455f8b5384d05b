// The guardian: resumes what its owner, an engine, can no longer resume. A program of its own, started by the engine (engine/guard.cc) with
//   descriptor 3  the table of leases
//             4  a pidfd of the owner, if the kernel has pidfds
//             5  a pipe whose other end only the owner has
//             6  a pipe to say "ready" on
// and, as arguments, the real-time priority to ask for (0 = none) and the owner's PID, which is there for `ps`.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "guardian/watch.h"

namespace {

constexpr int kTable = 3;
constexpr int kOwner = 4;
constexpr int kPipe = 5;
constexpr int kReady = 6;

// Whoever ends the owner's group, its terminal or its service should not end us before we have done our work. SIGKILL remains.
void ignore_signals() {
  for (int number = 1; number < NSIG; ++number) {
    // Faults of our own stay fatal; the engine starts another guardian then.
    if (number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE || number == SIGABRT) continue;
    signal(number, SIG_IGN);
  }
}

// As low as permitted: down to 0 always, below it with CAP_SYS_RESOURCE.
void avoid_oom_killer() {
  for (const char* const score : {"-1000", "0"}) {
    const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0) return;
    const bool done = write(file, score, strlen(score)) > 0;
    close(file);
    if (done) return;
  }
}

// Descriptors that the owner had opened without close-on-exec would be held open by us.
void close_others() {
  if (syscall(SYS_close_range, kReady + 1, ~0U, 0) == 0) return;
  for (int fd = kReady + 1; fd < 1024; ++fd) close(fd);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    constexpr char kHelp[] = "hobble-guardian is started by hobble; there is nothing to be done with it by hand\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kHelp, sizeof kHelp - 1);
    return 2;
  }
  ignore_signals();
  // Blocked by the engine until now.
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  setsid();
  close_others();
  prctl(PR_SET_NAME, "hobble-guardian");
  [[maybe_unused]] const int changed = chdir("/");
  avoid_oom_killer();
  // No V8 here: all memory may be locked, as far as the limit goes. Not what will be mapped: under a limit that would make mmap() fail.
  mlockall(MCL_CURRENT);
  const sched_param priority{.sched_priority = atoi(arguments[1])};
  const bool fifo = priority.sched_priority > 0 && sched_setscheduler(0, SCHED_FIFO, &priority) == 0;

  hobble::Watch watch(
      {.table = kTable, .owner = fcntl(kOwner, F_GETFD) >= 0 ? kOwner : -1, .pipe = kPipe, .owner_pid = atoi(arguments[2])});
  if (!watch.start()) return 1;
  // The table is sparse, so only those pages of it that are touched.
  mlockall(MCL_CURRENT | MCL_ONFAULT);
  const std::array<char, 2> ready{'r', fifo ? 'f' : 'o'};
  // If nobody reads it the owner has died just now: all the more there is to be done.
  [[maybe_unused]] const ssize_t told = write(kReady, ready.data(), ready.size());
  close(kReady);
  watch.run();
  // Not by way of destructors: the other thread may be about to touch the table.
  _exit(0);
}
