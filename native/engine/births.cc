// Children of members, as the herald tells of them: members at once. Part of class Scout; everything here runs on the scout's thread.
#include <sched.h>

#include <algorithm>
#include <utility>

#include "engine/bell.h"
#include "engine/scout.h"

namespace hobble {
namespace {

// How old the news of a birth may be when the parent has died meanwhile.
constexpr Nanos kFresh = 20 * kMillisecond;
// How long news of children may take that a process had before it exited.
constexpr Nanos kLateNews = 100 * kMillisecond;
constexpr Nanos kTick = 10 * kMillisecond;  // of start times in /proc
// Below the lanes.
constexpr int kBelowLanes = 2;
constexpr int kBatchesAtOnce = 8;

// Was it started when the birth was told of? PIDs are handed out in turn, so within such a time no other process has it.
bool born_then(const ProcessStat& stat, const Birth& birth) {
  const Nanos now = monotonic_now();
  const Nanos since_boot = birth.at + read_clock(CLOCK_BOOTTIME) - now;
  const auto started = static_cast<Nanos>(stat.start_ticks) * kTick;
  return now - birth.at < kFresh && started <= since_boot + kTick && started + 2 * kTick >= since_boot;
}

}  // namespace

// The kernel works for every fork of the host while somebody listens, so only when there is a tree to follow.
void Scout::hear_of_births() {
  if (herald_ || !options_.process_events) return;
  const Scheduling& lane = lanes_[kMain]->scheduling();
  herald_ = std::make_unique<Herald>(lane.fifo ? std::max(1, lane.priority - kBelowLanes) : 0, event_.get());
  herald_published_.store(herald_.get(), std::memory_order_release);
  for (const auto& [pid, member] : by_pid_) watch_children(*member);
}

// A group that is frozen is followed by the kernel, and a process on its own has no members but itself.
void Scout::watch_children(const Member& member) {
  if (!herald_) return;
  if (member.target->kind.get() != TargetKind::kProcess) {
    herald_->watch(member.process.pid());
  } else {
    herald_->forget(member.process.pid());  // it may have been a member of a tree a moment ago
  }
}

void Scout::handle_births() {
  if (!herald_) return;
  if (herald_->missed()) {
    next_reading_ = next_full_reading_ = 0;
    for (auto& [id, record] : records_) record->children_spent = true;
  }
  // Others have requests too, while somebody forks on and on.
  int batches = 0;
  for (std::vector<Birth> births = herald_->take(); !births.empty(); births = herald_->take()) {
    std::unordered_map<pid_t, uint64_t> owners;  // of those that are about to be members
    std::unordered_map<uint64_t, std::vector<Found>> children;
    std::vector<uint64_t> order;
    for (const Birth& birth : births) {
      const uint64_t target = owner_of_child(birth, owners);
      const auto record = target == 0 ? records_.end() : records_.find(target);
      if (record != records_.end()) record->second->children_spent = true;
      // One too many gets the tree seized: those before it have to be the lane's by then, or they would run and fork on.
      if (record != records_.end() && record->second->members.size() + children[target].size() >= options_.most_members) {
        append_members(*record->second, std::exchange(children[target], {}));
      }
      auto child = record == records_.end() ? std::nullopt : adopt_child(*record->second, birth, children[target].size());
      if (!child) {
        // Whoever has gone already, or may not be a member, may have had children of its own.
        if (record != records_.end() && takes_children(*record->second) && !taken(birth.child)) remember(birth.child, target);
        continue;
      }
      if (children[target].empty()) order.push_back(target);
      owners[birth.child] = target;
      children[target].push_back(std::move(*child));
    }
    for (const uint64_t target : order) {
      if (!children[target].empty()) append_members(*records_.at(target), std::move(children[target]));
    }
    for (const Birth& birth : births) {
      if (owners.contains(birth.child)) birth_delay_.record(monotonic_now() - birth.at);
    }
    if (++batches < kBatchesAtOnce) continue;
    ring(event_.get());
    break;
  }
  forget_ghosts(monotonic_now());
}

void Scout::remember(pid_t pid, uint64_t target) {
  if (herald_) ghosts_[pid] = {.target = target, .since = monotonic_now()};
}

void Scout::forget_ghosts(Nanos now) {
  std::erase_if(ghosts_, [&](const auto& ghost) {
    if (now - ghost.second.since < kLateNews) return false;
    if (!by_pid_.contains(ghost.first)) herald_->forget(ghost.first);
    return true;
  });
}

uint64_t Scout::owner_of_child(const Birth& birth, const std::unordered_map<pid_t, uint64_t>& owners) const {
  const auto young = owners.find(birth.parent);
  if (young != owners.end()) return young->second;
  const auto member = by_pid_.find(birth.parent);
  if (member != by_pid_.end()) return member->second->target->id.get();
  const auto ghost = ghosts_.find(birth.parent);
  return ghost == ghosts_.end() ? 0 : ghost->second.target;
}

bool Scout::takes_children(const Record& record) {
  return record.spec.kind != TargetKind::kProcess && !record.retired && !record.ending && !record.crowded &&
         !record.target->frozen_whole.get();
}

// The pidfd first, then /proc says whose child it is, then the pidfd says that it still lives. A child whose parent has died meanwhile has
// another one by now: then it counts that it was born a moment ago.
std::optional<Found> Scout::adopt_child(Record& record, const Birth& birth, size_t before) {
  if (!takes_children(record) || record.moving || taken(birth.child)) return std::nullopt;
  if (crowded(record, before + 1)) return std::nullopt;
  Found found;
  auto process = Process::open({.pid = birth.child}, options_.method, &found.stat);
  if (!process || protection_.covers(birth.child, &found.stat) || neighbours_.owner_of(process->identity()) != 0) return std::nullopt;
  if (found.stat.parent != birth.parent && !born_then(found.stat, birth)) return std::nullopt;
  if (record.spec.kind == TargetKind::kGroup && found.stat.group != record.spec.identity.pid) return std::nullopt;
  found.process = std::move(*process);
  return found;
}

void Scout::append_members(Record& record, std::vector<Found> found) {
  // No lane has the target now, or will soon have it no more: it is read again when the next one has it, or its cgroup.
  if (record.moving || record.ending || record.retired) return;
  Member* const chain = make_members(record, std::move(found));
  if (chain == nullptr) return;
  count_rate(record, record.spec.cycle, record.members.size());
  post_to_lane(record, Command::Kind::kAppend, chain);
}

}  // namespace hobble
