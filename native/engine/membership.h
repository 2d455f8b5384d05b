// Who belongs to a target: found in /proc. Slow; the scout's.
#pragma once

#include <functional>
#include <vector>

#include "engine/cgroup.h"
#include "engine/process.h"
#include "engine/protected_programs.h"
#include "engine/target.h"

namespace hobble {

// The numbers are those of src/native.ts. kAuto: a cgroup is frozen where that is allowed, everything else is sent signals.
enum class Via : uint8_t { kAuto = 0, kSignal = 1, kFreeze = 2 };

// What is done about members that run while they should stand still. The numbers are those of src/native.ts.
enum class OnEvasion : uint8_t { kAuto = 0, kRestop = 1, kFreeze = 2, kReport = 3 };

struct TargetSpec {
  TargetKind kind = TargetKind::kProcess;
  // Of the process, the root of the tree, or the leader of the group. Of a cgroup: only the inode, of its directory.
  Identity identity;
  std::string cgroup;  // its path
  Via via = Via::kAuto;
  OnEvasion on_evasion = OnEvasion::kAuto;
  Cycle cycle;  // run = 0: none, only an allowance
  Allowance allowance;
  PhaseMode phase_mode = PhaseMode::kSpread;
  Nanos phase = 0;
  // Children that the kernel gave to us as subreaper belong to the tree too, and are reaped by us.
  bool adopt_orphans = false;
};

// A process that was found and is held, before it is a member.
struct Found {
  Process process;
  ProcessStat stat;
};

// A cgroup that is to be frozen. The lease is empty for one that was there before.
struct GroupMade {
  FreeLease lease;  // given up after the group has gone
  std::unique_ptr<Cgroup> group;
};

// What a target begins with: processes, or a group that is frozen in place of them.
struct Recruits {
  std::vector<Found> processes;
  FreeLease group_lease;  // of `group`, if it was made for the target
  std::unique_ptr<Cgroup> group;
  size_t members() const { return group ? 1 : processes.size(); }
};

// Never to be stopped: PID 1, kernel threads, ourselves, our guardian, our ancestors, protected programs.
class Protection {
 public:
  // Looks up who our ancestors are now.
  static Protection current(ProtectedPrograms& programs);
  // "" or the reason.
  std::string reason(pid_t pid, const ProcessStat* stat) const;
  bool covers(pid_t pid, const ProcessStat* stat) const { return !reason(pid, stat).empty(); }

 private:
  std::vector<pid_t> ancestors_;
  ProtectedPrograms* programs_ = nullptr;
};

// For messages: "process 4711", "cgroup /sys/fs/cgroup/x".
std::string name_of(const TargetSpec& spec);

// True for processes that are members of something already, or must not become one.
using Skip = std::function<bool(pid_t)>;

// The members of a new target, parents before children. At least one, or an error about the process that was named.
Result<std::vector<Found>> find_members(const TargetSpec& spec, SignalMethod method, const Protection& protection, const Skip& skip);

// Living children of `parent` that are not skipped. Each is proved to be its child, or with `group` != 0 to be in that group: the pidfd is
// opened first, then /proc is asked who the parent is, then the pidfd is asked whether the process still lives.
std::vector<Found> find_children(pid_t parent, pid_t group, SignalMethod method, const Protection& protection, const Skip& skip);

// Children of our own process, but for `root`: the kernel made us their parent when theirs died. Those that have exited are reaped.
std::vector<Found> find_orphans(pid_t root, SignalMethod method, const Protection& protection, const Skip& skip);

// All processes of a group that are not skipped: a pass over /proc (25 us for each process of the host).
std::vector<Found> find_group(pid_t group, SignalMethod method, const Protection& protection, const Skip& skip);

// All processes of a cgroup, and of those below it, that are not skipped.
std::vector<Found> find_in_cgroup(const Cgroup& group, SignalMethod method, const Protection& protection, const Skip& skip);

// The first process of a cgroup, or of one below it, that must not be stopped, as an error. 20 us for each process.
std::optional<Error> find_protected(const Cgroup& group, const Protection& protection);

}  // namespace hobble
