#include "engine/neighbours.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "engine/runtime_dir.h"

namespace hobble {
namespace {

constexpr Nanos kClaimPatience = 100 * kMillisecond;

}  // namespace

UniqueFd Neighbours::claim(const std::string& directory) {
  UniqueFd claim(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const Nanos until = monotonic_now() + kClaimPatience;
  while (claim && flock(claim.get(), LOCK_EX | LOCK_NB) != 0 && monotonic_now() < until) {
    const timespec pause = to_timespec(kMillisecond);
    nanosleep(&pause, nullptr);
  }
  return claim;
}

void Neighbours::read(const std::vector<std::string>& directories, const std::string& own, bool heed_users) {
  claims_.clear();
  groups_.clear();
  for (const std::string& path : directories) {
    const UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) continue;
    for (const std::string& name : list_tables(directory.get())) {
      std::string table = path;
      table.append("/").append(name);
      if (table == own) continue;
      const UniqueFd file(openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      auto leases = file ? read_leases(file.get(), table) : Result<LeaseCopy>(Error{});
      if (!leases || leases->closed || leases->entries.empty() || leases->boot_id != current_boot_id()) continue;
      if (leases->pid_namespace != current_pid_namespace() || !lives(leases->owner)) continue;
      struct stat status {};
      if (fstat(file.get(), &status) != 0) continue;
      const long user = table_speaks_for(directory.get(), status);
      if (user > 0 && !heed_users) continue;
      for (const LeaseEntry& entry : leases->entries) {
        if (!entry.group.empty()) {
          struct stat group {};
          const bool his = user < 0 || (stat(entry.group.c_str(), &group) == 0 && static_cast<long>(group.st_uid) == user);
          if (his) groups_[entry.identity.inode] = leases->owner.pid;
          continue;
        }
        // A user's table does not hide what another one says with more right.
        const auto other = claims_.find(entry.identity.pid);
        if (other != claims_.end() && may_speak_of(other->second.user, entry.identity.pid)) continue;
        claims_[entry.identity.pid] = {.identity = entry.identity, .owner = leases->owner.pid, .user = user};
      }
    }
  }
}

pid_t Neighbours::owner_of_group(uint64_t inode) const {
  const auto found = groups_.find(inode);
  return found == groups_.end() ? 0 : found->second;
}

pid_t Neighbours::owner_of(const Identity& identity) const {
  const auto found = claims_.find(identity.pid);
  if (found == claims_.end()) return 0;
  if (!may_speak_of(found->second.user, identity.pid)) return 0;
  const Identity& claimed = found->second.identity;
  const bool other_inode = identity.inode != 0 && claimed.inode != 0 && identity.inode != claimed.inode;
  const bool other_start = identity.start_ticks != Identity::kUnknownTicks && identity.start_ticks != claimed.start_ticks;
  return other_inode || other_start ? 0 : found->second.owner;
}

}  // namespace hobble
