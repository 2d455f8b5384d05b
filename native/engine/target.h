// What is hobbled, and the messages about it that pass between the threads.
//
// Ownership: the helper thread (scout) makes targets and members, hands them to a timer thread (lane) with a command, and gets them back
// with a note; what it handed over it does not touch until then. Fields marked "any thread" are counters.
#pragma once

#include <atomic>
#include <csignal>
#include <cstdint>
#include <memory>

#include "engine/budget.h"
#include "engine/cgroup.h"
#include "engine/counter.h"
#include "engine/histogram.h"
#include "engine/intrusive.h"
#include "engine/leases.h"
#include "engine/process.h"
#include "engine/schedule.h"
#include "engine/target_pool.h"
#include "engine/unique_fd.h"

namespace hobble {

// The numbers are those of src/native.ts.
enum class TargetKind : uint8_t { kProcess = 0, kGroup = 1, kTree = 2, kCgroup = 3 };
enum class TargetState : uint8_t { kPending = 0, kRunning = 1, kStopped = 2, kWaiting = 3, kPaused = 4, kGone = 5 };
enum class EndReason : uint8_t { kExit, kReleased, kError, kFinished, kClosed };

struct Target;
struct Member;

// What a target may spend, beside or instead of a cycle.
struct Allowance {
  Limit limit;                 // of its own
  TargetPool* pool = nullptr;  // whose limit it shares
  double weight = 1;           // of its share
  bool spare_idle = false;     // a cycle that leaves out the stop when nothing was spent in the run window
  // Its members' CPU clocks have to be read.
  bool meters() const { return limit.rate > 0 || pool != nullptr || spare_idle; }
  bool operator==(const Allowance&) const = default;
};

// From a lane to the scout. Each sort of note is part of what it speaks of, so sending one allocates nothing and can never fail. One that
// is on its way is not sent again: twice in the mailbox, it would close its chain to a ring.
struct Note {
  enum class Kind : uint8_t {
    kMemberRetired,
    kTargetReady,
    kTargetRetired,
    kTargetDetached,
    kTargetSlow,
    kTargetStops,
    kTargetEvades,
    kCommandDone,
    kLaneClosed,
    kFinished
  };
  Note* mailbox_next = nullptr;
  Kind kind;
  void* about = nullptr;
  std::atomic<bool> under_way{false};
};

// What CPU time in a stop window means. The threads of a process run on until the one that takes the SIGSTOP has got a CPU, which on a busy
// host takes tens of milliseconds; a process of one thread does not.
enum class Standing : uint8_t {
  kUnknown,      // it has several threads, and was not seen to run but with its SIGSTOP on its way; or nobody has looked
  kSeenRunning,  // it was seen to run with none on its way
  kAnswerable,   // it has one thread, or was seen to run on like that: when it runs in a stop window it was sent SIGCONT
};

// One process of a target, or a cgroup that is frozen as a whole.
struct Member {
  Process process;
  std::unique_ptr<Cgroup> group;  // null for a process
  Target* target = nullptr;
  Lease* lease = nullptr;
  // Generations below the first member. Those of one level are stopped together, a level after the one above it.
  int level = 0;
  // /proc/PID/stat of a member whose children are members too, else -1: tells whether it has really stopped. Set by the scout at any time.
  Counter<int> state_fd{-1};
  // Somebody else stopped it, or a debugger holds it: it is not signalled. Set by the scout, `traced` first.
  Counter<bool> held;
  // By a debugger. Our own stop, if one was in force, stays in force underneath: it is owed a SIGCONT.
  Counter<bool> traced;

  // When last looked at. Set by the scout.
  Counter<uint32_t> threads{1};
  // Set by the scout; back to kUnknown by the lane.
  Counter<Standing> standing{Standing::kUnknown};

  // 0 or an errno. SIGSTOP and SIGCONT alone make sense for a cgroup.
  int send(int number) const { return group ? group->set_frozen(number == SIGSTOP) : process.send(number); }

  // Its CPU time in all its life; -1 when it is gone, or not known of a cgroup.
  Nanos cpu() const { return group ? group->cpu_time() : cpu_time(process.pid()); }

  // The lane's.
  ListLink<Member> siblings;  // in Target::members
  bool attached = false;      // the lane has it in its target's list
  bool stopped = false;       // our SIGSTOP went out, our SIGCONT did not
  bool exit_seen = false;
  bool restopped = false;  // since the last SIGCONT it was sent SIGSTOP more than once
  Nanos cpu_still = 0;     // its CPU clock when it was seen to be stopped, or was looked at since
  Nanos cpu_seen = 0;      // its CPU clock when last read, for a limit; set by the scout for the first
  Nanos cpu_base = 0;      // and when it became a member: 0 if it was born in its target
  Nanos gone_counted = 0;  // what was counted of it when it exited
  int error = 0;           // errno of the signal that failed for good
  Note retired{.kind = Note::Kind::kMemberRetired};

  // The scout's.
  pid_t parent = 0;  // if that was a member when it became one
  UniqueFd state_file;
  UniqueFd status_file;         // /proc/PID/status, of some members: for looks
  uint64_t seen_in_window = 0;  // the cycle in whose stop window it was seen to run, and its CPU clock then
  Nanos cpu_when_seen = 0;
  Nanos cpu_at_add = 0;
  Nanos cpu_at_read = -1;   // its CPU clock when its children were last read
  Nanos children_cpu = 0;   // of children that it has waited for, when last read
  Nanos children_base = 0;  // and when it became a member
};

struct alignas(64) Target : Sharer {
  Target() : Sharer(Sort::kTarget) {}

  bool cyclic() const { return cycle.run > 0; }

  // Hot: the lane's, read and written at each signal.
  TargetState phase_state = TargetState::kPending;
  bool counts_for_cap = true;  // it used the CPU in its last run window; set by the scout for the first
  bool deferred = false;       // its run window had to wait for the cap
  bool first_window = true;    // the present stop window began at `add`, not at a deadline
  bool has_turn = false;       // it is counted as running under the cap
  bool ready_noted = false;
  bool slow_noted = false;
  bool stops_noted = false;
  uint8_t slow_in_a_row = 0;  // SIGCONTs that took so long that they make others late
  bool retiring = false;
  bool owes_continue = false;   // it runs, but for members that a debugger held when it was resumed
  bool idle_before = false;     // it hardly used the run window before its last stop
  bool settled_down = false;    // in this stop window: its SIGSTOPs have surely arrived
  bool restops_allowed = true;  // set by the scout before the lane has it
  uint8_t proofs = 0;           // looks at which it ran although it had been stopped
  uint8_t clean_windows = 0;    // in a row, in which it did not
  int levels_stopped = 0;       // of a stop that is under way: the levels above this one have been sent SIGSTOP
  int idle_in_a_row = 0;        // run windows in which it hardly used the CPU
  Cycle cycle;
  Nanos window_spent = 0;    // by a target that is metered, since its last SIGCONT
  Nanos offset = 0;          // of its phase as planned
  Nanos phase_now = 0;       // the phase it has: that of its group, while targets sleep
  Nanos group = 0;           // length of its group; 0 = none
  double grouped_rate = -1;  // the rate that `group` was chosen by; -1: choose anew
  bool may_group = false;
  Nanos window = 0;        // length asked of the present window
  Nanos start = 0;         // deadline of the next SIGCONT, or of the one that began the present run window
  Nanos continued = 0;     // when the last SIGCONT went out
  Nanos halted = 0;        // when the last SIGSTOP went out
  Nanos stop_before = -1;  // length of the stop window before this run window; -1: it was cut short
  Nanos patience = 0;      // a level under this one is not waited for any longer
  Nanos cpu_before = 0;    // CPU time of its members when last looked at, for the cap
  Nanos look_at = 0;       // a look within its stop window; 0 = none
  Nanos reported = 0;      // when its evasion was last told of
  Allowance allowance;
  Budget budget;
  bool metering = false;                    // the three below are in use
  Nanos settled = 0;                        // when its members' CPU clocks were last read
  Nanos busy_at = 0;                        // when they were last seen to have moved
  Nanos missed_seen = 0;                    // of `missed`, what is in the budget already
  Nanos spent_by_gone = 0;                  // CPU time of members that have exited since then
  List<Member, &Member::siblings> members;  // by level, so parents before children
  ListLink<Target> all;                     // every target of the lane
  ListLink<Target> waiting;                 // those that wait for the cap
  EndReason end_reason = EndReason::kExit;
  Note ready_note{.kind = Note::Kind::kTargetReady};
  Note slow_note{.kind = Note::Kind::kTargetSlow};
  Note stops_note{.kind = Note::Kind::kTargetStops};
  Note evasion_note{.kind = Note::Kind::kTargetEvades};
  Note end_note{.kind = Note::Kind::kTargetRetired};

  // Any thread may read. `id` is 0 while the slot is free: whoever reads looks at it before and after.
  Counter<uint64_t> id;
  Counter<TargetState> state;
  Counter<TargetKind> kind;
  Counter<pid_t> pid;
  Counter<uint32_t> member_count;
  Counter<uint64_t> cycles, signals, skipped_windows, deferred_windows;
  Counter<uint64_t> spared_windows;     // stops left out because nothing had been spent
  Counter<uint64_t> throttled_windows;  // run windows left out because the limit was spent
  Counter<Nanos> ran, stopped;          // sums over the cycles counted above
  Counter<Nanos> waiting_since;         // began the stop window that the cap makes longer; 0 = it does not wait
  Counter<Nanos> resume_by;             // the next SIGCONT is due then; while it runs, the last one was
  Counter<uint32_t> held_members;       // the scout's
  Counter<uint32_t> group_processes;    // the scout's: of a cgroup that is frozen, as counted last
  Counter<Nanos> run_length, stop_length, phase;
  Counter<bool> suspected;  // it ran in a stop window: it is watched in the next ones
  Counter<Nanos> evaded;    // CPU time that its members used in stop windows
  Counter<uint64_t> evasions, restops;
  Counter<pid_t> evader;               // who ran last
  Counter<uint64_t> evasions_told;     // the scout's: reports that it has dealt with
  Counter<bool> frozen_whole;          // its one member is a cgroup; set by the scout before the lane has it
  Counter<double> rate;                // its limit, CPUs; 0 = none
  Counter<Nanos> metered, spent;       // under a limit: wall time, and the CPU time that its members spent in it
  Counter<uint32_t> metering_periods;  // begun: what is spent between two of them does not count
  Counter<Nanos> gone_cpu;             // of members that have exited, what was seen of it
  Counter<Nanos> missed;               // the scout's: CPU time of children that nobody saw, as their parents tell
  Counter<bool> watched;               // the scout's: it looks for stops that are not ours
  Counter<Nanos> stopped_since;        // under a limit: its present stop window began then; 0 = it runs
  Counter<bool> wants_reading;         // a tree or group that was just stopped: look for new members
  TargetHistogram run_error, stop_error;
};

// To a lane, from the scout. Given back with a kCommandDone note.
struct Command {
  enum class Kind : uint8_t { kAdd, kAppend, kUpdate, kRemove, kDetach, kSetPool, kEndPool, kSeize };
  Command* mailbox_next = nullptr;
  Kind kind;
  Target* target = nullptr;   // null for a pool
  Member* members = nullptr;  // kAdd, kAppend: a chain through siblings.next
  Cycle cycle;
  Nanos offset = 0;
  Allowance allowance;
  TargetPool* pool = nullptr;  // kSetPool, kEndPool
  PoolTerms pool_terms;
  bool may_group = false;
  EndReason reason = EndReason::kReleased;
  Note done{.kind = Note::Kind::kCommandDone};
};

}  // namespace hobble
