// Cgroups: as targets that are frozen in place of signals, as lists of members, and those that are made for a target of processes.
// Part of class Scout; everything here runs on the scout's thread.
#include <algorithm>
#include <cstring>

#include "engine/error_text.h"
#include "engine/recovery.h"
#include "engine/scout.h"

namespace hobble {
namespace {

// Passes over the children of those that were moved: whoever forks on and on is not caught by moving.
constexpr int kGatherPasses = 50;

// For how long at most.
constexpr Nanos kStilled = 5 * kSecond;

// How long a group that goes is waited for, and how often it is tried again after that.
constexpr Nanos kSoonGone = 20 * kMillisecond;
constexpr Nanos kHuskInterval = 200 * kMillisecond;

}  // namespace

Stilled::~Stilled() {
  for (const auto& [process, lease] : stopped_) {
    if (lease == nullptr) continue;
    process.send(SIGCONT);
    lease->resume_by.store(0, std::memory_order_release);
    leases_->release(lease);
  }
}

void Stilled::stop(Found& found, LeaseTable& leases) {
  leases_ = &leases;
  // What somebody else has stopped stays his.
  const bool runs = found.stat.state != 'T' && found.stat.state != 't';
  Lease* const lease = runs ? leases.allocate(found.process.identity(), 0) : nullptr;
  if (lease != nullptr) {
    lease->resume_by.store(monotonic_now() + kStilled, std::memory_order_release);
    found.process.send(SIGSTOP);
  }
  stopped_.emplace_back(std::move(found.process), lease);
}

Result<Recruits> Scout::recruit(Record& record) {
  const TargetSpec& spec = record.spec;
  if (spec.kind == TargetKind::kCgroup) return recruit_cgroup(record);
  Recruits recruits;
  auto found = find_members(spec, options_.method, protection_, [this](pid_t pid) { return taken(pid); });
  if (!found) return found.error();
  if (const auto error = busy_elsewhere(*found)) return *error;
  recruits.processes = std::move(*found);
  if (spec.via != Via::kFreeze) return recruits;
  std::vector<const Process*> processes;
  for (const Found& one : recruits.processes) processes.push_back(&one.process);
  Stilled stilled;
  auto group = gather(record, processes, stilled);
  if (group) {
    recruits.group_lease = std::move(group->lease);
    recruits.group = std::move(group->group);
  } else {
    tell_unfrozen(record, group.error());
  }
  return recruits;
}

Result<Recruits> Scout::recruit_cgroup(Record& record) {
  auto opened = Cgroup::open(record.spec.cgroup, record.spec.identity.inode);
  if (!opened) return opened.error();
  Cgroup& group = **opened;
  record.spec.cgroup = group.path();
  const std::string name = name_of(record.spec);
  if (const auto error = busy_group(group)) return *error;
  if (const auto error = find_protected(group, protection_)) return *error;
  if (!group.populated()) return Error{Code::kNoSuchProcess, 0, "there is no process in " + name};

  Recruits recruits;
  // v1 counts CPU time elsewhere, if at all.
  const bool countable = !record.spec.allowance.meters() || group.cpu_time() >= 0;
  if (record.spec.via != Via::kSignal && group.freezer() != Freezer::kNone && countable) {
    recruits.group = std::move(*opened);
    return recruits;
  }
  if (record.spec.via == Via::kFreeze) {
    return Error{
        Code::kNotPermitted, 0,
        name +
            " cannot be frozen by us: its cgroup.freeze (v2) or freezer.state (v1) is not there, or not writable; run as root, have "
            "it handed over (Delegate=yes), or hobble it with signals"};
  }
  recruits.processes = find_in_cgroup(group, options_.method, protection_, [this](pid_t pid) { return taken(pid); });
  if (const auto error = busy_elsewhere(recruits.processes)) return *error;
  if (recruits.processes.empty()) {
    return Error{Code::kNotPermitted, 0, "no process of " + name + " may be signalled by us, or all are hobbled by this engine already"};
  }
  record.cgroup = std::move(*opened);
  return recruits;
}

std::optional<Error> Scout::busy_group(const Cgroup& group) const {
  const bool ours = std::any_of(records_.begin(), records_.end(), [&](const auto& entry) {
    const Record& other = *entry.second;
    const Cgroup* const has = other.cgroup ? other.cgroup.get() : other.members.empty() ? nullptr : other.members.front()->group.get();
    return has != nullptr && has->path() == group.path();
  });
  if (ours) return Error{Code::kBusy, 0, "cgroup " + group.path() + " is hobbled by this engine already"};
  const pid_t owner = neighbours_.owner_of_group(group.inode());
  if (owner == 0) return std::nullopt;
  return Error{Code::kBusy, 0, "cgroup " + group.path() + " is hobbled by the hobble with PID " + std::to_string(owner) + " already"};
}

// A group of its own, below the one that all of them are in. When it fails, everybody is where he was.
Result<GroupMade> Scout::gather(const Record& record, const std::vector<const Process*>& processes, Stilled& stilled) {
  const pid_t first = processes.front()->pid();
  const std::string from = unified_group_of(first);
  const std::string name = kMadeGroup + std::to_string(getpid()) + "-" + std::to_string(record.target->id.get());
  auto below = Cgroup::make_below(first, name);
  if (!below) return below.error();
  GroupMade made{.lease = {}, .group = std::move(*below)};
  const Cgroup& group = *made.group;
  // Known to the guardian before anybody is in it: whoever is would stay there if we died now.
  made.lease = FreeLease(options_.leases->allocate_group(group.path(), group.inode(), true), {options_.leases});
  if (!made.lease) return Error{Code::kNoDescriptors, 0, "the runtime directory is full"};
  if (auto error = gather_into(group, record, processes, from, stilled)) {
    dissolve(std::move(made));
    return *error;
  }
  return made;
}

// Children are born into the group of their parent, so once everybody is in, nobody gets out.
std::optional<Error> Scout::gather_into(const Cgroup& group, const Record& record, const std::vector<const Process*>& processes,
                                        const std::string& from, Stilled& stilled) {
  for (const Process* const one : processes) {
    if (auto error = gather_one(group, *one, from)) return error;
  }
  if (record.spec.kind == TargetKind::kProcess) return std::nullopt;

  // Who was born before its parent was moved. Stopped until the group is frozen, so that it cannot go on.
  std::vector<pid_t> known;
  const Skip skip = [&](pid_t pid) { return std::binary_search(known.begin(), known.end(), pid); };
  for (int pass = 0; pass < kGatherPasses; ++pass) {
    known = group.processes();
    std::sort(known.begin(), known.end());
    std::vector<Found> late;
    for (const pid_t pid : std::vector<pid_t>(known)) {
      for (Found& child : find_children(pid, 0, options_.method, protection_, skip)) late.push_back(std::move(child));
    }
    if (late.empty()) return std::nullopt;
    for (Found& one : late) stilled.stop(one, *options_.leases);
    for (size_t i = stilled.size() - late.size(); i < stilled.size(); ++i) {
      if (auto error = gather_one(group, stilled.at(i), from)) return error;
    }
  }
  return Error{Code::kNotPermitted, processes.front()->pid(), "the tree forks faster than its processes can be moved"};
}

std::optional<Error> Scout::gather_one(const Cgroup& group, const Process& one, const std::string& from) const {
  const pid_t pid = one.pid();
  const std::string name = "process " + std::to_string(pid);
  const std::string present = unified_group_of(pid);
  if (one.gone() || present.empty()) return std::nullopt;
  if (present != from) {
    const bool inside = group.path().ends_with(present);
    if (inside) return std::nullopt;
    return Error{Code::kNotPermitted, pid,
                 name + " is in another cgroup (" + present + ") than the top of its tree, and would shed its limits"};
  }
  const int error = group.admit(pid);
  if (error != 0 && error != ESRCH) {
    return Error{Code::kNotPermitted, pid, name + " cannot be moved into a cgroup of its own (" + error_text(error) + ")"};
  }
  // Gone meanwhile: then it may be a successor of its PID that was moved.
  if (error == 0 && one.gone()) group.expel(pid);
  return std::nullopt;
}

Member* Scout::make_group_member(Record& record, GroupMade made) {
  if (!made.lease) {
    const Cgroup& group = *made.group;
    made.lease = FreeLease(options_.leases->allocate_group(group.path(), group.inode(), false), {options_.leases});
  }
  Member* const member = made.lease ? members_.allocate() : nullptr;
  if (member == nullptr) {
    dissolve(std::move(made));
    return nullptr;
  }
  member->lease = made.lease.release();
  member->target = record.target;
  member->group = std::move(made.group);
  member->cpu_at_add = member->cpu_seen = member->cpu_base = std::max<Nanos>(0, member->cpu());
  record.target->frozen_whole.set(true);
  record.target->group_processes.set(static_cast<uint32_t>(member->group->processes().size()));
  if (options_.respect_foreign_stops && member->group->frozen()) hold(*member, false);
  const std::lock_guard lock(records_mutex_);
  record.members.push_back(member);
  return member;
}

void Scout::check_group(Record& record, bool full) {
  if (record.members.empty() || !record.members.back()->group) return;
  const Cgroup& group = *record.members.back()->group;
  if (!group.populated()) {
    record.ending = true;
    post_to_lane(record, Command::Kind::kRemove, nullptr, EndReason::kExit);
    return;
  }
  // Those that the kernel gave to us are in the group already; those that have exited are to be reaped.
  if (record.spec.adopt_orphans) find_orphans(record.spec.identity.pid, options_.method, protection_, [](pid_t) { return false; });
  // Somebody may have moved a process in that must not be stopped: ourselves, say.
  if (!full) return;
  record.target->group_processes.set(static_cast<uint32_t>(group.processes().size()));
  if (auto intruder = find_protected(group, protection_)) {
    record.failure = std::move(*intruder);
    record.ending = true;
    post_to_lane(record, Command::Kind::kRemove, nullptr, EndReason::kError);
  }
}

void Scout::tell_unfrozen(const Record& record, const Error& error) {
  events_.push({.type = Event::Type::kUnfrozen,
                .target = record.target->id.get(),
                .pid = record.spec.identity.pid,
                .message = error.message + "; " + name_of(record.spec) + " is stopped with signals"});
}

// Too many members: a bomb, or at least more than may be signalled one by one.
bool Scout::crowded(Record& record, size_t more) {
  const size_t members = record.members.size() + more;
  if (members <= options_.most_members) return false;
  if (record.crowded) return true;
  record.crowded = true;
  if (herald_) {
    for (const Member* member : record.members) herald_->forget(member->process.pid());
  }
  const bool freezes = freeze(record);
  events_.push({.type = Event::Type::kCrowded,
                .target = record.target->id.get(),
                .pid = record.spec.identity.pid,
                .code = freezes ? "freeze" : "ignore",
                .message = name_of(record.spec) + " has more than " + std::to_string(options_.most_members) +
                           " members: " + (freezes ? "they are frozen together, as a cgroup" : "no more are taken"),
                .amount = static_cast<double>(members)});
  return true;
}

// Its members, which are sent signals, are moved into a group of their own, which is frozen in their place. The lane hands them over
// stopped.
bool Scout::freeze(Record& record) {
  if (record.retired || record.moving || record.ending || record.unfreezable || record.target->frozen_whole.get()) return false;
  if (record.spec.kind == TargetKind::kCgroup || record.spec.via == Via::kSignal || !can_make_groups()) return false;
  // What somebody else stopped while we held it stays stopped.
  if (options_.respect_foreign_stops) look_at(record);
  record.moving = record.freezing = true;
  post_to_lane(record, Command::Kind::kSeize);
  return true;
}

void Scout::finish_freeze(Record& record) {
  record.freezing = false;
  Target& target = *record.target;
  std::vector<const Process*> processes;
  for (const Member* member = target.members.first(); member != nullptr; member = decltype(target.members)::next(member))
    processes.push_back(&member->process);
  Stilled stilled;
  auto group = processes.empty() ? Result<GroupMade>(Error{}) : gather(record, processes, stilled);
  Member* frozen = nullptr;
  if (group) frozen = make_group_member(record, std::move(*group));
  if (frozen == nullptr) {
    if (!processes.empty()) tell_unfrozen(record, group ? Error{Code::kNoDescriptors, 0, "the runtime directory is full"} : group.error());
    record.unfreezable = true;
    hand_over(record, record.lane);
    return;
  }
  // Frozen first, and then no longer stopped: at no moment do they run.
  frozen->lease->resume_by.store(target.resume_by.get(), std::memory_order_release);
  frozen->stopped = frozen->group->set_frozen(true) == 0;
  for (Member* member = target.members.last(); member != nullptr; member = target.members.last()) {
    target.members.remove(member);
    resume(*member);
    retire_member(*member);
  }
  target.members = {};
  record.lane = record.spec.allowance.pool != nullptr ? kMain : open_slow_lane() ? kSlow : record.lane;
  lanes_[record.lane]->prepare_for(records_.size() + TargetPool::kMost + 1);
  if (!record.followed) ++followed_;
  record.followed = true;
  count_rate(record, record.spec.cycle, 1);
  post_to_lane(record, Command::Kind::kAdd, frozen);
  if (record.release_asked) post_to_lane(record, Command::Kind::kRemove);
}

// A group that was made for a target (others are left alone), all of it thawed, goes as soon as nobody is in it any more. Those of a bomb
// that are about to exit need a CPU for that, and the others who want one are hundreds: it is not waited for here. The lease stays until
// then, so that the group is not forgotten when we die.
void Scout::dissolve(GroupMade made) {
  if (made.group->dismantle(kSoonGone) == 0) return;
  husks_.push_back(std::move(made));
  next_husk_ = monotonic_now() + kHuskInterval;
}

void Scout::dissolve_husks(Nanos now) {
  if (husks_.empty() || now < next_husk_) return;
  std::erase_if(husks_, [](GroupMade& husk) { return husk.group->dismantle(0) == 0; });
  next_husk_ = monotonic_now() + kHuskInterval;
}

// Of a target that no lane has. Whom somebody else has stopped meanwhile stays stopped, and is no longer ours.
void Scout::resume(Member& member) const {
  if (!member.stopped) return;
  const bool held = member.held.get();
  const bool foreign =
      options_.respect_foreign_stops && !member.restopped && !held && foreign_stop(member.process.pid()) == ForeignStop::kSignal;
  // A debugger that holds it would leave it stopped by us when it goes.
  if (!foreign && (!held || member.traced.get())) member.process.send(SIGCONT);
  member.stopped = false;
  member.lease->resume_by.store(0, std::memory_order_release);
}

// The lanes are gone, and have resumed what they had. What was between them just then, on its way to a cgroup or back, is resumed here; the
// groups that were made for targets are emptied and removed.
void Scout::dismantle_groups() {
  const std::lock_guard lock(records_mutex_);
  for (auto& [id, record] : records_) {
    for (Member* member : record->members) {
      if (member->group) {
        if (member->stopped) member->group->set_frozen(false);
        member->stopped = false;
        member->lease->resume_by.store(0, std::memory_order_release);
        member->group->dismantle(kDismantlePatience);
      } else {
        resume(*member);
      }
      member->group.reset();
    }
  }
  for (const GroupMade& husk : husks_) husk.group->dismantle(kDismantlePatience);
  husks_.clear();
}

}  // namespace hobble
