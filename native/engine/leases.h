// The table of leases: which processes are, or may be, stopped by us. A file in shared memory, written by the engine that owns it, read by
// its guardian, by recovery and by other engines. It outlives every process that maps it.
//
// One writer for each field: the scout writes who a member is, its lane writes `resume_by`. Everybody else only reads.
#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "engine/process.h"
#include "engine/result.h"
#include "engine/unique_fd.h"

namespace hobble {

// One member: a process, or a cgroup that is frozen as a whole. A cache line, so that two CPUs never write to the same one.
struct alignas(64) Lease {
  // CLOCK_MONOTONIC. Not 0: it is, or may be, stopped by us, and ought to run again by then. Written before each SIGSTOP and, with 0, after
  // each SIGCONT.
  std::atomic<Nanos> resume_by;
  // 0 = a free slot, kGroup = a cgroup. Written last when a lease is made, first when it ends.
  std::atomic<pid_t> pid;
  std::atomic<int32_t> level;   // generations below the top of its tree: the highest are resumed first
  std::atomic<uint64_t> inode;  // of a pidfd, or of a cgroup's directory
  std::atomic<uint64_t> start_ticks;
  std::atomic<uint32_t> group;      // of a cgroup: number of its GroupName
  std::atomic<uint32_t> restopped;  // 1: it was sent SIGSTOP more than once, so one that is pending may be ours
  static constexpr pid_t kGroup = -1;
};
static_assert(sizeof(Lease) == 64 && std::atomic<Nanos>::is_always_lock_free);

// The lane's: before each SIGSTOP and, with 0, after each SIGCONT. The benchmark of its cost is compiled a second time without it.
inline void set_resume_by([[maybe_unused]] Lease& lease, [[maybe_unused]] Nanos moment) {
#ifndef HOBBLE_WITHOUT_LEASES
  lease.resume_by.store(moment, std::memory_order_release);
#endif
}
// Where a cgroup is. In a part of the file behind the leases.
struct GroupName {
  static constexpr size_t kMostBytes = 1016;  // with the zero at the end
  std::atomic<uint32_t> made_here;            // by us: what is in it goes back to the group above, and it is removed
  std::array<char, kMostBytes> path;
};
static_assert(sizeof(GroupName) <= 1024);

using BootId = std::array<char, 40>;

// The first page of the file. What comes before the marks is written once, before anybody else can see the file.
struct LeaseHeader {
  static constexpr std::array<char, 8> kMagic{'h', 'o', 'b', 'b', 'l', 'e', '-', 'L'};
  static constexpr uint32_t kVersion = 2;
  static constexpr size_t kBytes = 4096;
  static constexpr uint32_t kCapacity = 1U << 20;
  static constexpr uint32_t kGroups = 1U << 14;
  static constexpr size_t kLanes = 2;

  std::array<char, 8> magic;
  uint32_t version;
  uint32_t slot_bytes;
  uint32_t capacity;
  pid_t owner_pid;
  uint64_t owner_inode;  // of its pidfd, 0 before Linux 6.9
  uint64_t owner_start_ticks;
  uint64_t pid_namespace;  // inode of /proc/self/ns/pid: PIDs mean something else in another one
  BootId boot_id;

  std::atomic<uint32_t> used;    // slots that were ever used: the rest is empty
  std::atomic<uint32_t> closed;  // 1: the owner has resumed everything itself

  // What the guardian watches of each lane.
  struct Mark {
    // Robust: held by the lane's thread while it lives. The kernel lets go of it when the thread dies, 0.2 ms after a SIGKILL.
    pthread_mutex_t alive;
    // The lane sleeps until this moment at most; kNever when nothing is due.
    std::atomic<Nanos> awake_by;
  };
  std::array<Mark, kLanes> marks;
};
static_assert(sizeof(LeaseHeader) <= LeaseHeader::kBytes);

inline size_t lease_file_bytes(size_t slots) { return LeaseHeader::kBytes + slots * sizeof(Lease); }
inline size_t group_names_at() { return lease_file_bytes(LeaseHeader::kCapacity); }
inline size_t whole_file_bytes() { return group_names_at() + LeaseHeader::kGroups * sizeof(GroupName); }

// The owner's side.
class LeaseTable {
 public:
  // Makes a new file in `directory` (see runtime_dir.h). Fails with ERR_RUNTIME_DIR.
  static Result<std::unique_ptr<LeaseTable>> create(const std::string& directory);
  ~LeaseTable();
  LeaseTable(const LeaseTable&) = delete;
  LeaseTable& operator=(const LeaseTable&) = delete;

  // The scout. Null when the file cannot grow: memory, or the file system, is full.
  Lease* allocate(const Identity& identity, int level);
  // Likewise for a cgroup; null also when its path is too long, or there are too many.
  Lease* allocate_group(const std::string& path, uint64_t inode, bool made_here);
  void release(Lease* lease);

  LeaseHeader& header() { return *reinterpret_cast<LeaseHeader*>(base_); }
  const std::string& path() const { return path_; }
  int fd() const { return file_.get(); }
  bool locked() const { return locked_; }
  bool anything_stopped() const;
  // When nobody is stopped any more: tells the guardian that there is nothing left to do, and removes the file. Idempotent. Does nothing
  // if somebody may still be stopped: then the guardian, or recovery, has to do it.
  void close();

 private:
  LeaseTable() = default;
  bool prepare(size_t slots);
  Lease* allocate_slot();
  Lease* at(size_t index) const { return reinterpret_cast<Lease*>(base_ + LeaseHeader::kBytes) + index; }
  GroupName* group_at(size_t index) const { return reinterpret_cast<GroupName*>(base_ + group_names_at()) + index; }

  std::string path_;
  UniqueFd file_;
  std::byte* base_ = nullptr;
  size_t prepared_ = 0;  // slots that have memory
  bool locked_ = true;
  std::vector<Lease*> free_;
  std::vector<uint32_t> free_groups_;
  uint32_t groups_used_ = 0;
};

// A lease that nobody has yet.
struct ReleaseLease {
  LeaseTable* table;
  void operator()(Lease* lease) const { table->release(lease); }
};
using FreeLease = std::unique_ptr<Lease, ReleaseLease>;

// One member, as others read it.
struct LeaseEntry {
  Identity identity;
  int level = 0;
  Nanos resume_by = 0;
  std::string group;  // path of a cgroup, "" for a process
  uint32_t group_number = 0;
  bool made_here = false;
  bool restopped = false;
};

// A slot of a table that its owner may be writing at this moment. Nothing when it is free, or changes hands just now: then nobody is
// stopped under it.
std::optional<LeaseEntry> read_lease(const Lease& slot);

// A copy of somebody's table, taken with read(2): a file that is truncated meanwhile must not end us with SIGBUS.
struct LeaseCopy {
  Identity owner;
  uint64_t pid_namespace = 0;
  BootId boot_id{};
  bool closed = false;
  std::vector<LeaseEntry> entries;  // of slots in use
};

// Of a cgroup, what stands in another place; it may have been written by anybody: an empty path if it makes no sense.
void name_group(LeaseEntry& entry, const GroupName& name);

// Trusts nothing: fails when the file is not a table of leases, is cut short, or holds impossible values.
Result<LeaseCopy> read_leases(int file, const std::string& name);

// Of the running system; all zeros when unknown.
BootId current_boot_id();
uint64_t current_pid_namespace();

// Our own identity.
Identity own_identity();

// Does the owner still live? By its pidfd's inode, on older kernels by its start time. Who cannot be looked up (no descriptor is left)
// counts as living: nothing of a living owner may be touched.
bool lives(const Identity& identity);

}  // namespace hobble
