#include "engine/schedule.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "engine/demand.h"
#include "engine/load.h"
#include "engine/margin.h"

using namespace hobble;  // NOLINT(google-build-using-namespace)

namespace {

constexpr Cycle kTarpit{.run = 10 * kMillisecond, .stop = 250 * kMillisecond};

// Signals that fall into each moment of the period, CONTs and STOPs, in steps of `grid`.
std::map<Nanos, int> signals_per_wakeup(const std::vector<PhasePlanner::Placement>& placements, const Cycle& cycle, Nanos grid) {
  std::map<Nanos, int> wakeups;
  for (const auto& placement : placements) {
    ++wakeups[placement.offset / grid];
    ++wakeups[(placement.offset + cycle.run) % cycle.period() / grid];
  }
  return wakeups;
}

std::vector<PhasePlanner::Placement> place_many(PhasePlanner& planner, const Cycle& cycle, int count) {
  std::vector<PhasePlanner::Placement> placements;
  placements.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) placements.push_back(planner.place(cycle, 1, 4 * kMicrosecond));
  return placements;
}

}  // namespace

TEST_CASE("next_occurrence: at or after, on the phase, at most a period away") {
  std::mt19937_64 random(7);  // NOLINT(bugprone-random-generator-seed)
  for (int i = 0; i < 10'000; ++i) {
    const auto from = static_cast<Nanos>(random() % (1000 * kSecond));
    const auto period = static_cast<Nanos>(1 + random() % (10 * kSecond));
    const auto offset = static_cast<Nanos>(random() % static_cast<uint64_t>(period));
    const Nanos next = next_occurrence(from, period, offset);
    REQUIRE(next >= from);
    REQUIRE(next - from < period);
    REQUIRE((next - offset) % period == 0);
  }
}

TEST_CASE("cycle: 100 us to 1 h each, nothing else") {
  CHECK(valid({.run = 100 * kMicrosecond, .stop = 3600 * kSecond}));
  CHECK_FALSE(valid({.run = 100 * kMicrosecond - 1, .stop = kSecond}));
  CHECK_FALSE(valid({.run = kSecond, .stop = 3600 * kSecond + 1}));
  CHECK_FALSE(valid({.run = 0, .stop = kSecond}));
  CHECK_FALSE(valid({.run = -1, .stop = kSecond}));
}

TEST_CASE("phases: few targets do not run at the same time") {
  PhasePlanner planner(16);
  auto placements = place_many(planner, kTarpit, 13);
  std::sort(placements.begin(), placements.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  for (size_t i = 1; i < placements.size(); ++i) CHECK(placements[i].offset - placements[i - 1].offset >= kTarpit.run);
}

TEST_CASE("phases: a thousand targets share wake-ups of about 16 signals, evenly") {
  PhasePlanner planner(16);
  const auto placements = place_many(planner, kTarpit, 1000);
  const auto wakeups = signals_per_wakeup(placements, kTarpit, 2'500 * kMicrosecond);
  CHECK(wakeups.size() == 104);
  for (const auto& [slot, signals] : wakeups) {
    CHECK(signals >= 12);
    CHECK(signals <= 28);
  }
}

TEST_CASE("phases: targets of one slot have places of their own") {
  PhasePlanner planner(16);
  auto placements = place_many(planner, kTarpit, 500);
  std::sort(placements.begin(), placements.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  for (size_t i = 1; i < placements.size(); ++i) CHECK(placements[i].offset - placements[i - 1].offset >= 4 * kMicrosecond);
}

TEST_CASE("phases: stay even while targets come and go") {
  PhasePlanner planner(16);
  std::mt19937 random(3);  // NOLINT(bugprone-random-generator-seed)
  auto placements = place_many(planner, kTarpit, 600);
  for (int i = 0; i < 5'000; ++i) {
    auto& one = placements[random() % placements.size()];
    planner.release(one);
    one = planner.place(kTarpit, 1, 4 * kMicrosecond);
  }
  for (const auto& [slot, signals] : signals_per_wakeup(placements, kTarpit, 10 * kMillisecond)) {
    CHECK(signals >= 23);  // 46 on average
    CHECK(signals <= 70);
  }
  for (const auto& placement : placements) planner.release(placement);
  CHECK(planner.signals_per_second() < 1e-6);
}

TEST_CASE("phases: any cycle gets an offset within its period, also when it fits no grid") {
  PhasePlanner planner(16);
  std::mt19937_64 random(11);  // NOLINT(bugprone-random-generator-seed)
  std::vector<PhasePlanner::Placement> placements;
  for (int i = 0; i < 3'000; ++i) {
    const auto length = [&] {
      const auto scale = static_cast<Nanos>(1ULL << (random() % 26));
      return std::clamp<Nanos>(kShortestWindow * scale + static_cast<Nanos>(random() % 1000), kShortestWindow, kLongestWindow);
    };
    const Cycle cycle{.run = length(), .stop = length()};
    const auto placement = planner.place(cycle, static_cast<uint32_t>(1 + random() % 100), 4 * kMicrosecond);
    REQUIRE(placement.offset >= 0);
    REQUIRE(placement.offset < cycle.period());
    placements.push_back(placement);
  }
  for (const auto& placement : placements) planner.release(placement);
}

TEST_CASE("grid: about 16 signals a wake-up, more when that would be thousands of wake-ups") {
  CHECK(grid_for(0, 16) == kLongestWindow);
  CHECK(grid_for(7'692, 16) == doctest::Approx(2.6e6).epsilon(0.01));
  CHECK(grid_for(77'000, 16) >= 400 * kMicrosecond);
}

TEST_CASE("load: periods are lengthened by 2 or 4, then no more") {
  CHECK(stretch_for(0.5, 0.8) == 1);
  CHECK(stretch_for(1.0, 0.8) == 2);
  CHECK(stretch_for(3.0, 0.8) == 4);
  CHECK(stretch_for(3.3, 0.8) == 0);
  CHECK(predicted_share(7'700, 5'000) == doctest::Approx(0.058).epsilon(0.05));
}

TEST_CASE("margin: follows the wake-up latency, within its bounds") {
  WakeMargin tight(Precision::kTight);
  for (int i = 0; i < 10'000; ++i) tight.learn((i % 20 + 1) * 5 * kMicrosecond);  // 5 to 100 us
  CHECK(tight.margin() > 85 * kMicrosecond);
  CHECK(tight.margin() <= 110 * kMicrosecond);
  WakeMargin balanced(Precision::kBalanced);
  for (int i = 0; i < 10'000; ++i) balanced.learn(kMillisecond);
  CHECK(balanced.margin() <= 50 * kMicrosecond);
  WakeMargin economy(Precision::kEconomy);
  economy.learn(kMillisecond);
  CHECK(economy.margin() == 0);
  CHECK(economy.spin_allowance(0) == 0);
}

TEST_CASE("margin: tight spins within its budget of each second") {
  WakeMargin tight(Precision::kTight);
  const Nanos generous = tight.spin_allowance(5 * kSecond);
  tight.spun(200 * kMillisecond);
  CHECK(tight.spin_allowance(5 * kSecond + 1) < generous);
  CHECK(tight.spin_allowance(6 * kSecond + 1) == generous);
}

TEST_CASE("groups: they cut the period, and send about as many signals in a wake-up as asked") {
  std::mt19937_64 random(11);  // NOLINT(bugprone-random-generator-seed)
  for (int i = 0; i < 10'000; ++i) {
    const Cycle cycle{.run = static_cast<Nanos>(1 + random() % 200) * kMillisecond,
                      .stop = static_cast<Nanos>(1 + random() % 2000) * kMillisecond};
    const double targets = 1 + static_cast<double>(random() % 20'000);
    const double rate = targets * signal_rate(cycle, 1);
    const Nanos length = group_length(cycle, rate, kSignalsForSleepers);
    if (length == 0) continue;
    REQUIRE(cycle.period() % length == 0);
    const bool shared = cycle.run % length == 0;
    const double in_a_wakeup = targets * static_cast<double>(length) / static_cast<double>(cycle.period()) * (shared ? 2 : 1);
    // Not finer than the finest grid, and never above twice what was asked.
    REQUIRE(in_a_wakeup <= std::max(2 * kSignalsForSleepers, 2.1 * rate * 250e-6));
  }
}

TEST_CASE("groups: 200 targets share four wake-ups a period, 10,000 those of the run time's parts") {
  CHECK(group_length(kTarpit, 200 * signal_rate(kTarpit, 1), kSignalsForSleepers) == 130 * kMillisecond);
  CHECK(group_length(kTarpit, 10'000 * signal_rate(kTarpit, 1), kSignalsForSleepers) == 1'250 * kMicrosecond);
  CHECK(group_length(kTarpit, 0, kSignalsForSleepers) == 0);
}

TEST_CASE("demand: sleepers are grouped, and no longer when one in ten is busy") {
  constexpr Nanos kHalfSecond = 500 * kMillisecond;
  CHECK_FALSE(used_the_cpu(40 * kMicrosecond, kHalfSecond, kTarpit));
  CHECK(used_the_cpu(15 * kMillisecond, kHalfSecond, kTarpit));
  Demand demand;
  CHECK(demand.grouped_rate(5'000) == 0);  // nothing is known yet
  demand.learn(64, 0);
  CHECK(demand.grouped_rate(100) == 0);  // too few to matter
  CHECK(demand.grouped_rate(5'000) == 5'000);
  CHECK(demand.grouped_rate(6'000) == 5'000);  // not for every target that comes
  CHECK(demand.grouped_rate(10'000) == 10'000);
  demand.learn(64, 6);
  CHECK(demand.grouped_rate(10'000) == 10'000);
  demand.learn(64, 64);
  CHECK(demand.grouped_rate(10'000) == 0);
  for (int i = 0; i < 4; ++i) demand.learn(64, 0);
  CHECK(demand.grouped_rate(10'000) == 0);
  demand.learn(64, 0);
  CHECK(demand.grouped_rate(10'000) == 10'000);
}
