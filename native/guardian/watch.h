// Watching one owner, and resuming what it leaves stopped.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/leases.h"

namespace hobble {

struct WatchOptions {
  int table = -1;
  int owner = -1;  // pidfd, -1 = none
  int pipe = -1;
  pid_t owner_pid = 0;
};

class Watch {
 public:
  explicit Watch(const WatchOptions& options) : options_(options) {}
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // False if the table is none.
  bool start();
  // Returns when the owner is gone and everything that it held stopped runs again, or when it has closed its table.
  void run();

 private:
  static void* run_mutex_thread(void* self);
  void wait_for_lane();
  // How long until the owner's lanes have to be looked at.
  Nanos look_at_lanes(Nanos now);
  void resume_overdue(Nanos now);
  // False if something could not be resumed: then the table stays, for recovery.
  bool resume_all(bool again);
  bool second_lane_died() const;
  bool dismantle();
  std::optional<LeaseEntry> entry_at(uint32_t number) const;
  void remove_table() const;
  bool closed() const { return header_->closed.load(std::memory_order_acquire) != 0; }
  bool owner_gone() const;
  Lease* slots() const { return reinterpret_cast<Lease*>(reinterpret_cast<std::byte*>(header_) + LeaseHeader::kBytes); }
  uint32_t slots_used() const { return std::min(header_->used.load(std::memory_order_acquire), LeaseHeader::kCapacity); }

  const WatchOptions options_;
  LeaseHeader* header_ = nullptr;
  size_t mapped_ = 0;
  pthread_t mutex_thread_{};
  std::atomic<bool> lane_died_{false};
  // Members that were resumed already: the `resume_by` that it was for, by slot.
  std::vector<Nanos> overdue_for_;
  std::mutex resuming_;  // guards the next
  std::vector<Nanos> resumed_for_;
};

}  // namespace hobble
