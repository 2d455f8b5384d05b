#include "engine/membership.h"

#include <unistd.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "engine/guard.h"

namespace hobble {
namespace {

// Not even looked at twice: what is gone, not permitted or protected cannot become a member.
bool open_if_allowed(pid_t pid, SignalMethod method, const Protection& protection, const Skip& skip, Found& found) {
  if (skip(pid)) return false;
  auto process = Process::open({.pid = pid}, method, &found.stat);
  if (!process || protection.covers(pid, &found.stat)) return false;
  found.process = std::move(*process);
  return true;
}

// Where the kernel has no children files, every process is asked for its parent.
void list_children(pid_t parent, std::vector<pid_t>& children) {
  static const bool has_files = has_children_files();
  if (has_files) {
    read_children(parent, children);
    return;
  }
  for_each_process([&](pid_t pid) {
    const auto stat = read_stat(pid);
    if (stat && stat->parent == parent) children.push_back(pid);
    return true;
  });
}

// Parents before children, else in the order found.
void order_by_descent(std::vector<Found>& members) {
  std::unordered_map<pid_t, pid_t> parent_of;
  for (const Found& member : members) parent_of[member.process.pid()] = member.stat.parent;
  const auto depth = [&](const Found& member) {
    size_t steps = 0;
    for (auto at = parent_of.find(member.stat.parent); at != parent_of.end() && steps <= members.size(); at = parent_of.find(at->second))
      ++steps;
    return steps;
  };
  std::unordered_map<pid_t, size_t> depths;
  for (const Found& member : members) depths[member.process.pid()] = depth(member);
  std::stable_sort(members.begin(), members.end(),
                   [&](const Found& a, const Found& b) { return depths[a.process.pid()] < depths[b.process.pid()]; });
}

Result<std::vector<Found>> find_whole_group(const TargetSpec& spec, SignalMethod method, const Protection& protection, const Skip& skip) {
  const pid_t group = spec.identity.pid;
  const std::string name = "process group " + std::to_string(group);
  if (spec.identity.inode != 0 || spec.identity.start_ticks != Identity::kUnknownTicks) {
    auto leader = Process::open(spec.identity, method);
    if (!leader) return leader.error();
  }
  bool exists = false;
  pid_t guarded = 0;
  std::string reason;
  bool busy = false;
  for_each_process([&](pid_t pid) {
    const auto stat = read_stat(pid);
    if (!stat || stat->group != group) return true;
    exists = true;
    busy = busy || skip(pid);
    reason = protection.reason(pid, &*stat);
    if (!reason.empty()) guarded = pid;
    return guarded == 0;
  });
  if (!exists) return Error{Code::kNoSuchProcess, group, "there is no " + name};
  if (guarded != 0) {
    return Error{Code::kProtected, group, name + " holds process " + std::to_string(guarded) + ": " + reason};
  }
  auto members = find_group(group, method, protection, skip);
  if (!members.empty()) return members;
  if (busy) return Error{Code::kBusy, group, name + " is hobbled by this engine already"};
  return Error{Code::kNotPermitted, group, "no process of " + name + " may be signalled by us; run as its owner or as root"};
}

}  // namespace

Protection Protection::current(ProtectedPrograms& programs) {
  Protection protection;
  protection.programs_ = &programs;
  pid_t pid = getppid();
  while (pid > 1 && protection.ancestors_.size() < 1000) {
    protection.ancestors_.push_back(pid);
    const auto stat = read_stat(pid);
    if (!stat) break;
    pid = stat->parent;
  }
  return protection;
}

std::string Protection::reason(pid_t pid, const ProcessStat* stat) const {
  if (pid == 1) return "PID 1 is never stopped";
  if (pid == getpid()) return "it is hobble itself";
  if (is_own_guardian(pid)) return "it is hobble's guardian";
  if (std::find(ancestors_.begin(), ancestors_.end(), pid) != ancestors_.end())
    return "it is an ancestor of hobble, which would stop itself with it";
  if (pid == 2 || (stat != nullptr && stat->kernel_thread())) {
    if (stat == nullptr || stat->kernel_thread()) return "it is a kernel thread";
  }
  if (stat == nullptr || programs_ == nullptr) return "";
  const std::string program = programs_->match(pid, *stat);
  return program.empty() ? "" : "its program, " + program + ", is on the list of those that are never stopped";
}

std::string name_of(const TargetSpec& spec) {
  switch (spec.kind) {
    case TargetKind::kCgroup:
      return "cgroup " + spec.cgroup;
    case TargetKind::kGroup:
      return "process group " + std::to_string(spec.identity.pid);
    default:
      return "process " + std::to_string(spec.identity.pid);
  }
}

Result<std::vector<Found>> find_members(const TargetSpec& spec, SignalMethod method, const Protection& protection, const Skip& skip) {
  if (spec.kind == TargetKind::kGroup) return find_whole_group(spec, method, protection, skip);

  const pid_t pid = spec.identity.pid;
  const std::string name = "process " + std::to_string(pid);
  if (const auto reason = protection.reason(pid, nullptr); !reason.empty() && pid != 2) {
    return Error{Code::kProtected, pid, name + " is protected: " + reason};
  }
  std::vector<Found> members(1);
  auto root = Process::open(spec.identity, method, &members[0].stat);
  // A kernel thread is refused as such, also by those who may not signal it.
  const auto stat = root ? std::optional(members[0].stat) : read_stat(pid);
  if (const auto reason = stat ? protection.reason(pid, &*stat) : ""; !reason.empty()) {
    return Error{Code::kProtected, pid, name + " is protected: " + reason};
  }
  if (!root) return root.error();
  if (skip(pid)) return Error{Code::kBusy, pid, name + " is hobbled by this engine already"};
  members[0].process = std::move(*root);
  if (spec.kind == TargetKind::kProcess) return members;

  std::unordered_set<pid_t> known{pid};
  const Skip skip_known = [&](pid_t candidate) { return known.contains(candidate) || skip(candidate); };
  for (size_t i = 0; i < members.size(); ++i) {
    for (Found& child : find_children(members[i].process.pid(), 0, method, protection, skip_known)) {
      known.insert(child.process.pid());
      members.push_back(std::move(child));
    }
  }
  return members;
}

std::vector<Found> find_children(pid_t parent, pid_t group, SignalMethod method, const Protection& protection, const Skip& skip) {
  std::vector<pid_t> pids;
  list_children(parent, pids);
  std::vector<Found> children;
  for (const pid_t pid : pids) {
    Found found;
    if (!open_if_allowed(pid, method, protection, skip, found)) continue;
    if (found.stat.parent == parent && (group == 0 || found.stat.group == group)) children.push_back(std::move(found));
  }
  return children;
}

std::vector<Found> find_orphans(pid_t root, SignalMethod method, const Protection& protection, const Skip& skip) {
  const Skip skip_root = [&](pid_t pid) { return pid == root || skip(pid); };
  std::vector<pid_t> pids;
  list_children(getpid(), pids);
  for (const pid_t pid : pids) {
    // The guardian is its engine's to collect.
    if (!skip_root(pid) && !is_own_guardian(pid)) reap_child(pid);
  }
  return find_children(getpid(), 0, method, protection, skip_root);
}

std::vector<Found> find_group(pid_t group, SignalMethod method, const Protection& protection, const Skip& skip) {
  std::vector<pid_t> pids;
  for_each_process([&](pid_t pid) {
    const auto stat = read_stat(pid);
    if (stat && stat->group == group) pids.push_back(pid);
    return true;
  });
  std::vector<Found> members;
  for (const pid_t pid : pids) {
    Found found;
    // Asked again with the pidfd in hand.
    if (open_if_allowed(pid, method, protection, skip, found) && found.stat.group == group) members.push_back(std::move(found));
  }
  order_by_descent(members);
  return members;
}

std::vector<Found> find_in_cgroup(const Cgroup& group, SignalMethod method, const Protection& protection, const Skip& skip) {
  std::vector<Found> members;
  for (const pid_t pid : group.processes()) {
    Found found;
    if (pid > 0 && open_if_allowed(pid, method, protection, skip, found)) members.push_back(std::move(found));
  }
  // With the pidfds in hand: whoever is still in the list now, and alive, is in the group.
  const std::vector<pid_t> still = group.processes();
  const std::unordered_set<pid_t> present(still.begin(), still.end());
  std::erase_if(members, [&](const Found& one) { return !present.contains(one.process.pid()) || one.process.gone(); });
  order_by_descent(members);
  return members;
}

std::optional<Error> find_protected(const Cgroup& group, const Protection& protection) {
  for (const pid_t pid : group.processes()) {
    if (pid <= 0) continue;
    const auto stat = read_stat(pid);
    const std::string reason = protection.reason(pid, stat ? &*stat : nullptr);
    if (reason.empty()) continue;
    return Error{Code::kProtected, pid, "cgroup " + group.path() + " holds process " + std::to_string(pid) + ": " + reason};
  }
  return std::nullopt;
}

}  // namespace hobble
