// What other engines hobble, in this and in other processes, as far as we may see: a process has one hobbler.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "engine/leases.h"
#include "engine/process.h"
#include "engine/unique_fd.h"

namespace hobble {

class Neighbours {
 public:
  // Held while targets are added: two engines that share the directory do not choose the same process at the same moment. Whoever holds
  // it for long (suspended just then) is not waited for.
  static UniqueFd claim(const std::string& directory);

  // Reads the tables of living owners, but for `own`; those of users only with `heed_users`.
  void read(const std::vector<std::string>& directories, const std::string& own, bool heed_users);

  // The PID of the engine that has the process; 0 if none. An unknown inode matches any.
  pid_t owner_of(const Identity& identity) const;
  // Likewise for a cgroup, by the inode of its directory.
  pid_t owner_of_group(uint64_t inode) const;

 private:
  struct Claim {
    Identity identity;
    pid_t owner = 0;
    long user = -1;  // whose processes the table may speak of
  };
  std::unordered_map<pid_t, Claim> claims_;
  std::unordered_map<uint64_t, pid_t> groups_;
};

}  // namespace hobble
