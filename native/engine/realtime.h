// What the host grants a thread that must be on time, and what was really obtained.
#pragma once

#include <sched.h>

#include <cstddef>
#include <string>

#include "engine/clock.h"

namespace hobble {

enum class RealtimeMode : uint8_t { kAuto, kRequire, kOff };

struct Scheduling {
  bool fifo = false;
  int priority = 0;   // under SCHED_FIFO
  Nanos slice = 0;    // EEVDF slice under SCHED_OTHER, 0 = the kernel's default
  int cpu = -1;       // pinned to, -1 = not
  std::string error;  // why SCHED_FIFO was not obtained, "" if it was (or was not wanted)
};

// For the calling thread. SCHED_FIFO at `priority` unless `mode` is kOff; without it the shortest EEVDF slice that the kernel grants
// (100 us, Linux 6.12; no privilege needed: p90 of lateness 384 -> 117 us, measured). Timer slack 1 ns. `cpu` >= 0 pins it.
Scheduling schedule_thread(RealtimeMode mode, int priority, int cpu);

// The calling thread waits with the lowest real-time priority, or is an ordinary one again. False where that is refused.
bool set_prompt(bool prompt);

// For a helper thread that must get its turn among a thousand busy processes, but never before the timer thread: nice -20 or a short slice.
void favour_thread();

// CPUs this process may run on.
int usable_cpus();

// CPUs that are there for anybody.
int host_cpus();

// Between two ticks of the scheduler (1 / CONFIG_HZ).
Nanos kernel_tick();

// All usable CPUs but one; unchanged when there is only one. Returns the one left out, or -1.
int set_aside_cpu(cpu_set_t& others);

// Raises the soft limit on open files to the hard one. Returns the limit then in force.
size_t raise_open_files_limit();

// Memory that is locked when permitted (RLIMIT_MEMLOCK, CAP_IPC_LOCK), zeroed, and never moves. Pages appear when they are prepared.
// mlock() and not mlockall(): V8 aborts under the latter.
class LockedMemory {
 public:
  explicit LockedMemory(size_t reserve_bytes);
  ~LockedMemory();
  LockedMemory(const LockedMemory&) = delete;
  LockedMemory& operator=(const LockedMemory&) = delete;

  bool valid() const { return base_ != nullptr; }
  std::byte* base() const { return base_; }
  // Makes the first `bytes` present, so that no page fault waits for the timer thread there. False if it could not be locked too.
  bool prepare(size_t bytes);

 private:
  std::byte* base_ = nullptr;
  size_t reserved_ = 0;
  size_t prepared_ = 0;
  bool locked_ = true;
};

}  // namespace hobble
