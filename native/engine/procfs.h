// Reading /proc: who a process is, who its children are. Slow (20 µs a file): never called on a timer thread, but for the one function that
// says so.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hobble {

// The fields of /proc/PID/stat that are used here; see proc_pid_stat(5).
struct ProcessStat {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  char state = '?';
  uint32_t flags = 0;
  uint32_t threads = 0;
  uint64_t start_ticks = 0;
  uint64_t children_ticks = 0;  // CPU time of children that it has waited for, and of theirs
  std::string name;

  bool kernel_thread() const;
};

// `line` is the whole file. The name may hold spaces and parentheses: fields are counted after the last ')'.
std::optional<ProcessStat> parse_stat(std::string_view line);

// Nothing if the process is gone or may not be seen (hidepid).
std::optional<ProcessStat> read_stat(pid_t pid);

// The same from a descriptor of /proc/PID/stat opened earlier; such a descriptor stays with the process and never shows a successor of its
// PID.
std::optional<ProcessStat> read_stat_fd(int fd);

// From such a descriptor: is the process stopped, traced or dead? Allocates nothing, and may be called on a timer thread (3.3 us).
bool has_stopped(int fd);

// What /proc/PID/status tells about stops; see proc_pid_status(5).
struct StopStatus {
  char state = '?';
  pid_t tracer = 0;
  uint32_t threads = 0;
  bool stop_pending = false;  // SIGSTOP, or a stop signal of a terminal that the process does not handle, waits to be delivered
};

// 12 us, twice that when the process has not been looked at for long. Nothing if it is gone or may not be seen.
std::optional<StopStatus> read_stop_status(pid_t pid);

// That of a thread that lives, of a process whose first thread has ended.
std::optional<StopStatus> read_thread_stop_status(pid_t pid);

// The same from a descriptor of /proc/PID/status that was opened earlier, which stays with the process: two thirds of that.
std::optional<StopStatus> read_stop_status_fd(int fd);

// The children of all threads of `pid` (/proc/PID/task/TID/children). False where the kernel lacks the file or the process is gone.
bool read_children(pid_t pid, std::vector<pid_t>& children);

// True where this kernel has /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN).
bool has_children_files();

// Thread group (the process) that `tid` belongs to, 0 if there is none.
pid_t thread_group_of(pid_t tid);

// Of a clock tick, in nanoseconds: 10 ms.
int64_t tick_length();

// Now, as start times are told: in clock ticks after boot.
uint64_t clock_ticks_now();

// Calls `visit` for each process in /proc until it returns false.
void for_each_process(const std::function<bool(pid_t)>& visit);

}  // namespace hobble
