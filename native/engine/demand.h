// Do the targets use the CPU that they get? Learned from a sample of them. Pure.
//
// Nobody notices when a process that sleeps is resumed a few hundred microseconds late, so sleeping targets are signalled in larger groups:
// in batches of 15 a signal costs 4-6 us, in batches of 100 about 3 us, because its target's CPU is awake already.
#pragma once

#include <algorithm>
#include <cmath>

#include "engine/schedule.h"

namespace hobble {

// Signals in a wake-up for targets that sleep.
constexpr double kSignalsForSleepers = 100;

// Did a target that spent so much CPU time in `elapsed` use its run windows? A sleeping process uses 10 to 90 us for being stopped and
// continued, as the host is.
constexpr bool used_the_cpu(Nanos spent, Nanos elapsed, const Cycle& cycle) {
  constexpr Nanos kIdleCpu = 250 * kMicrosecond;
  const double cycles = std::max(1.0, static_cast<double>(elapsed) / static_cast<double>(cycle.period()));
  return static_cast<double>(spent) > cycles * static_cast<double>(std::max(std::min(kIdleCpu, cycle.run / 4), cycle.run / 50));
}

class Demand {
 public:
  void learn(int sampled, int busy) {
    if (sampled == 0) return;
    const double share = static_cast<double>(busy) / sampled;
    busy_share_ = busy_share_ < 0 ? share : (busy_share_ + share) / 2;
    asleep_ = busy_share_ < (asleep_ ? kWake : kSleep);
  }

  // The rate by which sleeping targets are grouped; 0 while too many are busy, or the signals too few to matter. It follows the rate in
  // coarse steps, because a target whose group changes has one stop window of another length.
  double grouped_rate(double signals_per_second) {
    if (!asleep_ || signals_per_second < kFewSignals) return rate_ = 0;
    if (rate_ == 0 || std::abs(std::log2(signals_per_second / rate_)) > kStep) rate_ = signals_per_second;
    return rate_;
  }

 private:
  static constexpr double kSleep = 0.03;
  static constexpr double kWake = 0.1;
  static constexpr double kFewSignals = 500;
  static constexpr double kStep = 0.6;

  double busy_share_ = -1;
  double rate_ = 0;
  bool asleep_ = false;
};

}  // namespace hobble
