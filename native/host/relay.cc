#include "host/relay.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

namespace hobble {
namespace {

// What a signal handler saw, written to a pipe: less than PIPE_BUF, so whole or not at all.
struct Caught {
  int number;
  int code;
  pid_t sender;
  Nanos at;
};

std::atomic<int> caught_writer{-1};
int caught_reader = -1;

// Not those that report a fault of our own, that V8 uses (SIGPROF), that cannot be caught, or that tell of children and of being continued.
constexpr std::array kRelayed = {SIGHUP,  SIGINT,  SIGQUIT, SIGABRT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM,
                                 SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,  SIGIO,   SIGPWR,  SIGXCPU, SIGXFSZ, SIGWINCH};

void on_signal(int number, siginfo_t* info, void* /*context*/) {
  const int saved_errno = errno;
  const Caught caught{.number = number, .code = info->si_code, .sender = info->si_code > 0 ? 0 : info->si_pid, .at = monotonic_now()};
  // A full pipe (2,700 signals that nobody has read) loses the signal, as the kernel would with standard signals.
  [[maybe_unused]] const ssize_t written = write(caught_writer.load(std::memory_order_relaxed), &caught, sizeof caught);
  errno = saved_errno;
}

bool descends_from_us(pid_t pid) {
  const pid_t us = getpid();
  while (pid > 1) {
    const auto stat = read_stat(pid);
    if (!stat) return false;
    if (stat->parent == us) return true;
    pid = stat->parent;
  }
  return false;
}

// A positive code is the kernel's: the terminal's process group has it, and so has the command; but of a hang-up only the session's leader
// is told, and the others when he dies of it (tty_signal_session_leader in drivers/tty/tty_jobctrl.c of Linux). A descendant that signals
// us means its whole group as a rule (`kill 0` at the end of a shell script), and the command is in it. abort() is our own.
bool meant_for_command(const Caught& caught) {
  if (caught.code > 0) return caught.number == SIGHUP && getsid(0) == getpid();
  return caught.sender != getpid() && !descends_from_us(caught.sender);
}

// To this thread: a signal to the process may be taken by another one, and we would run on for a while. Returns the action before.
struct sigaction raise_with_default_action(int number) {
  struct sigaction default_action {};
  default_action.sa_handler = SIG_DFL;
  struct sigaction before {};
  sigaction(number, &default_action, &before);
  sigset_t only;
  sigset_t mask;
  sigemptyset(&only);
  sigaddset(&only, number);
  pthread_sigmask(SIG_UNBLOCK, &only, &mask);
  raise(number);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  return before;
}

struct Relay {
  Process command;
  std::function<void(RelayedSignal)> told;
};

void* run_relay(void* argument) {
  const auto* const relay = static_cast<Relay*>(argument);
  for (;;) {
    Caught caught{};
    const ssize_t got = read(caught_reader, &caught, sizeof caught);
    if (got < 0 && errno == EINTR) continue;
    if (got != static_cast<ssize_t>(sizeof caught)) return nullptr;
    const bool pass_on = meant_for_command(caught);
    if (pass_on) relay->command.send(caught.number);
    relay->told({.number = caught.number, .passed_on = pass_on, .at = caught.at});
  }
}

}  // namespace

bool catch_signals() {
  if (caught_writer.load() != -1) return false;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  // Only the writer must not wait: it is a signal handler.
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  caught_reader = ends[0];
  caught_writer.store(ends[1]);

  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  for (const int number : kRelayed) sigaction(number, &action, nullptr);
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) sigaction(number, &action, nullptr);
  return true;
}

bool start_relay(Process command, std::function<void(RelayedSignal)> told) {
  // Lives as long as the thread: until the process ends.
  auto* const relay = new Relay{std::move(command), std::move(told)};
  pthread_t thread{};
  if (pthread_create(&thread, nullptr, run_relay, relay) != 0) {
    delete relay;
    return false;
  }
  pthread_detach(thread);
  return true;
}

void write_past_terminal(int fd, const std::string& text) {
  sigset_t only;
  sigset_t mask;
  sigemptyset(&only);
  sigaddset(&only, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &only, &mask);
  [[maybe_unused]] const ssize_t written = write(fd, text.data(), text.size());
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

void stop_self(int number) {
  const struct sigaction before = raise_with_default_action(number);
  sigaction(number, &before, nullptr);
}

void die_of(int number) {
  // The command has dumped its core already, if it was to have one.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  raise_with_default_action(number);
  // No default action ends the first process of a PID namespace.
  _exit(128 + number);
}

}  // namespace hobble
