// One cgroup, held by identity: the only file of the engine that writes to a cgroup. See cgroups(7), and cgroup-v2.rst and
// freezer-subsystem.rst of the kernel's documentation.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "engine/result.h"
#include "engine/unique_fd.h"

namespace hobble {

// How the names of groups begin that are made for targets.
inline constexpr char kMadeGroup[] = "hobble-";

// For how long a group that was made here is waited for when nobody will try again later.
inline constexpr Nanos kDismantlePatience = 2 * kSecond;

// How a group is frozen: by cgroup.freeze of v2, by freezer.state of v1, or not at all.
enum class Freezer : uint8_t { kNone, kUnified, kLegacy };

// Opened on the helper thread; frozen and thawed by the timer thread that owns the member. Everything is reached through a descriptor of
// the directory, so a group that takes over its name is never touched.
class Cgroup {
 public:
  // Follows links, and is from then on about the group that they led to. Fails with ESRCH (no such group), EINVAL (not a cgroup, the root
  // group), EPERM or EMFILE. `inode` != 0: ERR_IDENTITY if it is another group by now.
  static Result<std::unique_ptr<Cgroup>> open(const std::string& path, uint64_t inode);

  // A new group below the present one of a process, on v2: anywhere else the process would shed the limits of its group.
  static Result<std::unique_ptr<Cgroup>> make_below(pid_t pid, const std::string& name);

  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;
  // A group that was made here is dismantled, if that takes no waiting.
  ~Cgroup();

  // Absolute, without links.
  const std::string& path() const { return path_; }
  // Unique within its hierarchy while the system is up.
  uint64_t inode() const { return inode_; }
  // What may be written here, by us.
  Freezer freezer() const { return freezer_; }
  bool made_here() const { return made_here_; }

  // 0 or an errno; ESRCH = the group was removed. One write for all members, 22 to 60 us for ten of them, 0.1 to 0.8 ms for 100.
  // The kernel's lock on all groups is taken.
  int set_frozen(bool frozen) const;
  // Its own setting, whoever wrote it.
  bool frozen() const;
  // Is there a process in it, or in a group below?
  bool populated() const;
  // In this group and in those below, as numbered in our PID namespace. 0 for one that cannot be seen from here.
  std::vector<pid_t> processes() const;
  // CPU time used in it since it was made (cpu.stat of v2; moves in steps of up to 4 ms); -1 where there is no such figure.
  Nanos cpu_time() const;

  // Moves a process into this group, all its threads. 0 or an errno.
  int admit(pid_t pid) const;
  // Moves it into the group above.
  int expel(pid_t pid) const;
  // Moves everything in a group that was made here into the one above, and removes it. 0 or an errno; EBUSY: after `patience` somebody was
  // still on his way out.
  int dismantle(Nanos patience);

 private:
  Cgroup() = default;
  static Result<std::unique_ptr<Cgroup>> open_directory(UniqueFd directory, const std::string& name, uint64_t inode);

  std::string path_;
  uint64_t inode_ = 0;
  Freezer freezer_ = Freezer::kNone;
  bool made_here_ = false;
  UniqueFd directory_;
  UniqueFd freeze_;  // cgroup.freeze, freezer.state
  UniqueFd events_;  // cgroup.events, v2
  UniqueFd usage_;   // cpu.stat, v2
};

// Is v2 mounted, as a whole?
bool can_make_groups();

// The group of v2 that a process is in, as /proc/PID/cgroup has it; "" if there is none.
std::string unified_group_of(pid_t pid);

// Thaws a group that was known earlier, if it is still there: ESRCH if it is gone, EPERM if it does not belong to `only_user` (>= 0).
int thaw_again(const std::string& path, uint64_t inode, bool dry_run, long only_user);

// Moves everything in a group that was made below another one back into that, and removes it. Likewise.
int dismantle_again(const std::string& path, uint64_t inode, bool dry_run, long only_user);

}  // namespace hobble
