#include "engine/realtime.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "engine/error_text.h"

namespace hobble {
namespace {

constexpr Nanos kShortSlice = 100 * kMicrosecond;  // the kernel's minimum
constexpr size_t kPreparedStep = 256UL * 1024;

// struct sched_attr of sched_setattr(2), which glibc before 2.41 does not declare.
struct SchedulingAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};

// The slice that was taken, 0 if the kernel knows none.
Nanos request_slice(Nanos slice) {
  SchedulingAttributes attributes{};
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return 0;
  attributes.size = sizeof attributes;
  attributes.policy = SCHED_OTHER;
  attributes.runtime = static_cast<uint64_t>(slice);
  if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) return 0;
  // A kernel before 6.12 takes the call and ignores the figure.
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return 0;
  return attributes.runtime == static_cast<uint64_t>(slice) ? slice : 0;
}

}  // namespace

Scheduling schedule_thread(RealtimeMode mode, int priority, int cpu) {
  Scheduling obtained;
  // Per thread, and the default of 50 us would be added to every timeout.
  prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
  if (cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpu), &set);
    if (sched_setaffinity(0, sizeof set, &set) == 0) obtained.cpu = cpu;
  }
  if (mode != RealtimeMode::kOff) {
    const sched_param parameters{.sched_priority = priority};
    const int error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters);
    obtained.fifo = error == 0;
    if (error != 0) obtained.error = error_text(error);
  }
  if (obtained.fifo) {
    obtained.priority = priority;
  } else {
    obtained.slice = request_slice(kShortSlice);
  }
  return obtained;
}

void favour_thread() {
  if (setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), -20) != 0) request_slice(kShortSlice);
}

bool set_prompt(bool prompt) {
  const sched_param parameters{.sched_priority = prompt ? 1 : 0};
  return pthread_setschedparam(pthread_self(), prompt ? SCHED_FIFO : SCHED_OTHER, &parameters) == 0;
}

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

int host_cpus() { return std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN))); }

// The coarse clock is brought up to date once a tick.
Nanos kernel_tick() {
  timespec resolution{};
  return clock_getres(CLOCK_MONOTONIC_COARSE, &resolution) == 0 ? to_nanos(resolution) : 10 * kMillisecond;
}

int set_aside_cpu(cpu_set_t& others) {
  CPU_ZERO(&others);
  if (sched_getaffinity(0, sizeof others, &others) != 0 || CPU_COUNT(&others) < 2) return -1;
  for (int cpu = CPU_SETSIZE - 1; cpu >= 0; --cpu) {
    if (!CPU_ISSET(static_cast<unsigned>(cpu), &others)) continue;
    CPU_CLR(static_cast<unsigned>(cpu), &others);
    return cpu;
  }
  return -1;
}

size_t raise_open_files_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return limit.rlim_cur;
}

LockedMemory::LockedMemory(size_t reserve_bytes) {
  void* memory = mmap(nullptr, reserve_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return;
  base_ = static_cast<std::byte*>(memory);
  reserved_ = reserve_bytes;
}

LockedMemory::~LockedMemory() {
  if (base_ != nullptr) munmap(base_, reserved_);
}

bool LockedMemory::prepare(size_t bytes) {
  if (bytes <= prepared_) return locked_;
  const size_t end = std::min(reserved_, (bytes + kPreparedStep - 1) / kPreparedStep * kPreparedStep);
  std::byte* const start = base_ + prepared_;
  const size_t length = end - prepared_;
  // Reserved without access: that counts for nothing, also where the host does not overcommit.
  if (mprotect(start, length, PROT_READ | PROT_WRITE) != 0) return locked_ = false;
  if (mlock(start, length) != 0) {
    locked_ = false;
    // Not locked, but at least present.
    for (size_t offset = 0; offset < length; offset += 4096) {
      volatile auto* byte = reinterpret_cast<volatile unsigned char*>(start + offset);
      *byte = *byte;
    }
  }
  prepared_ = end;
  return locked_;
}

}  // namespace hobble
