// Members that come: trees and groups are read again and again. Part of class Scout; everything here runs on the scout's thread.
#include <algorithm>
#include <utility>

#include "engine/scout.h"

namespace hobble {
namespace {

// Trees and groups are read at least this often: those members that used the CPU since (nobody forks without using it).
constexpr Nanos kReadingInterval = 100 * kMillisecond;
// And all members, because a subreaper gets children without doing anything.
constexpr Nanos kFullReadingInterval = 1 * kSecond;
// Reading may take this share of the helper thread's time, then it becomes rarer.
constexpr Nanos kReadingThinning = 10;
// Each level of a tree is stopped a moment after the one above it; all below this one are stopped with it, still parents first.
constexpr int kDeepestLevel = 7;

void read_children_cpu(Member& member) {
  const auto stat = member.state_file ? read_stat_fd(member.state_file.get()) : read_stat(member.process.pid());
  if (stat) member.children_cpu = static_cast<Nanos>(stat->children_ticks) * tick_length();
}

}  // namespace

Nanos Scout::next_wake_up() const {
  if (closing_.load()) return kNever;
  const Nanos next_husk = husks_.empty() ? kNever : next_husk_;
  if (records_.empty()) return next_husk;
  Nanos next = std::min({next_measurement_, next_guardian_, next_look(), next_husk});
  if (followed_ > 0) next = std::min(next, next_reading_);
  return next;
}

// The chain that a command carries; null when none of them could be watched.
Member* Scout::make_members(Record& record, std::vector<Found> found) {
  Member* first = nullptr;
  Member* last = nullptr;
  for (Found& one : found) {
    Member* const member = members_.allocate();
    if (member == nullptr) break;
    member->process = std::move(one.process);
    member->target = record.target;
    member->threads.set(one.stat.threads);
    member->lease = options_.leases->allocate(member->process.identity(), 0);
    member->cpu_at_add = std::max<Nanos>(0, cpu_time(member->process.pid()));
    // What a child spent before it was found was spent within the tree.
    const bool born = born_here(record, one.stat);
    member->cpu_base = born ? 0 : member->cpu_at_add;
    member->cpu_seen = member->cpu_base;
    member->children_cpu = static_cast<Nanos>(one.stat.children_ticks) * tick_length();
    member->children_base = born ? 0 : member->children_cpu;
    if (member->lease == nullptr || !lanes_[record.lane]->watch_exit(member)) {
      if (member->lease != nullptr) options_.leases->release(member->lease);
      member->~Member();
      members_.release(member);
      break;
    }
    find_level(*member, one.stat.parent);
    hold_what_others_hold(*member, one.stat.state);
    by_pid_[member->process.pid()] = member;
    watch_children(*member);
    {
      const std::lock_guard lock(records_mutex_);
      record.members.push_back(member);
    }
    (last != nullptr ? last->siblings.next : first) = member;
    last = member;
  }
  return first;
}

// Was it forked since the target was added?
bool Scout::born_here(const Record& record, const ProcessStat& stat) const {
  return !record.members.empty() && record.spec.kind != TargetKind::kProcess && stat.start_ticks >= record.added_ticks;
}

// Its parent is a member already, or it is at the top.
void Scout::find_level(Member& member, pid_t parent_pid) {
  const auto found = by_pid_.find(parent_pid);
  if (found == by_pid_.end() || found->second->target != member.target) return;
  Member& parent = *found->second;
  member.parent = parent_pid;
  member.level = std::min(parent.level + 1, kDeepestLevel);
  member.lease->level.store(member.level, std::memory_order_relaxed);
  if (parent.state_file) return;
  parent.state_file = parent.process.open_file("stat");
  parent.state_fd.set(parent.state_file ? parent.state_file.get() : -1);
}

void Scout::read_members(Nanos now) {
  if (followed_ == 0) return;
  const bool due = now >= next_reading_;
  const bool full = now >= next_full_reading_;
  if (full) read_neighbours(now);
  for (auto& [id, record] : records_) {
    if (!record->followed) continue;
    const bool wanted = record->target->wants_reading.get();
    if (!due && !wanted) continue;
    record->target->wants_reading.set(false);
    read_record(*record, full);
  }
  if (!due) return;
  const Nanos after = monotonic_now();
  const Nanos interval = std::max(kReadingInterval, (after - now) * kReadingThinning);
  next_reading_ = after + std::min(interval, 250 * kMillisecond);
  if (full) next_full_reading_ = after + std::max(kFullReadingInterval, interval);
}

void Scout::read_record(Record& record, bool full) {
  if (record.retired || record.moving || record.ending) return;
  if (record.target->frozen_whole.get()) {
    check_group(record, full);
    return;
  }
  if (record.crowded) return;
  auto found = find_new_members(record, full);
  if (record.spec.allowance.meters()) count_missed(record);
  if (crowded(record, found.size())) return;
  if (!found.empty()) append_members(record, std::move(found));
}

// Children that came and went between two looks are known by what their parents tell of those they have waited for. What the lane has
// counted of them already is not counted twice: of two readings the lower one holds, because an exit reaches the lane at another moment
// than the parent.
void Scout::count_missed(Record& record) {
  Target& target = *record.target;
  const bool fresh = record.metering_periods != target.metering_periods.get();
  Nanos missed = 0;
  for (Member* member : record.members) {
    // What was spent while nothing counted must not be found later.
    if (fresh) read_children_cpu(*member);
    missed += member->children_cpu - member->children_base;
  }
  missed -= target.gone_cpu.get();
  if (fresh) {
    record.metering_periods = target.metering_periods.get();
    record.missed_offset = missed - target.missed.get();
  }
  missed -= record.missed_offset;
  const Nanos lower = std::min(missed, std::exchange(record.missed_before, missed));
  if (lower > target.missed.get()) target.missed.set(lower);
}

// A member has exited, and with it what its children had spent leaves the sum above. If its parent is a member too, that one's children
// have spent by now what it and its own children ever did: of that, what came before they were members does not count. Else nobody here
// is told of it, and what was counted of it does not stand against what others miss.
void Scout::balance_exit(Record& record, const Member& member) const {
  if (member.group || !member.process.gone()) return;
  const auto parent = by_pid_.find(member.parent);
  const bool collected = parent != by_pid_.end() && parent->second->target == member.target;
  record.missed_offset +=
      collected ? member.cpu_base + member.children_base : -(member.gone_counted + member.children_cpu - member.children_base);
}

std::vector<Found> Scout::find_new_members(Record& record, bool full) {
  std::vector<Found> all;
  const pid_t group = record.spec.kind == TargetKind::kGroup ? record.spec.identity.pid : 0;
  const auto skip = [&](pid_t pid) {
    return taken(pid) || neighbours_.owner_of({.pid = pid}) != 0 ||
           std::any_of(all.begin(), all.end(), [pid](const Found& found) { return found.process.pid() == pid; });
  };
  if (record.cgroup) return find_in_cgroup(*record.cgroup, options_.method, protection_, skip);
  const auto take = [&](std::vector<Found> found) { std::move(found.begin(), found.end(), std::back_inserter(all)); };

  // What the kernel tells of need not be looked for, but for once in a while; what children spent that were gone too soon, it does not
  // tell.
  const bool told = herald_ && herald_->hears() && !full;
  const bool count = record.spec.allowance.meters() && std::exchange(record.children_spent, false);
  for (Member* member : record.members) {
    if (told && !count) break;
    const pid_t pid = member->process.pid();
    const Nanos cpu = cpu_time(pid);
    if (cpu == member->cpu_at_read && !full) continue;
    if (told) {
      member->cpu_at_read = cpu;
      read_children_cpu(*member);
      continue;
    }
    auto children = find_children(pid, group, options_.method, protection_, skip);
    // Still the same process: then those are its children, and not those of a successor of its PID.
    if (member->process.gone()) continue;
    member->cpu_at_read = cpu;
    if (record.spec.allowance.meters()) read_children_cpu(*member);
    take(std::move(children));
  }
  if (record.spec.adopt_orphans) take(find_orphans(record.spec.identity.pid, options_.method, protection_, skip));
  if (group != 0 && full) take(find_group(group, options_.method, protection_, skip));
  // Not farther than it takes to see that they are too many: whoever forks on and on would lead us on and on.
  for (size_t i = 0; i < all.size() && record.members.size() + all.size() <= options_.most_members; ++i)
    take(find_children(all[i].process.pid(), group, options_.method, protection_, skip));
  return all;
}

}  // namespace hobble
