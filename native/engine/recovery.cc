#include "engine/recovery.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "engine/cgroup.h"
#include "engine/runtime_dir.h"

namespace hobble {
namespace {

Recovered result_of(const std::string& group, int error) {
  Recovered result{.group = group, .error = error == ESRCH ? 0 : error};
  if (error != 0) result.result = error == ESRCH ? Recovered::Result::kGone : Recovered::Result::kFailed;
  return result;
}

Recovered resume(const LeaseEntry& entry, bool dry_run, long only_user) {
  if (!entry.group.empty()) return result_of(entry.group, thaw_again(entry.group, entry.identity.inode, dry_run, only_user));
  const Identity& identity = entry.identity;
  Recovered result{.pid = identity.pid};
  auto process = Process::find_again(identity);
  if (!process) {
    const bool is_gone = process.error().code == Code::kNoSuchProcess;
    result.result = is_gone ? Recovered::Result::kGone : Recovered::Result::kFailed;
    result.error = is_gone ? 0 : process.error().code == Code::kNoDescriptors ? EMFILE : EPERM;
  } else if (only_user != static_cast<long>(geteuid()) && !may_speak_of(only_user, identity.pid)) {
    // The kernel knows better whom a user may signal: programs with the setuid bit that he started, say. For root it would not say no.
    result.result = Recovered::Result::kFailed;
    result.error = EPERM;
  } else if (!entry.restopped && foreign_stop(identity.pid) == ForeignStop::kSignal) {
    result.result = Recovered::Result::kForeign;
  } else if (const int error = dry_run ? 0 : process->send(SIGCONT); error != 0) {
    result.result = error == ESRCH ? Recovered::Result::kGone : Recovered::Result::kFailed;
    result.error = error;
  }
  return result;
}

void recover_table(int directory, const std::string& name, bool dry_run, RecoveredTable& table) {
  // Never a link, nor a pipe that would make us wait.
  const UniqueFd file(openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0) {
    table.ignored = "it cannot be opened";
    return;
  }
  auto leases = read_leases(file.get(), table.path);
  if (!leases) {
    table.ignored = leases.error().message;
    return;
  }
  table.owner = leases->owner;
  if (leases->pid_namespace != current_pid_namespace()) {
    table.ignored = "it was made in another PID namespace";
    return;
  }
  if (leases->boot_id == current_boot_id()) {
    if (lives(leases->owner)) {
      table.ignored = "its owner lives";
      return;
    }
    const long only_user = table_speaks_for(directory, status);
    table.members = resume_leases(*leases, dry_run, only_user);
    for (Recovered& group : dismantle_groups(*leases, dry_run, only_user)) {
      if (group.result == Recovered::Result::kFailed) table.members.push_back(std::move(group));
    }
  }
  const bool all_done = std::none_of(table.members.begin(), table.members.end(),
                                     [](const Recovered& member) { return member.result == Recovered::Result::kFailed; });
  if (!dry_run && all_done) table.removed = unlinkat(directory, name.c_str(), 0) == 0;
}

}  // namespace

ForeignStop foreign_stop(pid_t pid) {
  const auto status = read_stop_status(pid);
  if (!status) return ForeignStop::kNone;
  if (status->tracer != 0) return ForeignStop::kTracer;
  // A stop signal that waits for a process that runs is one of ours that has not arrived yet.
  return status->state == 'T' && status->stop_pending ? ForeignStop::kSignal : ForeignStop::kNone;
}

std::vector<Recovered> resume_leases(const LeaseCopy& leases, bool dry_run, long only_user) {
  std::vector<LeaseEntry> stopped;
  for (const LeaseEntry& entry : leases.entries) {
    if (entry.resume_by != 0) stopped.push_back(entry);
  }
  // Children before their parents.
  std::stable_sort(stopped.begin(), stopped.end(), [](const auto& a, const auto& b) { return a.level > b.level; });
  std::vector<Recovered> results;
  results.reserve(stopped.size());
  for (const LeaseEntry& entry : stopped) results.push_back(resume(entry, dry_run, only_user));
  return results;
}

std::vector<Recovered> dismantle_groups(const LeaseCopy& leases, bool dry_run, long only_user) {
  std::vector<Recovered> results;
  for (const LeaseEntry& entry : leases.entries) {
    if (entry.group.empty() || !entry.made_here) continue;
    results.push_back(result_of(entry.group, dismantle_again(entry.group, entry.identity.inode, dry_run, only_user)));
  }
  return results;
}

std::vector<RecoveredTable> recover(const std::vector<std::string>& directories, bool dry_run) {
  std::vector<RecoveredTable> tables;
  for (const std::string& path : directories) {
    const UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) continue;
    for (const std::string& name : list_tables(directory.get())) {
      RecoveredTable& table = tables.emplace_back();
      table.path = path;
      table.path.append("/").append(name);
      recover_table(directory.get(), name, dry_run, table);
    }
  }
  return tables;
}

}  // namespace hobble
