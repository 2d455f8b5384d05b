// The helper thread: everything about targets that is slow. It opens pidfds, reads /proc, plans phases, hands targets to the lanes, takes
// back what has ended, and tells JavaScript. It is an ordinary thread: no signal's timing depends on it.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <thread>
#include <unordered_map>
#include <vector>

#include "engine/demand.h"
#include "engine/event.h"
#include "engine/guard.h"
#include "engine/herald.h"
#include "engine/inheriting_mutex.h"
#include "engine/lane.h"
#include "engine/leases.h"
#include "engine/load.h"
#include "engine/membership.h"
#include "engine/neighbours.h"
#include "engine/pool.h"

namespace hobble {

struct ScoutOptions {
  LaneOptions lane;
  double most_share = 0.8;
  SignalMethod method = SignalMethod::kPidfd;
  LeaseTable* leases = nullptr;
  std::string runtime_directory;
  GuardOptions guard;
  bool respect_foreign_stops = true;
  std::vector<std::string> protected_programs;
  bool protect_usual = true;
  bool process_events = true;  // ask the kernel for them
  size_t most_members = 4096;  // of one target
};

// From JavaScript's thread.
struct Request {
  enum class Kind : uint8_t { kAdd, kUpdate, kRelease, kSetPool, kEndPool };
  Kind kind = Kind::kAdd;
  uint64_t target = 0;
  TargetSpec spec;
  double revision = 0;         // kUpdate: told when it is refused
  TargetPool* pool = nullptr;  // kSetPool, kEndPool
  PoolTerms pool_terms;
};

// Written by the scout twice a second.
struct RateCounters {
  Counter<double> share, signals_per_second, wakeups_per_second;
  Counter<int> stretch;
};

// Processes that are stopped while their tree is moved into a cgroup, under leases of their own; they run again when this goes.
class Stilled {
 public:
  Stilled() = default;
  ~Stilled();
  Stilled(const Stilled&) = delete;
  Stilled& operator=(const Stilled&) = delete;
  // Without a lease it is not stopped.
  void stop(Found& found, LeaseTable& leases);
  size_t size() const { return stopped_.size(); }
  const Process& at(size_t index) const { return stopped_[index].first; }

 private:
  LeaseTable* leases_ = nullptr;
  std::vector<std::pair<Process, Lease*>> stopped_;
};

class Scout {
 public:
  static constexpr size_t kMostTargets = 1UL << 18;
  enum LaneName : size_t { kMain = 0, kSlow = 1, kLanes = 2 };

  Scout(const ScoutOptions& options, EventQueue& events);
  ~Scout();
  Scout(const Scout&) = delete;
  Scout& operator=(const Scout&) = delete;

  // Starts the main lane, the guardian and the helper thread. An error if the host has no thread or descriptor left for them, or no
  // guardian where one is required.
  std::optional<Error> start();

  // Any thread. 0 when there is no room for another target.
  uint64_t reserve_target(const TargetSpec& spec);
  // Any thread. Null when there is no room for another pool. It must be set before a target names it.
  TargetPool* reserve_pool();
  TargetPool* find_pool(uint64_t id);
  void post(const Request& request);
  void request_mode(Lane::Mode mode);
  bool wait_for_mode(Nanos patience);
  // Ends the helper thread and the lanes, which must have been asked to close.
  void join();
  // Null when the id is no longer, or was never, a target. The counters may be read; look at `id` again afterwards.
  Target* find(uint64_t id);
  std::vector<pid_t> members_of(uint64_t id);
  Nanos cpu_spent(uint64_t id);

  // The slow lane is null until it is needed.
  Lane* lane(LaneName name) const { return lanes_published_[name].load(std::memory_order_acquire); }
  const RateCounters& rates() const { return rates_; }
  Nanos thread_cpu_time() const { return read_clock(thread_clock_); }
  bool memory_locked() const { return targets_.locked() && members_.locked() && options_.leases->locked(); }
  // 0 while there is none.
  pid_t guardian() const { return guardian_pid_.get(); }
  // Null while there is none.
  const Herald* herald() const { return herald_published_.load(std::memory_order_acquire); }
  const EngineHistogram& birth_delay() const { return birth_delay_; }
  uint64_t foreign_looks() const { return looks_done_.get(); }

 private:
  // The scout's own view of a target. `members` holds those that the lane has, or will have when it has obeyed.
  struct Record {
    Target* target = nullptr;
    TargetSpec spec;
    std::vector<Member*> members;
    std::unique_ptr<Cgroup> cgroup;  // whose processes are its members, sent signals
    PhasePlanner::Placement placement;
    LaneName lane = kMain;
    int commands_under_way = 0;
    bool spread = false;
    bool followed = false;  // it is read again and again: it may get members, or be a cgroup that becomes empty
    bool ready = false;
    bool retired = false;
    bool unfreezable = false;   // it was tried
    Nanos evasion_told_at = 0;  // of the last report: when it was told, what its members had spent, what they had evaded
    Nanos cpu_then = 0;
    Nanos evaded_then = 0;
    Nanos examined_at = 0;        // when it was last asked of /proc whether it runs
    bool crowded = false;         // it has as many members as a target may have
    bool children_spent = false;  // some came or went since it was last read: what they spent may be known to their parents only
    bool ending = false;          // a command that ends it is on its way
    bool moving = false;          // on its way to another lane, or into a cgroup: no command may be posted
    bool freezing = false;        // into a cgroup
    LaneName moving_to = kSlow;
    bool release_asked = false;  // while it was moving
    std::optional<Error> failure;
    double signals_per_second = 0;
    uint32_t metering_periods = 0;  // the last one in which it was read
    Nanos missed_before = 0;        // by the last reading
    Nanos missed_offset = 0;        // what was missed while nothing counted
    uint64_t added_ticks = 0;       // clock ticks after boot, as start times are
    Nanos demand_at = 0;            // when its CPU time was last looked at
    Nanos demand_cpu = 0;
  };
  struct Look {
    Nanos at = 0;
    uint64_t target = 0;
    bool operator>(const Look& other) const { return at > other.at; }
  };

  // scout.cc: the thread, what JavaScript asks for
  void run();
  void be_prompt(bool prompt);
  Nanos next_wake_up() const;
  void handle_requests();
  void wake_lanes();
  void add(const Request& request);
  bool taken(pid_t pid) const;
  void update(const Request& request);
  void release(uint64_t id);
  void set_pool(const Request& request);
  void use_pool(TargetPool* pool);
  void leave_pool(TargetPool* pool);
  void end_pool_if_unused(TargetPool& pool);
  void free_pool(TargetPool& pool);
  void post_to_lane(Record& record, Command::Kind kind, Member* chain = nullptr, EndReason reason = EndReason::kReleased);
  // retirement.cc: what comes back
  void handle_notes();
  void handle(Note& note);
  void retire_member(Member& member);
  void end_if_empty(uint64_t id);
  void retire_target(Record& record);
  void finish_retirement(Record& record);
  void fail(uint64_t id, const Error& error);
  void forget(Record& record);
  void tell_end(const Record& record);
  void finish_closing();
  // guarding.cc: the guardian, what dead engines left, what living ones have
  void tell_unguarded(const Error& error);
  void replace_guardian();
  void let_guardian_go();
  std::optional<Error> busy_elsewhere(const std::vector<Found>& found) const;
  // readings.cc: members that come
  Member* make_members(Record& record, std::vector<Found> found);
  bool born_here(const Record& record, const ProcessStat& stat) const;
  void find_level(Member& member, pid_t parent_pid);
  void read_members(Nanos now);
  std::vector<Found> find_new_members(Record& record, bool full);
  void read_record(Record& record, bool full);
  static void count_missed(Record& record);
  void balance_exit(Record& record, const Member& member) const;
  void append_members(Record& record, std::vector<Found> found);
  bool crowded(Record& record, size_t more);
  // births.cc: children of members
  void hear_of_births();
  void watch_children(const Member& member);
  void handle_births();
  static bool takes_children(const Record& record);
  void remember(pid_t pid, uint64_t target);
  void forget_ghosts(Nanos now);
  uint64_t owner_of_child(const Birth& birth, const std::unordered_map<pid_t, uint64_t>& owners) const;
  std::optional<Found> adopt_child(Record& record, const Birth& birth, size_t before);
  // freezing.cc: cgroups
  Result<Recruits> recruit(Record& record);
  Result<Recruits> recruit_cgroup(Record& record);
  std::optional<Error> busy_group(const Cgroup& group) const;
  Result<GroupMade> gather(const Record& record, const std::vector<const Process*>& processes, Stilled& stilled);
  std::optional<Error> gather_into(const Cgroup& group, const Record& record, const std::vector<const Process*>& processes,
                                   const std::string& from, Stilled& stilled);
  std::optional<Error> gather_one(const Cgroup& group, const Process& one, const std::string& from) const;
  Member* make_group_member(Record& record, GroupMade made);
  void check_group(Record& record, bool full);
  void tell_unfrozen(const Record& record, const Error& error);
  void dissolve(GroupMade made);
  void dissolve_husks(Nanos now);
  void dismantle_groups();
  bool freeze(Record& record);
  void finish_freeze(Record& record);
  void resume(Member& member) const;
  // accusations.cc: who runs although it is stopped
  void handle_evasion(Record& record);
  void examine(Member& member);
  // foreign_stops.cc: what others stopped
  void watch_for_foreign_stops(const Record& record, Nanos now);
  Nanos next_look() const;
  Nanos look_lead() const;
  void look_for_foreign_stops(Nanos now);
  void look_at(Record& record);
  void look_at(Member& member);
  void yield_to_neighbours(Record& record);
  void read_neighbours(Nanos now);
  std::optional<StopStatus> read_status(Member& member);
  void hold_what_others_hold(Member& member, char state);
  void look_at_group(Member& member);
  void hold(Member& member, bool traced);
  void let_go(Member& member);
  static bool stops_now_and_then(const Target& target, Nanos now);
  Nanos time_of_next_limit_look(const Record& record, Nanos now) const;
  Nanos time_of_next_look(const Record& record, Nanos now) const;
  // planning.cc: cost, phase, lane
  void count_rate(Record& record, const Cycle& cycle, size_t members);
  bool admit(Record& record, const Cycle& cycle, size_t members);
  void set_stretch(int stretch);
  void plan_phase(Record& record);
  void measure(Nanos now);
  static Nanos demand_of(const Record& record);
  void measure_demand(Nanos now);
  LaneName choose_lane(const Recruits& recruits);
  bool open_slow_lane();
  void move_to(Record& record, LaneName lane);
  void finish_move(Record& record);
  void hand_over(Record& record, LaneName to);

  ScoutOptions options_;
  EventQueue& events_;
  std::array<std::unique_ptr<Lane>, kLanes> lanes_;
  std::array<std::atomic<Lane*>, kLanes> lanes_published_{};
  cpu_set_t slow_cpus_{};

  InheritingMutex requests_mutex_;  // guards the five below
  std::vector<Request> requests_;
  Pool<Target> targets_{kMostTargets};
  std::vector<std::unique_ptr<TargetPool>> pools_;
  std::vector<size_t> free_pools_;
  uint64_t pool_generation_ = 0;

  InheritingMutex records_mutex_;  // the scout writes under it, so that others may read
  std::unordered_map<uint64_t, std::unique_ptr<Record>> records_;

  std::vector<GroupMade> husks_;  // made for targets that have ended, thawed, not empty yet
  Nanos next_husk_ = 0;
  Pool<Member> members_{kMostTargets * 4};
  std::unordered_map<pid_t, Member*> by_pid_;
  ProtectedPrograms protected_programs_;
  Protection protection_;
  Neighbours neighbours_;
  Nanos neighbours_read_ = 0;
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<Herald> herald_;  // null until there is a tree
  std::atomic<Herald*> herald_published_{nullptr};
  struct Ghost {
    uint64_t target = 0;
    Nanos since = 0;
  };
  std::unordered_map<pid_t, Ghost> ghosts_;  // members that have gone: news of their children may still come
  EngineHistogram birth_delay_;              // from a fork until its member was on its way to the lane
  Counter<pid_t> guardian_pid_;
  int guardians_failed_ = 0;      // in a row
  Nanos next_guardian_ = kNever;  // when to try again
  PhasePlanner planner_;
  Mailbox<Note> notes_;
  UniqueFd event_;
  std::thread thread_;
  clockid_t thread_clock_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> closing_{false};
  std::atomic<Lane::Mode> mode_{Lane::Mode::kCycling};
  uint64_t generation_ = 0;

  RateCounters rates_;
  std::priority_queue<Look, std::vector<Look>, std::greater<>> looks_;
  Nanos look_lateness_ = 0;              // lately, the worst
  Nanos look_cost_ = 12 * kMicrosecond;  // smoothed, of one
  Counter<uint64_t> looks_done_;
  size_t status_files_ = 0;
  bool prompt_ = false;
  bool may_be_prompt_ = true;  // until it is refused
  int lanes_open_ = 0;
  int lanes_finished_ = 0;
  size_t followed_ = 0;  // records that are
  double signals_per_second_ = 0;
  Demand demand_;
  bool gathering_ = false;  // commands are posted without waking their lane
  size_t next_sample_ = 0;  // a slot of targets_
  Nanos next_reading_ = 0;
  Nanos next_full_reading_ = 0;
  Nanos next_measurement_ = 0;
  Nanos measured_at_ = 0;
  Nanos cpu_measured_ = 0;
  uint64_t signals_measured_ = 0;
  uint64_t wakeups_measured_ = 0;
  bool cap_overload_told_ = false;
};

}  // namespace hobble
