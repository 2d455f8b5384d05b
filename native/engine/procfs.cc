#include "engine/procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "engine/clock.h"
#include "engine/unique_fd.h"

namespace hobble {
namespace {

constexpr uint32_t kKernelThreadFlag = 0x00200000;  // PF_KTHREAD, include/linux/sched.h

template <class Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// Calls `visit` for each numeric name in a directory until it returns false; false if it cannot be opened.
template <class Visit>
bool for_each_number(const char* path, Visit visit) {
  const Directory directory(opendir(path));
  if (!directory) return false;
  while (const dirent* entry = readdir(directory.get())) {  // NOLINT(concurrency-mt-unsafe): the stream is this thread's own
    pid_t number = 0;
    if (parse_number(std::string_view(entry->d_name), number) && !visit(number)) break;
  }
  return true;
}

ssize_t read_all_at_start(int fd, char* buffer, size_t size) {
  ssize_t got = 0;
  do got = pread(fd, buffer, size, 0);
  while (got < 0 && errno == EINTR);
  return got;
}

constexpr size_t kStatusBytes = 4096;

// The value of a line such as "ShdPnd:\t0000000000000000" of /proc/PID/status; `base` 16 for masks.
uint64_t status_field(std::string_view status, std::string_view name, int base) {
  const size_t at = status.find(name);
  return at == std::string_view::npos ? 0 : strtoull(status.data() + at + name.size(), nullptr, base);
}

constexpr uint64_t bit(int signal) { return 1ULL << (signal - 1); }

}  // namespace

bool ProcessStat::kernel_thread() const { return (flags & kKernelThreadFlag) != 0; }

std::optional<ProcessStat> parse_stat(std::string_view line) {
  const size_t open = line.find('(');
  const size_t close = line.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open || open < 2) return std::nullopt;
  ProcessStat stat;
  if (!parse_number(line.substr(0, open - 1), stat.pid)) return std::nullopt;
  stat.name = line.substr(open + 1, close - open - 1);

  std::string_view rest = line.substr(close + 1);
  bool good = true;
  int field = 2;  // the name is field 2 in proc_pid_stat(5)
  while (good && field < 22) {
    const size_t start = rest.find_first_not_of(" \n");
    if (start == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(start);
    const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
    rest.remove_prefix(word.size());
    switch (++field) {
      case 3:
        stat.state = word[0];
        break;
      case 4:
        good = parse_number(word, stat.parent);
        break;
      case 5:
        good = parse_number(word, stat.group);
        break;
      case 6:
        good = parse_number(word, stat.session);
        break;
      case 9:
        good = parse_number(word, stat.flags);
        break;
      case 16:
      case 17: {
        uint64_t ticks = 0;
        good = parse_number(word, ticks);
        stat.children_ticks += ticks;
        break;
      }
      case 20:
        good = parse_number(word, stat.threads);
        break;
      case 22:
        good = parse_number(word, stat.start_ticks);
        break;
      default:
        break;
    }
  }
  if (!good) return std::nullopt;
  return stat;
}

std::optional<ProcessStat> read_stat_fd(int fd) {
  char buffer[1024];
  const ssize_t got = read_all_at_start(fd, buffer, sizeof buffer);
  if (got <= 0) return std::nullopt;
  return parse_stat({buffer, static_cast<size_t>(got)});
}

bool has_stopped(int fd) {
  // PID and name (at most 64 bytes, see proc_pid_comm(5)) come before the state.
  char buffer[128];
  const ssize_t got = read_all_at_start(fd, buffer, sizeof buffer);
  if (got <= 0) return true;
  const std::string_view line(buffer, static_cast<size_t>(got));
  const size_t close = line.rfind(')');
  return close != std::string_view::npos && close + 2 < line.size() &&
         std::string_view("TtZX").find(line[close + 2]) != std::string_view::npos;
}

std::optional<StopStatus> read_stop_status(pid_t pid) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  const UniqueFd file(open(path, O_RDONLY | O_CLOEXEC));
  return file ? read_stop_status_fd(file.get()) : std::nullopt;
}

std::optional<StopStatus> read_thread_stop_status(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  std::optional<StopStatus> found;
  for_each_number(path, [&](pid_t tid) {
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", pid, tid);
    const UniqueFd file(open(path, O_RDONLY | O_CLOEXEC));
    const auto status = file ? read_stop_status_fd(file.get()) : std::nullopt;
    if (status && status->state != 'Z' && status->state != 'X') found = status;
    return !found;
  });
  return found;
}

std::optional<StopStatus> read_stop_status_fd(int fd) {
  char buffer[kStatusBytes + 1];
  const ssize_t got = pread(fd, buffer, kStatusBytes, 0);
  if (got <= 0) return std::nullopt;
  buffer[got] = '\0';
  const std::string_view text(buffer, static_cast<size_t>(got));
  StopStatus status;
  const size_t state = text.find("\nState:\t");
  if (state != std::string_view::npos) status.state = text[state + 8];
  status.tracer = static_cast<pid_t>(status_field(text, "\nTracerPid:", 10));
  status.threads = static_cast<uint32_t>(status_field(text, "\nThreads:", 10));
  const uint64_t pending = status_field(text, "\nShdPnd:", 16) | status_field(text, "\nSigPnd:", 16);
  const uint64_t handled = status_field(text, "\nSigCgt:", 16) | status_field(text, "\nSigIgn:", 16) | status_field(text, "\nSigBlk:", 16);
  const uint64_t from_terminal = bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);
  status.stop_pending = (pending & (bit(SIGSTOP) | (from_terminal & ~handled))) != 0;
  return status;
}

std::optional<ProcessStat> read_stat(pid_t pid) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  const UniqueFd file(open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  return read_stat_fd(file.get());
}

bool read_children(pid_t pid, std::vector<pid_t>& children) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  bool readable = false;
  for_each_number(path, [&](pid_t tid) {
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, tid);
    const UniqueFd file(open(path, O_RDONLY | O_CLOEXEC));
    if (!file) return true;
    readable = true;
    std::string text;
    char buffer[4096];
    for (;;) {
      const ssize_t got = read(file.get(), buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      text.append(buffer, static_cast<size_t>(got));
    }
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::string_view word = rest.substr(0, rest.find(' '));
      rest.remove_prefix(std::min(rest.size(), word.size() + 1));
      pid_t child = 0;
      if (parse_number(word, child)) children.push_back(child);
    }
    return true;
  });
  return readable;
}

bool has_children_files() {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", getpid(), gettid());
  return access(path, R_OK) == 0;
}

pid_t thread_group_of(pid_t tid) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/status", tid);
  const UniqueFd file(open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return 0;
  char buffer[1024];
  const ssize_t got = read_all_at_start(file.get(), buffer, sizeof buffer);
  if (got <= 0) return 0;
  const std::string_view text(buffer, static_cast<size_t>(got));
  constexpr std::string_view kLabel = "\nTgid:\t";
  const size_t label = text.find(kLabel);
  if (label == std::string_view::npos) return 0;
  const size_t start = label + kLabel.size();
  pid_t group = 0;
  return parse_number(text.substr(start, text.find('\n', start) - start), group) ? group : 0;
}

int64_t tick_length() {
  static const int64_t length = kSecond / sysconf(_SC_CLK_TCK);
  return length;
}

uint64_t clock_ticks_now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(to_nanos(now) / tick_length());
}

void for_each_process(const std::function<bool(pid_t)>& visit) { for_each_number("/proc", visit); }

}  // namespace hobble
