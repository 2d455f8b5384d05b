// A lane: one timer thread and the targets whose signals it sends. Commands come in, deadlines go out; it does nothing slow.
// An engine has one lane, and a second one, of lower priority, for targets whose signals are slow (a SIGCONT to 1,000 threads takes 3 ms).
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>
#include <memory>

#include "engine/leases.h"
#include "engine/margin.h"
#include "engine/realtime.h"
#include "engine/target.h"
#include "engine/unique_fd.h"

namespace hobble {

// Between the SIGSTOPs of two levels of a tree. More than a wake-up takes, and more than this thread may spin: a parent may need its CPU.
constexpr Nanos kLevelGap = 150 * kMicrosecond;
// A sleeping process uses 10 to 20 us for being stopped and continued.
constexpr Nanos kIdleCpu = 50 * kMicrosecond;

struct LaneOptions {
  RealtimeMode realtime = RealtimeMode::kAuto;
  int priority = 50;
  int cpu = -1;
  cpu_set_t* cpus = nullptr;  // CPUs to stay on, when `cpu` is -1
  Precision precision = Precision::kBalanced;
  // Most targets that run at once: 0 = automatic, -1 = no cap.
  int concurrency = 0;
  // Resume and let go everything at this moment.
  Nanos finish_at = kNever;
  // Targets whose SIGCONT is slow are reported, so that they can be moved to a lane of their own.
  bool reports_slow_targets = true;
  // Look for somebody else's stop before everything is resumed at the end.
  bool respect_foreign_stops = false;
  // Members that run while they should stand still are looked for. What that may cost, as a share of a CPU.
  bool watches_evasion = true;
  double watch_share = 0.2;
  // What the guardian watches of this lane; may be null.
  LeaseHeader::Mark* mark = nullptr;
  // Notes for the scout, and the bell that wakes it. Called on the lane's thread.
  Mailbox<Note>* notes = nullptr;
  int notes_event_fd = -1;
};

// Written by the lane's thread, read by any.
struct LaneCounters {
  Counter<uint64_t> signals, wakeups, skipped_windows, deferred_windows;
  Counter<Nanos> spun;
  Counter<Nanos> ran, stopped;    // sums over the finished cycles, also of targets that have ended
  Counter<Nanos> metered, spent;  // likewise under limits: wall time, and the CPU time spent in it
  Counter<Nanos> signal_cost;     // smoothed, of one signal
  Counter<uint32_t> targets, members;
  Counter<bool> cap_exceeded;  // a run window was skipped because of the cap
  EngineHistogram lateness, run_error, stop_error, wake_latency;
};

// Less CPU time than this between two looks is not work: the clock of a stopped or sleeping process may still move a little.
constexpr Nanos kHardlySpent = 10 * kMicrosecond;
// A deadline nearer than this is served at once, by the same reading of the time: whoever waits for tokens waits longer.
constexpr Nanos kShortestWait = 20 * kMicrosecond;

// Who waits for a turn has no deadline of its own. For so long the guardian lets it wait if this thread hangs; while anybody waits the
// thread wakes that often, so that it is seen to hang.
constexpr Nanos kWaitingPatience = 1 * kSecond;
// A thread that is this late is taken for one that hangs: the guardian resumes members that are this overdue.
constexpr Nanos kGuardianPatience = 100 * kMillisecond;

class Lane {
 public:
  enum class Mode : uint32_t { kCycling, kPaused, kClosed };

  explicit Lane(const LaneOptions& options);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Starts the thread and waits until it knows what the host granted. False if it cannot run at all.
  bool start();
  void join();

  // Any thread. A command is given back with a note when it was carried out, or in `abandoned` after the lane has closed.
  // `wakes`: at once; else with the next wake(), so that many commands share a wake-up.
  void post(Command* command, bool wakes = true);
  void wake();
  // Any thread. kPaused: everything is resumed and kept running. kClosed: everything is resumed and let go, the thread ends.
  void request(Mode mode);
  // Waits until the mode requested last is reached; false after `patience`.
  bool wait_for_mode(Nanos patience) const;
  bool closed() const { return mode_reached_.load(std::memory_order_acquire) == Mode::kClosed; }

  // The scout, before it posts: room for so many targets in the heap, without a page fault on the lane's thread.
  bool prepare_for(size_t targets) { return heap_memory_.prepare(targets * sizeof(Heap::Entry)); }
  // The scout, before the command: the lane learns of the exit from the pidfd.
  bool watch_exit(Member* member) const;

  // Signals per second by which targets that may be grouped are; 0: each has its own phase.
  void group_by(double rate) { grouped_rate_.store(rate, std::memory_order_relaxed); }
  void set_stretch(int factor) { stretch_.store(factor, std::memory_order_relaxed); }
  // Keeps the thread on these CPUs from now on.
  void stay_on(const cpu_set_t& cpus) const { pthread_setaffinity_np(thread_, sizeof cpus, &cpus); }
  const Scheduling& scheduling() const { return scheduling_; }
  bool memory_locked() const { return memory_locked_; }
  int concurrency() const { return cap_; }
  Nanos thread_cpu_time() const;
  const LaneCounters& counters() const { return counters_; }
  // What was posted and never carried out, linked by mailbox_next; after join().
  Command* abandoned();

 private:
  using Heap = DeadlineHeap<Timed>;

  static void* run_thread(void* lane);
  void run();
  // lane.cc: waiting, messages
  void wait(Nanos now);
  bool has_commands() const { return pending_ != nullptr || !commands_.empty(); }
  // Somebody wants it paused, resumed or closed.
  bool mode_wanted() const { return mode_requested_.load(std::memory_order_relaxed) != mode_reached_.load(std::memory_order_relaxed); }
  void arm(Nanos moment);
  void promise_to_wake(Nanos moment);
  void obey_mode();
  void obey_commands(int most);
  void obey(Command& command);
  void send_note(Note& note, void* about);
  void ring_scout() const;
  // cycle.cc: windows and signals
  Nanos serve_due(Nanos now);
  Nanos begin_stop(Target& target, Nanos deadline, Nanos now);
  bool stop_next_level(Target& target, Nanos now, Nanos patience, Nanos& after);
  Nanos finish_stop(Target& target, Nanos now, Nanos after);
  void count_run_window(Target& target, Nanos now);
  Nanos begin_run(Target& target, Nanos deadline, Nanos now);
  void enter_run(Target& target, Nanos deadline, Nanos now);
  void skip_past_windows(Target& target, Nanos now);
  bool take_turn(Target& target);
  void give_turn_back(Target& target);
  Nanos admit_waiting(Nanos now);
  Nanos run_waiting(Target& target, Nanos now);
  // limiting.cc: limits
  void begin_metering(Target& target, Nanos now);
  void end_metering(Target& target);
  void begin_limit(Target& target, Nanos now);
  void change_limit(Target& target, const Allowance& allowance, Nanos now);
  Nanos settle(Target& target, Nanos now);
  Nanos serve_limited(Target& target, Nanos now);
  Nanos look_at_spending(Target& target, Nanos spent, Nanos elapsed, Nanos now);
  Nanos finish_limited_stop(Target& target, Nanos now, Nanos after);
  Nanos run_if_earned(Target& target, Nanos now);
  void run_limited(Target& target, Nanos now);
  void note_stops(Target& target);
  Nanos next_look(const Target& target, Nanos now) const;
  Nanos share_wake_up(const Target& target, Nanos interval, Nanos now) const;
  void count_gone(Member& member) const;
  bool spares_idle(Target& target, Nanos now);
  bool postpone_overspent(Target& target, Nanos now);
  // pool_turns.cc: pools
  void set_pool(TargetPool& pool, const PoolTerms& terms, Nanos now);
  void settle_pool(TargetPool& pool, Nanos now);
  void charge_pool(Target& target, Nanos spent, Nanos now);
  double turn_tokens(const Target& target) const;
  void end_pool_turn(Target& target);
  void wait_for_turn(Target& target);
  void leave_queue(Target& target);
  void ask_pool(TargetPool& pool, Nanos now);
  void look_at_pool(TargetPool& pool, Nanos moment);
  Nanos admit_from(TargetPool& pool, Nanos now);
  bool goes_on_in_pool(Target& target, Nanos spent, Nanos elapsed, Nanos now);
  Nanos next_pool_look(const Target& target, Nanos now) const;
  void learn_cost(Target& target, Nanos took, uint32_t signalled, bool continued);
  void look_at_demand(Target& target);
  // evasion.cc: whoever runs while it should stand still
  bool watches(const Target& target) const;
  void begin_watch(Target& target, Nanos now, Nanos end);
  void note_still(Target& target) const;
  static Nanos next_in_stop(const Target& target, Nanos end);
  void watch(Target& target, Nanos now, Nanos end);
  void watch_members(Target& target, bool counts);
  void restop(Member& member);
  static void count_evasion(Target& target, const Member& member, Nanos ran);
  bool ran_unwatched(Target& target, Nanos now);
  void suspect(Target& target);
  void judge(Target& target, Nanos now);
  void doubt(Target& target, Nanos now);
  void report_evasion(Target& target, Nanos now);
  // lane_targets.cc: targets that come, change and go; their members' signals
  void attach(Target& target, Member* chain);
  void add(Target& target, Nanos now);
  void update(Target& target, const Command& command, Nanos now);
  void update_cycle(Target& target, const Cycle& cycle, Nanos offset, Nanos now);
  void pause(Target& target);
  void unpause(Target& target, Nanos now);
  Nanos start_before_first(Target& target, Nanos now) const;
  bool choose_phase(Target& target) const;
  void follow_group(Target& target, Nanos now) const;
  void leave(Target& target, Note::Kind how, EndReason reason);
  void seize(Target& target, Nanos now);
  void let_go(Target& target, Note::Kind how);
  void take_out(Target& target);
  void leave_all(EndReason reason);
  uint32_t stop_level(Target& target);
  bool level_has_stopped(const Target& target) const;
  Nanos lead(const Target& target) const;
  void renew_leases(Target& target, Nanos resume_by) const;
  void take_back(Nanos now);
  void take_back(Target& target, Nanos now);
  void continue_members(Target& target, bool for_good);
  void yield_to_others(Target& target);
  static void leave_to_others(Member& member);
  bool signal(Member& member, int number);
  void drop(Member& member);
  void end_if_alone(Target& target);
  void note_ready(Target& target);
  void ask_for_reading(Target& target, Nanos now);
  void set_state(Target& target, TargetState state);

  const LaneOptions options_;
  LaneCounters counters_;
  LockedMemory stack_;
  LockedMemory heap_memory_;
  Heap heap_;
  List<Target, &Target::all> targets_;
  List<Target, &Target::waiting> waiting_;
  WakeMargin margin_;
  Nanos tick_ = 0;  // of the kernel
  int cpus_ = 1;    // that this process, and so most probably its targets, may use
  int cap_ = 0;     // 0 = none
  bool cap_spares_idle_ = false;
  Nanos seized_until_ = 0;
  bool turn_free_ = false;   // who had it went: those that wait are in no heap, and nobody else would wake them
  int metering_ = 0;         // targets whose CPU clocks are read
  int running_ = 0;          // targets that count for the cap and are in their run window
  int waits_ = 0;            // targets that wait for their turn
  Nanos promised_ = kNever;  // to be awake by then
  Nanos armed_for_ = kNever;
  Nanos wake_began_ = 0;  // first signal of this wake-up; economy: the base of all its run windows
  Nanos spin_left_ = 0;
  Nanos watch_left_ = 0;  // CPU time that the watching may still use
  Nanos watch_refilled_ = 0;
  Nanos last_reading_request_ = 0;
  bool finished_ = false;

  UniqueFd epoll_;
  UniqueFd timer_;
  UniqueFd command_event_;
  Mailbox<Command> commands_;
  Command* pending_ = nullptr;  // taken from the mailbox, not yet carried out
  Note closed_note_{.kind = Note::Kind::kLaneClosed};
  Note finished_note_{.kind = Note::Kind::kFinished};
  std::atomic<Mode> mode_requested_{Mode::kCycling};
  std::atomic<Mode> mode_reached_{Mode::kCycling};
  std::atomic<int> stretch_{1};
  std::atomic<double> grouped_rate_{0};
  Scheduling scheduling_;
  bool memory_locked_ = false;
  std::atomic<bool> started_{false};
  pthread_t thread_{};
  clockid_t thread_clock_ = 0;
  Counter<Nanos> final_cpu_;  // when the thread has ended
  bool joinable_ = false;
};

}  // namespace hobble
