#include "host/probe.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/error_text.h"
#include "engine/process.h"
#include "engine/process_events.h"
#include "engine/procfs.h"
#include "engine/realtime.h"

namespace hobble {
namespace {

constexpr int kPriority = 50;                   // what a Hobbler asks for by default
constexpr size_t kLockedBytes = 1024UL * 1024;  // the engine locks less with 1,000 targets

std::string try_lock_memory() {
  void* const memory = mmap(nullptr, kLockedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return error_text(errno);
  std::string failure = mlock(memory, kLockedBytes) == 0 ? "" : error_text(errno);
  munmap(memory, kLockedBytes);
  return failure;
}

void try_pidfds(HostProbe& probe) {
  const UniqueFd self = open_pidfd(getpid());
  if (!self) {
    probe.pidfd_open = error_text(errno);
    probe.pidfd_send_signal = probe.pidfd_inode = "no pidfd";
    return;
  }
  if (syscall(SYS_pidfd_send_signal, self.get(), 0, nullptr, 0) != 0) probe.pidfd_send_signal = error_text(errno);
  if (pidfd_inode(self.get()) == 0) probe.pidfd_inode = "pidfds are not on pidfs";
}

void try_all(HostProbe& probe) {
  // First the ordinary class, as a thread that was refused SCHED_FIFO would have it.
  if (schedule_thread(RealtimeMode::kOff, 0, -1).slice == 0) probe.short_slice = "the kernel does not take a slice";
  probe.fifo = schedule_thread(RealtimeMode::kRequire, kPriority, -1).error;
  try_pidfds(probe);
  probe.lock_memory = try_lock_memory();
  probe.process_events = try_process_events();
  if (!has_children_files()) probe.proc_children = "no /proc/PID/task/TID/children";
  getrlimit(RLIMIT_MEMLOCK, &probe.memlock);
  getrlimit(RLIMIT_NOFILE, &probe.open_files);
  getrlimit(RLIMIT_RTPRIO, &probe.rtprio);
}

}  // namespace

Result<HostProbe> probe_host() {
  HostProbe probe;
  pthread_t thread{};
  const int error = pthread_create(
      &thread, nullptr,
      [](void* result) -> void* {
        try_all(*static_cast<HostProbe*>(result));
        return nullptr;
      },
      &probe);
  if (error != 0) return Error{Code::kUnsupported, 0, "no thread can be started: " + error_text(error)};
  pthread_join(thread, nullptr);
  return probe;
}

}  // namespace hobble
