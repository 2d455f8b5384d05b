// What the targets cost, where in their period they are put, and on which lane. Part of class Scout; everything here runs on the scout's
// thread.
#include <algorithm>
#include <array>
#include <utility>

#include "engine/scout.h"

namespace hobble {
namespace {

constexpr Nanos kMeasureInterval = 500 * kMillisecond;
// Targets with more threads than this, counted over all members, begin on the slow lane: 0.3 ms for a SIGCONT to 100 threads.
constexpr uint32_t kManyThreads = 64;
// Nearest and farthest that two targets of one slot are put.
constexpr Nanos kLeastDistance = 2 * kMicrosecond;
constexpr Nanos kMostDistance = 8 * kMicrosecond;
constexpr size_t kDemandSample = 64;
constexpr Nanos kDemandSpan = 400 * kMillisecond;
// Members of a target whose CPU clocks are read (0.8 us each).
constexpr size_t kDemandMembers = 8;

}  // namespace

void Scout::count_rate(Record& record, const Cycle& cycle, size_t members) {
  const double rate = signal_rate(cycle, members);
  signals_per_second_ += rate - record.signals_per_second;
  record.signals_per_second = rate;
}

// False if that is more than the engine may use, even when all periods are lengthened; then nothing has changed.
bool Scout::admit(Record& record, const Cycle& cycle, size_t members) {
  const double total = signals_per_second_ - record.signals_per_second + signal_rate(cycle, members);
  const int stretch = stretch_for(predicted_share(total, lanes_[kMain]->counters().signal_cost.get()), options_.most_share);
  if (stretch == 0) return false;
  count_rate(record, cycle, members);
  if (stretch > rates_.stretch.get()) set_stretch(stretch);
  return true;
}

void Scout::set_stretch(int stretch) {
  const bool more = stretch > rates_.stretch.get();
  rates_.stretch.set(stretch);
  for (auto& lane : lanes_) {
    if (lane) lane->set_stretch(stretch);
  }
  if (!more) return;
  events_.push({.type = Event::Type::kOverload,
                .code = "cpu",
                .message = "the engine would use more CPU than maxShare: all run and stop times are lengthened " + std::to_string(stretch) +
                           " times, duties are kept",
                .stretch = stretch});
}

void Scout::plan_phase(Record& record) {
  const Cycle& cycle = record.spec.cycle;
  if (record.spread) planner_.release(record.placement);
  record.spread = record.spec.phase_mode == PhaseMode::kSpread && cycle.run > 0;
  if (record.spread) {
    const Nanos distance = options_.lane.precision == Precision::kEconomy
                               ? 0
                               : std::clamp(lanes_[kMain]->counters().signal_cost.get(), kLeastDistance, kMostDistance);
    record.placement = planner_.place(cycle, static_cast<uint32_t>(std::max<size_t>(1, record.members.size())), distance);
  } else {
    record.placement = {};
    record.placement.offset = record.spec.phase_mode == PhaseMode::kOffset && cycle.run > 0 ? record.spec.phase % cycle.period() : 0;
  }
}

void Scout::measure(Nanos now) {
  if (now < next_measurement_) return;
  Nanos cpu = 0;
  uint64_t signals = 0;
  uint64_t wakeups = 0;
  for (const auto& lane : lanes_) {
    if (!lane) continue;
    cpu += lane->thread_cpu_time();
    signals += lane->counters().signals.get();
    wakeups += lane->counters().wakeups.get();
    if (lane->counters().cap_exceeded.get() && !cap_overload_told_) {
      cap_overload_told_ = true;
      events_.push({.type = Event::Type::kOverload,
                    .code = "concurrency",
                    .message = "more targets want to run than may run at once (concurrency " + std::to_string(lane->concurrency()) +
                               "): run windows are deferred in turn, so each target gets less than its duty"});
    }
  }
  const auto elapsed = static_cast<double>(now - measured_at_);
  if (measured_at_ != 0 && elapsed > 0) {
    rates_.share.set(static_cast<double>(cpu - cpu_measured_) / elapsed);
    rates_.signals_per_second.set(static_cast<double>(signals - signals_measured_) * kSecond / elapsed);
    rates_.wakeups_per_second.set(static_cast<double>(wakeups - wakeups_measured_) * kSecond / elapsed);
  }
  cpu_measured_ = cpu;
  signals_measured_ = signals;
  wakeups_measured_ = wakeups;
  measured_at_ = now;
  next_measurement_ = now + kMeasureInterval;

  measure_demand(now);

  // What was foretold, or what is seen, whichever is worse; back only with some room, so that it does not swing.
  const int present = rates_.stretch.get();
  const double foretold = predicted_share(signals_per_second_, lanes_[kMain]->counters().signal_cost.get());
  const double demand = std::max(foretold, rates_.share.get() * present);
  const int needed = stretch_for(demand, options_.most_share);
  const int wanted = needed == 0 ? kMostStretch : needed;
  if (wanted > present || stretch_for(demand, options_.most_share * 0.8) == wanted) {
    if (wanted != present) set_stretch(wanted);
  }
}

Nanos Scout::demand_of(const Record& record) {
  Nanos cpu = 0;
  const size_t members = std::min(record.members.size(), kDemandMembers);
  for (size_t i = 0; i < members; ++i) cpu += std::max<Nanos>(0, record.members[i]->cpu());
  return cpu;
}

// A sample of the targets, in turn: 64 twice a second take 0.01 % of a CPU.
void Scout::measure_demand(Nanos now) {
  if (options_.lane.precision == Precision::kTight) return;
  std::array<uint64_t, kDemandSample> ids{};
  {
    // A slot that is not ours yet may be in the making.
    const std::lock_guard lock(requests_mutex_);
    const size_t slots = targets_.used();
    for (size_t i = 0; i < std::min(slots, ids.size()); ++i) {
      next_sample_ = next_sample_ + 1 < slots ? next_sample_ + 1 : 0;
      ids[i] = targets_.at(next_sample_)->id.get();
    }
  }
  int sampled = 0;
  int busy = 0;
  for (const uint64_t id : ids) {
    const auto found = records_.find(id);
    if (found == records_.end() || found->second->retired || found->second->spec.cycle.run == 0) continue;
    // Whoever has just come may not have begun to work.
    if (now - found->second->demand_at < kDemandSpan) continue;
    Record& record = *found->second;
    const Nanos since = std::exchange(record.demand_at, now);
    const Nanos before = std::exchange(record.demand_cpu, demand_of(record));
    ++sampled;
    busy += used_the_cpu(record.demand_cpu - before, now - since, record.spec.cycle) ? 1 : 0;
  }
  demand_.learn(sampled, busy);
  lanes_[kMain]->group_by(demand_.grouped_rate(signals_per_second_));
}

// Freezing takes a lock that whoever makes or removes a group on this host may hold for milliseconds.
Scout::LaneName Scout::choose_lane(const Recruits& recruits) {
  uint32_t threads = 0;
  for (const Found& one : recruits.processes) threads += one.stat.threads;
  const bool slow = recruits.group || threads > kManyThreads + recruits.processes.size();
  return slow && open_slow_lane() ? kSlow : kMain;
}

// The main thread keeps one CPU for itself, the slow one stays off it: a SIGCONT to a process of 1,000 threads runs for 3 ms with
// interrupts off, and a timer of that CPU would wait so long. With a cap, or on one CPU, there is no second lane.
bool Scout::open_slow_lane() {
  if (lanes_[kSlow]) return true;
  Lane& main = *lanes_[kMain];
  if (closing_.load() || main.concurrency() != 0 || !main.scheduling().fifo) return false;
  const int reserved = set_aside_cpu(slow_cpus_);
  if (reserved < 0 || (options_.lane.cpu >= 0 && options_.lane.cpu != reserved)) {
    if (reserved < 0) return false;
    CPU_SET(static_cast<unsigned>(reserved), &slow_cpus_);
    CPU_CLR(static_cast<unsigned>(options_.lane.cpu), &slow_cpus_);
  }
  LaneOptions options = options_.lane;
  options.priority = std::max(1, options.priority - 1);
  options.cpu = -1;
  options.cpus = &slow_cpus_;
  options.reports_slow_targets = false;
  options.mark = &options_.leases->header().marks[kSlow];
  auto lane = std::make_unique<Lane>(options);
  if (!lane->start()) return false;
  lane->set_stretch(rates_.stretch.get());
  if (options_.lane.cpu < 0) {
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(static_cast<unsigned>(reserved), &own);
    main.stay_on(own);
  }
  ++lanes_open_;
  lanes_published_[kSlow].store(lane.get());
  lanes_[kSlow] = std::move(lane);
  // Whoever paused or closed the engine meanwhile did not see it yet.
  for (Lane::Mode mode = mode_.load();; mode = mode_.load()) {
    lanes_[kSlow]->request(mode);
    if (mode == mode_.load()) break;
  }
  return true;
}

void Scout::move_to(Record& record, LaneName lane) {
  // It is resumed on its way.
  if (options_.respect_foreign_stops) look_at(record);
  post_to_lane(record, Command::Kind::kDetach);
  record.moving = true;
  record.moving_to = lane;
}

// A lane has let go of it: all members run, and another takes it over; or all are stopped, and become a cgroup.
void Scout::finish_move(Record& record) {
  record.moving = false;
  if (record.freezing) {
    finish_freeze(record);
  } else {
    // It may have joined a pool meanwhile.
    hand_over(record, record.spec.allowance.pool != nullptr ? kMain : record.moving_to);
  }
}

void Scout::hand_over(Record& record, LaneName to) {
  Member* const chain = record.target->members.first();
  record.target->members = {};
  record.lane = to;
  for (Member* member = chain; member != nullptr; member = member->siblings.next) lanes_[to]->watch_exit(member);
  lanes_[to]->prepare_for(records_.size() + TargetPool::kMost + 1);
  post_to_lane(record, Command::Kind::kAdd, chain);
  if (record.release_asked) {
    post_to_lane(record, Command::Kind::kRemove);
  } else if (record.followed) {
    read_record(record, true);  // who was born meanwhile
  }
  end_if_empty(record.target->id.get());
}

}  // namespace hobble
