// The engine: one timer thread (and one for slow targets), one helper thread, and the queue of events. What a `Hobbler` is made of.
// Knows nothing of Node: the unit tests use it as it is.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/event.h"
#include "engine/leases.h"
#include "engine/scout.h"

namespace hobble {

struct EngineOptions {
  RealtimeMode realtime = RealtimeMode::kAuto;
  int priority = 50;
  int cpu = -1;
  Precision precision = Precision::kBalanced;
  int concurrency = 0;  // 0 = automatic, -1 = no cap
  double most_share = 0.8;
  Nanos finish_after = 0;  // 0 = never
  bool force_kill = false;
  std::string runtime_directory;  // "" = the usual one
  GuardMode guardian = GuardMode::kAuto;
  std::string guardian_program;
  bool respect_foreign_stops = true;
  std::vector<std::string> protected_programs;  // executables, beside the usual ones
  bool protect_usual = true;
  bool watches_evasion = true;
  bool process_events = true;  // follow forks by the kernel's news of them, where it may be had
  size_t most_members = 4096;  // of one target
};

struct EngineStats {
  Scheduling scheduling;
  bool memory_locked = false;
  SignalMethod method = SignalMethod::kPidfd;
  int concurrency = 0;
  pid_t guardian = 0;          // 0 while there is none
  uint64_t foreign_looks = 0;  // at /proc/PID/status
  bool process_events = false;
  Quantiles birth_delay;
  uint64_t targets = 0, members = 0, signals = 0, wakeups = 0, skipped_windows = 0, deferred_windows = 0;
  Nanos ran = 0, stopped = 0;    // sums over the finished cycles of all targets there were
  Nanos metered = 0, spent = 0;  // likewise under limits: wall time, and the CPU time spent in it
  Nanos elapsed = 0, cpu = 0, scout_cpu = 0, spun = 0, signal_cost = 0;
  double signals_per_second = 0, wakeups_per_second = 0, share = 0;
  int stretch = 1;
  Quantiles lateness, run_error, stop_error, wake_latency;
};

// Of absolute values: how many were below each bound, how many in all, and their sum in ns.
struct HistogramFigures {
  std::vector<uint64_t> below;
  uint64_t count = 0;
  double sum = 0;
};

struct EngineHistograms {
  std::vector<Nanos> bounds;
  HistogramFigures lateness, run_error, stop_error;
};

class Engine {
 public:
  // `bell` is called on the helper thread when there are events to take.
  Engine(const EngineOptions& options, std::function<void()> bell);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // An error if the host has no threads left for it, or no real-time rights where they are required.
  std::optional<Error> start();

  // 0 when there is no room for another target. Never blocks on anything slow; what becomes of the target is told by events.
  uint64_t add(const TargetSpec& spec);
  void update(uint64_t id, const TargetSpec& spec, double revision = 0);
  void release(uint64_t id);
  // 0 when there is no room for another pool.
  uint64_t add_pool(const PoolTerms& terms);
  void update_pool(uint64_t id, const PoolTerms& terms);
  // It ends with the last target that names it.
  void end_pool(uint64_t id);
  TargetPool* find_pool(uint64_t id) { return scout_->find_pool(id); }
  // Return when everything is resumed, or cycling again.
  void pause();
  void resume();
  // Everything is resumed soon; a kClosed event follows.
  void close();
  // Everything is resumed, and the threads are gone, when it returns. Idempotent.
  void close_now();

  std::vector<Event> take_events() { return events_.take_all(); }
  EngineStats stats() const;
  EngineHistograms histograms() const;
  Target* find(uint64_t id) { return scout_->find(id); }
  std::vector<pid_t> members_of(uint64_t id) { return scout_->members_of(id); }
  Nanos cpu_spent(uint64_t id) { return scout_->cpu_spent(id); }

 private:
  ScoutOptions scout_options() const;

  const EngineOptions options_;
  const SignalMethod method_;
  const Nanos started_at_;
  EventQueue events_;
  const std::string runtime_directory_;
  std::unique_ptr<LeaseTable> leases_;  // outlives the threads of the scout
  std::unique_ptr<Scout> scout_;        // made by start()
  std::mutex closing_mutex_;
};

// Resumes everything that any engine of this process has stopped, and keeps it running. On any thread but the engines' own.
void pause_all_engines();

}  // namespace hobble
