#include "engine/recovery.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "engine/runtime_dir.h"

namespace hobble {
namespace {

// User of a process, through its /proc directory; -1 if it is gone.
long user_of(pid_t pid) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d", pid);
  struct stat status {};
  return stat(path, &status) == 0 ? static_cast<long>(status.st_uid) : -1;
}

Recovered resume(const Identity& identity, bool dry_run, long only_user) {
  Recovered result{.pid = identity.pid};
  const auto process = Process::find_again(identity);
  if (!process) {
    result.result = Recovered::Result::kGone;
  } else if (only_user >= 0 && user_of(identity.pid) != only_user) {
    result.result = Recovered::Result::kFailed;
    result.error = EPERM;
  } else if (foreign_stop(identity.pid) != ForeignStop::kNone) {
    result.result = Recovered::Result::kForeign;
  } else if (const int error = dry_run ? 0 : process->send(SIGCONT); error != 0) {
    result.result = error == ESRCH ? Recovered::Result::kGone : Recovered::Result::kFailed;
    result.error = error;
  }
  return result;
}

// Whose processes a table may speak of: root's of everybody's (-1), a user's of that user's. A user can put any file into a directory of
// his.
long speaks_for(int directory, const struct stat& file) {
  struct stat folder {};
  if (fstat(directory, &folder) != 0) return static_cast<long>(file.st_uid);
  const uid_t user = folder.st_uid != 0 ? folder.st_uid : file.st_uid;
  return user == 0 && (folder.st_mode & 0022) == 0 ? -1 : static_cast<long>(user);
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
    table.members = resume_leases(*leases, dry_run, speaks_for(directory, status));
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
  std::vector<LeaseCopy::Entry> stopped;
  for (const LeaseCopy::Entry& entry : leases.entries) {
    if (entry.resume_by != 0) stopped.push_back(entry);
  }
  // Children before their parents.
  std::stable_sort(stopped.begin(), stopped.end(), [](const auto& a, const auto& b) { return a.level > b.level; });
  std::vector<Recovered> results;
  results.reserve(stopped.size());
  for (const LeaseCopy::Entry& entry : stopped) results.push_back(resume(entry.identity, dry_run, only_user));
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
