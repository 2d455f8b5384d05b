#include "engine/engine.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "engine/runtime_dir.h"

namespace hobble {
namespace {

// How long a lane may take to resume everything: ten thousand SIGCONTs take 60 ms.
constexpr Nanos kPatience = 10 * kSecond;

// The engines of this process. process.exit() and an uncaught exception run no clean-up hook of Node, but they do run atexit handlers: then
// whatever is still open, in any worker thread, is closed.
class Registry {
 public:
  static Registry& instance() {
    // Never destroyed: the atexit handler below may run after static destructors.
    static Registry* const registry = [] {
      auto* const made = new Registry;
      std::atexit([] { instance().close_all(); });
      return made;
    }();
    return *registry;
  }

  void add(Engine* engine) {
    const std::lock_guard lock(mutex_);
    engines_.push_back(engine);
  }
  void remove(Engine* engine) {
    const std::lock_guard lock(mutex_);
    std::erase(engines_, engine);
  }
  void pause_all() {
    const std::lock_guard lock(mutex_);
    for (Engine* engine : engines_) engine->pause();
  }

 private:
  void close_all() {
    const std::lock_guard lock(mutex_);
    for (Engine* engine : engines_) engine->close();
    for (Engine* engine : engines_) engine->close_now();
  }

  std::mutex mutex_;
  std::vector<Engine*> engines_;
};

template <EngineHistogram LaneCounters::*Which>
Quantiles merged(const std::vector<const LaneCounters*>& lanes) {
  std::vector<uint64_t> totals(EngineHistogram::kBuckets);
  Nanos sum = 0;
  Nanos max = 0;
  for (const LaneCounters* lane : lanes) {
    const EngineHistogram& histogram = lane->*Which;
    histogram.add_to(totals);
    sum += histogram.sum();
    max = std::max(max, histogram.max());
  }
  return quantiles_of(totals, &EngineHistogram::value_of, sum, max);
}

// 1.024 us and its doubles, to 1.07 s.
constexpr unsigned kFirstBoundBits = 10;
constexpr size_t kBounds = 21;

template <EngineHistogram LaneCounters::*Which>
HistogramFigures figures(const std::vector<const LaneCounters*>& lanes) {
  std::vector<uint64_t> totals(EngineHistogram::kBuckets);
  for (const LaneCounters* lane : lanes) (lane->*Which).add_to(totals);
  HistogramFigures result;
  size_t bucket = 0;
  for (size_t bound = 0; bound <= kBounds; ++bound) {
    // A power of two is the lower end of a bucket, so no bucket lies across a bound.
    const size_t end =
        bound == kBounds ? totals.size() : EngineHistogram::bucket_of(Nanos{1} << (kFirstBoundBits + static_cast<unsigned>(bound)));
    for (; bucket < end; ++bucket) {
      result.count += totals[bucket];
      result.sum += static_cast<double>(totals[bucket]) * EngineHistogram::value_of(bucket);
    }
    if (bound < kBounds) result.below.push_back(result.count);
  }
  return result;
}

}  // namespace

ScoutOptions Engine::scout_options() const {
  ScoutOptions scout;
  scout.lane.realtime = options_.realtime;
  scout.lane.priority = options_.priority;
  scout.lane.cpu = options_.cpu;
  scout.lane.precision = options_.precision;
  scout.lane.concurrency = options_.concurrency;
  if (options_.finish_after > 0) scout.lane.finish_at = monotonic_now() + options_.finish_after;
  scout.most_share = options_.most_share;
  scout.lane.watches_evasion = options_.watches_evasion;
  scout.lane.watch_share = options_.most_share / 4;
  scout.method = method_;
  scout.leases = leases_.get();
  scout.runtime_directory = runtime_directory_;
  scout.respect_foreign_stops = options_.respect_foreign_stops;
  scout.protected_programs = options_.protected_programs;
  scout.protect_usual = options_.protect_usual;
  scout.process_events = options_.process_events;
  scout.most_members = options_.most_members;
  scout.guard.mode = options_.guardian;
  scout.guard.program = options_.guardian_program;
  // Above the lanes: it must get the CPU when they hang.
  scout.guard.priority = options_.realtime == RealtimeMode::kOff ? 0 : options_.priority + 1;
  return scout;
}

Engine::Engine(const EngineOptions& options, std::function<void()> bell)
    : options_(options),
      method_(options.force_kill ? SignalMethod::kKill : best_signal_method()),
      started_at_(monotonic_now()),
      events_(std::move(bell)),
      runtime_directory_(runtime_directory(options.runtime_directory)) {}

Engine::~Engine() {
  Registry::instance().remove(this);
  close_now();
}

std::optional<Error> Engine::start() {
  // Else what is read about a process would be about another one than is stopped.
  std::array<char, 32> self{};
  if (readlink("/proc/self", self.data(), self.size() - 1) > 0 && std::to_string(getpid()) != self.data())
    return Error{Code::kUnsupported, 0, "/proc is that of another PID namespace; mount one of this namespace (unshare --mount-proc)"};
  raise_open_files_limit();
  auto leases = LeaseTable::create(runtime_directory_);
  if (!leases) return leases.error();
  leases_ = std::move(*leases);
  scout_ = std::make_unique<Scout>(scout_options(), events_);
  if (auto error = scout_->start()) return error;
  const Scheduling& scheduling = scout_->lane(Scout::kMain)->scheduling();
  if (options_.realtime == RealtimeMode::kRequire && !scheduling.fifo) {
    return Error{
        Code::kNotPermitted, 0,
        "SCHED_FIFO is required but was refused (" + scheduling.error + "): give CAP_SYS_NICE or a real-time priority limit (ulimit -r)"};
  }
  Registry::instance().add(this);
  return std::nullopt;
}

uint64_t Engine::add(const TargetSpec& spec) {
  const uint64_t id = scout_->reserve_target(spec);
  if (id != 0) scout_->post({.kind = Request::Kind::kAdd, .target = id, .spec = spec});
  return id;
}

void Engine::update(uint64_t id, const TargetSpec& spec, double revision) {
  scout_->post({.kind = Request::Kind::kUpdate, .target = id, .spec = spec, .revision = revision});
}

void Engine::release(uint64_t id) { scout_->post({.kind = Request::Kind::kRelease, .target = id}); }

uint64_t Engine::add_pool(const PoolTerms& terms) {
  TargetPool* const pool = scout_->reserve_pool();
  if (pool == nullptr) return 0;
  scout_->post({.kind = Request::Kind::kSetPool, .pool = pool, .pool_terms = terms});
  return pool->id.get();
}

void Engine::update_pool(uint64_t id, const PoolTerms& terms) {
  if (TargetPool* const pool = find_pool(id)) scout_->post({.kind = Request::Kind::kSetPool, .pool = pool, .pool_terms = terms});
}

void Engine::end_pool(uint64_t id) {
  if (TargetPool* const pool = find_pool(id)) scout_->post({.kind = Request::Kind::kEndPool, .pool = pool});
}

void Engine::pause() {
  scout_->request_mode(Lane::Mode::kPaused);
  scout_->wait_for_mode(kPatience);
}

void Engine::resume() {
  scout_->request_mode(Lane::Mode::kCycling);
  scout_->wait_for_mode(kPatience);
}

void Engine::close() {
  if (scout_) scout_->request_mode(Lane::Mode::kClosed);
}

void Engine::close_now() {
  const std::lock_guard lock(closing_mutex_);
  if (!scout_) return;
  close();
  scout_->wait_for_mode(kPatience);
  scout_->join();
}

void pause_all_engines() { Registry::instance().pause_all(); }

EngineHistograms Engine::histograms() const {
  std::vector<const LaneCounters*> counters;
  for (const auto name : {Scout::kMain, Scout::kSlow}) {
    if (const Lane* const lane = scout_->lane(name)) counters.push_back(&lane->counters());
  }
  EngineHistograms result;
  for (unsigned bound = 0; bound < kBounds; ++bound) result.bounds.push_back(Nanos{1} << (kFirstBoundBits + bound));
  result.lateness = figures<&LaneCounters::lateness>(counters);
  result.run_error = figures<&LaneCounters::run_error>(counters);
  result.stop_error = figures<&LaneCounters::stop_error>(counters);
  return result;
}

EngineStats Engine::stats() const {
  EngineStats stats;
  const Lane& main = *scout_->lane(Scout::kMain);
  std::vector<const LaneCounters*> counters;
  for (const auto name : {Scout::kMain, Scout::kSlow}) {
    const Lane* const lane = scout_->lane(name);
    if (lane == nullptr) continue;
    const LaneCounters& from = lane->counters();
    counters.push_back(&from);
    stats.targets += from.targets.get();
    stats.members += from.members.get();
    stats.signals += from.signals.get();
    stats.wakeups += from.wakeups.get();
    stats.skipped_windows += from.skipped_windows.get();
    stats.deferred_windows += from.deferred_windows.get();
    stats.ran += from.ran.get();
    stats.stopped += from.stopped.get();
    stats.metered += from.metered.get();
    stats.spent += from.spent.get();
    stats.spun += from.spun.get();
    stats.cpu += lane->thread_cpu_time();
  }
  stats.scheduling = main.scheduling();
  stats.memory_locked = main.memory_locked() && scout_->memory_locked();
  stats.method = method_;
  stats.guardian = scout_->guardian();
  stats.foreign_looks = scout_->foreign_looks();
  const Herald* const herald = scout_->herald();
  stats.process_events = herald != nullptr && herald->hears();
  std::vector<uint64_t> births(EngineHistogram::kBuckets);
  scout_->birth_delay().add_to(births);
  stats.birth_delay = quantiles_of(births, &EngineHistogram::value_of, scout_->birth_delay().sum(), scout_->birth_delay().max());
  stats.concurrency = main.concurrency();
  stats.signal_cost = main.counters().signal_cost.get();
  stats.elapsed = monotonic_now() - started_at_;
  stats.scout_cpu = scout_->thread_cpu_time() + (herald != nullptr ? herald->thread_cpu_time() : 0);
  stats.share = scout_->rates().share.get();
  stats.signals_per_second = scout_->rates().signals_per_second.get();
  stats.wakeups_per_second = scout_->rates().wakeups_per_second.get();
  stats.stretch = scout_->rates().stretch.get();
  stats.lateness = merged<&LaneCounters::lateness>(counters);
  stats.run_error = merged<&LaneCounters::run_error>(counters);
  stats.stop_error = merged<&LaneCounters::stop_error>(counters);
  stats.wake_latency = merged<&LaneCounters::wake_latency>(counters);
  return stats;
}

}  // namespace hobble
