// What dead owners left stopped is resumed: by their guardian, by the next engine, by `hobble release`.
#pragma once

#include <string>
#include <vector>

#include "engine/leases.h"

namespace hobble {

// What else holds a stopped process: somebody wants it stopped too (a stop signal waits in ShdPnd or SigPnd of /proc/PID/status while it is
// stopped already), or a debugger has it (TracerPid). The first is left stopped. The second is sent its SIGCONT: that does not take it from
// the debugger, but without it our stop would come back when the debugger lets go.
enum class ForeignStop { kNone, kSignal, kTracer };
ForeignStop foreign_stop(pid_t pid);

struct Recovered {
  pid_t pid = 0;
  std::string group;  // path of a cgroup, "" for a process
  enum class Result : uint8_t { kResumed, kGone, kForeign, kFailed } result = Result::kResumed;
  int error = 0;
};

struct RecoveredTable {
  std::string path;
  Identity owner;
  bool removed = false;
  std::string ignored;  // why nothing was done; "" if it was
  std::vector<Recovered> members;
};

// Resumes everything that `leases` says may be stopped: those of the highest level first, identity checked.
// `only_user` >= 0: only processes, and cgroups, of that user.
std::vector<Recovered> resume_leases(const LeaseCopy& leases, bool dry_run, long only_user = -1);

// Of an owner that is dead: the groups that it had made are emptied into the ones above them, and removed.
std::vector<Recovered> dismantle_groups(const LeaseCopy& leases, bool dry_run, long only_user = -1);

// All tables of dead owners in the directories; the tables of living ones are not touched.
std::vector<RecoveredTable> recover(const std::vector<std::string>& directories, bool dry_run);

}  // namespace hobble
