#include "host/command.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "engine/error_text.h"

namespace hobble {
namespace {

constexpr int kNotRun = 127;

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

bool open_pipe(Pipe& pipe) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  pipe.reader.reset(ends[0]);
  pipe.writer.reset(ends[1]);
  return true;
}

// Reads one value; false at end of file.
template <class Value>
bool read_value(int fd, Value& value) {
  ssize_t got = 0;
  do got = read(fd, &value, sizeof value);
  while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof value);
}

// The child's side: the process has other threads, so nothing here may allocate or take a lock (signal-safety(7)).
[[noreturn]] void become_command(char* const* words, const std::vector<int>& inherited_fds, rlim_t open_files, Pipe& gate,
                                 Pipe& exec_error) {
  // Node ignores SIGPIPE, and ignored signals stay ignored after exec.
  struct sigaction default_action {};
  default_action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < _NSIG; ++signal) sigaction(signal, &default_action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);

  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = std::min(open_files, limit.rlim_max);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  for (const int fd : inherited_fds) fcntl(fd, F_SETFD, 0);

  close(gate.writer.get());
  char token = 0;
  if (!read_value(gate.reader.get(), token)) _exit(kNotRun);
  execvp(words[0], words);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(exec_error.writer.get(), &error, sizeof error);
  _exit(kNotRun);
}

struct Watch {
  pid_t pid;
  UniqueFd exec_error;
  std::function<void(CommandChange)> told;
};

CommandChange wait_for_change(pid_t pid) {
  using Kind = CommandChange::Kind;
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WSTOPPED) != 0) {
    // ECHILD: somebody else collected it, and its status is lost.
    if (errno != EINTR) return {Kind::kExited, kNotRun, monotonic_now()};
  }
  const Kind kind = info.si_code == CLD_STOPPED ? Kind::kStopped : info.si_code == CLD_EXITED ? Kind::kExited : Kind::kKilled;
  return {kind, info.si_status, monotonic_now()};
}

// A blocking wait and not SIGCHLD: the engine's own SIGSTOPs and SIGCONTs would interrupt the main thread twice in each cycle.
void* run_watch(void* argument) {
  using Kind = CommandChange::Kind;
  const std::unique_ptr<Watch> watch(static_cast<Watch*>(argument));
  int exec_errno = 0;
  if (!read_value(watch->exec_error.get(), exec_errno)) exec_errno = 0;
  for (;;) {
    const CommandChange change = wait_for_change(watch->pid);
    if (change.kind == Kind::kStopped && change.value == SIGSTOP) continue;
    const bool ended = change.kind != Kind::kStopped;
    watch->told(ended && exec_errno != 0 ? CommandChange{Kind::kNotRun, exec_errno, change.at} : change);
    if (ended) return nullptr;
  }
}

}  // namespace

Result<Command> Command::hold(const CommandSpec& spec) {
  std::vector<char*> words;
  words.reserve(spec.words.size() + 1);
  for (const std::string& word : spec.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);

  Pipe gate;
  Pipe exec_error;
  pid_t pid = -1;
  if (open_pipe(gate) && open_pipe(exec_error)) pid = fork();
  if (pid == 0) become_command(words.data(), spec.inherited_fds, spec.open_files, gate, exec_error);
  if (pid < 0) {
    return Error{Code::kUnsupported, 0, std::string("no process can be started: ") + error_text(errno)};
  }

  Command command;
  command.pid_ = pid;
  command.gate_ = std::move(gate.writer);
  command.exec_error_ = std::move(exec_error.reader);
  return command;
}

void Command::let_go() {
  constexpr char kToken = 1;
  [[maybe_unused]] const ssize_t written = write(gate_.get(), &kToken, sizeof kToken);
  gate_.reset();
}

bool Command::watch(std::function<void(CommandChange)> told) {
  auto* const watch = new Watch{.pid = pid_, .exec_error = std::move(exec_error_), .told = std::move(told)};
  pthread_t thread{};
  if (pthread_create(&thread, nullptr, run_watch, watch) != 0) {
    delete watch;
    return false;
  }
  pthread_detach(thread);
  return true;
}

}  // namespace hobble
