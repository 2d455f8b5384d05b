// The herald: a thread of its own that hears of forks, picks out those of members, and wakes the scout, which is busy with other things
// most of the time. It runs below the lanes and above everything ordinary.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/clock.h"
#include "engine/inheriting_mutex.h"
#include "engine/process_events.h"
#include "engine/unique_fd.h"

namespace hobble {

struct Birth {
  pid_t parent = 0;
  pid_t child = 0;
  Nanos at = 0;
};

class Herald {
 public:
  // `priority`: SCHED_FIFO, 0 = ordinary. `bell`: an eventfd of the scout's. Made on the scout's thread.
  Herald(int priority, int bell);
  ~Herald();
  Herald(const Herald&) = delete;
  Herald& operator=(const Herald&) = delete;

  // The scout: children of this process are to be told of, or no longer. A child that is told of is watched from its birth.
  void watch(pid_t pid);
  void forget(pid_t pid);
  // The scout: what was heard since.
  std::vector<Birth> take();
  // The scout: births may have been missed since this was asked last, so everything has to be read again.
  bool missed() { return missed_.exchange(false); }
  // The scout: no more. Ends the thread, which could otherwise outlive the scout's.
  void stop();
  // Any thread. Whether births are told of at all; in the first 100 ms it may not be known yet.
  bool hears() const { return hears_.load(std::memory_order_relaxed); }
  Nanos thread_cpu_time() const { return read_clock(thread_clock_); }

 private:
  static constexpr size_t kMostPids = 1UL << 22;
  static constexpr size_t kBits = 64;
  struct Free {
    void operator()(void* memory) const { free(memory); }
  };

  void run();
  void hear(ProcessEvents& events);
  std::atomic<uint64_t>& word(pid_t pid) { return watched_.get()[static_cast<size_t>(pid) / kBits]; }

  const int priority_;
  const int bell_;
  UniqueFd stop_;
  // A bit for each PID, read at every fork of the host. Pages that nobody touches take no memory.
  std::unique_ptr<std::atomic<uint64_t>, Free> watched_;
  InheritingMutex mutex_;  // guards `births_`
  std::vector<Birth> births_;
  std::atomic<bool> missed_{false};
  std::atomic<bool> hears_{false};
  clockid_t thread_clock_ = 0;
  std::thread thread_;
};

}  // namespace hobble
