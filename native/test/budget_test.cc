#include "engine/budget.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

using namespace hobble;  // NOLINT(google-build-using-namespace)

namespace {

constexpr Nanos kTick = 4 * kMillisecond;

// A process on a made-up clock, limited as the lane does it: looked at, stopped, resumed.
class Simulation {
 public:
  Simulation(const Limit& limit, double cpus) : cpus_(cpus) { budget_.begin(limit, cpus, kTick, 0); }

  // It wants `demand` CPUs (at most `cpus_`) for so long.
  void run(Nanos time, double demand) {
    const Nanos end = now_ + time;
    while (now_ < end) {
      const Nanos until = std::min(end, next_);
      if (running_) clock_ += static_cast<Nanos>(std::min(demand, cpus_) * static_cast<double>(until - now_));
      now_ = until;
      if (now_ == next_) look();
    }
  }

  double share() const { return static_cast<double>(clock_) / static_cast<double>(now_); }
  Nanos spent() const { return clock_; }
  Nanos now() const { return now_; }
  int stops() const { return stops_; }
  Nanos longest_look() const { return longest_look_; }

 private:
  void look() {
    // The clock of a running process is as old as the last tick; that of a stopped one is exact.
    const Nanos shown = running_ ? std::max(seen_, clock_ - static_cast<Nanos>(static_cast<double>(now_ % kTick) * 1.0)) : clock_;
    budget_.settle(now_ - settled_, shown - seen_);
    if (shown > seen_) busy_at_ = now_;
    settled_ = now_;
    seen_ = shown;
    Nanos wait = 0;
    if (running_ && budget_.exhausted(now_)) {
      running_ = false;
      ++stops_;
      budget_.end_window(now_);
      wait = budget_.until_earned(now_);
    } else if (!running_ && !budget_.earned()) {
      wait = budget_.until_earned(now_);
    } else {
      if (!running_) {
        running_ = true;
        busy_at_ = now_;
        budget_.begin_window(now_);
      }
      const Nanos idle = (now_ - busy_at_ - 20 * kMillisecond) / 8;
      wait = std::clamp(std::max(budget_.until_exhausted(now_), idle), 250 * kMicrosecond, kSecond);
      longest_look_ = std::max(longest_look_, wait);
    }
    next_ = now_ + std::max<Nanos>(wait, 20 * kMicrosecond);
  }

  Budget budget_;
  double cpus_;
  bool running_ = true;
  Nanos now_ = 0, next_ = 0, settled_ = 0, busy_at_ = 0, clock_ = 0, seen_ = 0, longest_look_ = 0;
  int stops_ = 0;
};

}  // namespace

TEST_CASE("budget: a busy process spends its limit, from the first second on") {
  for (const double cpus : {1.0, 2.0, 8.0}) {
    for (const double rate : {0.001, 0.01, 0.02, 0.05, 0.2, 0.5, 0.8, 0.95}) {
      CAPTURE(cpus);
      CAPTURE(rate);
      Simulation simulation({.rate = rate}, cpus);
      simulation.run(kSecond, cpus);
      // In the first second it overspends by what nobody can see: a tick on each CPU.
      if (rate >= 0.2) CHECK(simulation.share() == doctest::Approx(rate).epsilon(0.1));
      simulation.run(99 * kSecond, cpus);
      CHECK(simulation.share() == doctest::Approx(rate).epsilon(0.02));
    }
  }
}

TEST_CASE("budget: who stays below the limit is never stopped") {
  for (const double demand : {0.0, 0.01, 0.1, 0.19}) {
    Simulation simulation({.rate = 0.2}, 1);
    simulation.run(20 * kSecond, demand);
    CHECK(simulation.stops() == 0);
    CHECK(simulation.share() == doctest::Approx(demand).epsilon(0.001));
  }
  Simulation above({.rate = 2}, 2);
  above.run(20 * kSecond, 2);
  CHECK(above.stops() == 0);
}

TEST_CASE("budget: looks at an idle process become rare, once a second at most") {
  Simulation simulation({.rate = 0.05}, 2);
  simulation.run(30 * kSecond, 0);
  CHECK(simulation.longest_look() == kSecond);
}

TEST_CASE("budget: never more than limit x T + burst + CPUs x look, whatever the demand") {
  std::mt19937_64 random(42);
  for (int round = 0; round < 300; ++round) {
    const double rate = std::exp(std::uniform_real_distribution(std::log(0.001), std::log(3.0))(random));
    const double cpus = std::uniform_int_distribution(1, 4)(random);
    const Limit limit{.rate = rate, .burst = std::uniform_int_distribution<Nanos>(kMillisecond, 500 * kMillisecond)(random)};
    Budget probe;
    probe.begin(limit, cpus, kTick, 0);
    const double burst = std::max(rate * static_cast<double>(limit.burst), probe.capacity());
    Simulation simulation(limit, cpus);
    for (int phase = 0; phase < 40; ++phase) {
      const double demand = std::uniform_int_distribution(0, 2)(random) == 0 ? 0 : std::uniform_real_distribution(0.0, cpus)(random);
      simulation.run(std::uniform_int_distribution<Nanos>(kMillisecond, 3 * kSecond)(random), demand);
      const double bound =
          rate * static_cast<double>(simulation.now()) + burst + cpus * static_cast<double>(simulation.longest_look() + 2 * kTick);
      CHECK(static_cast<double>(simulation.spent()) <= bound);
    }
  }
}

TEST_CASE("budget: what an idle process overspends before it is noticed is repaid") {
  Simulation simulation({.rate = 0.05}, 2);
  simulation.run(20 * kSecond, 0);
  const Nanos woke = simulation.now();
  simulation.run(200 * kSecond, 2);
  CHECK(simulation.spent() <= static_cast<Nanos>(0.05 * static_cast<double>(simulation.now() - woke) * 1.02));
}

TEST_CASE("budget: alternating work and sleep gets its limit") {
  Simulation simulation({.rate = 0.2}, 1);
  for (int i = 0; i < 1000; ++i) {
    simulation.run(50 * kMillisecond, 1);
    simulation.run(50 * kMillisecond, 0);
  }
  CHECK(simulation.share() <= 0.202);
  CHECK(simulation.share() >= 0.18);
}
