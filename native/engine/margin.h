// How early to wake and how long to spin. Pure: the caller brings the times.
#pragma once

#include <algorithm>

#include "engine/clock.h"

namespace hobble {

// The numbers are those of src/native.ts.
enum class Precision : uint8_t { kTight = 0, kBalanced = 1, kEconomy = 2 };

// Learns how late this thread wakes, as a quantile that it follows by small steps: up when a wake-up was later, down when it was earlier.
class WakeMargin {
 public:
  explicit WakeMargin(Precision precision) : precision_(precision) {}

  // How long before a deadline the timer should go off.
  Nanos margin() const { return precision_ == Precision::kEconomy ? 0 : static_cast<Nanos>(margin_); }

  // So much too early is as good as on time: less than a signal costs, and it saves as much spinning for each.
  Nanos tolerance() const { return precision_ == Precision::kTight ? 0 : kTolerance; }

  // `late`: how much later than asked the thread woke.
  void learn(Nanos late) {
    const double quantile = 0.97;
    const double up = static_cast<double>(late) > margin_ ? quantile : quantile - 1;
    margin_ = std::clamp(margin_ + up * kStep, kLeast, precision_ == Precision::kTight ? kMostTight : kMostBalanced);
  }

  // A gap between two signals that is spun away in any case: to sleep for it would take as much CPU, and wake the thread too late.
  Nanos cheap_gap() const { return precision_ == Precision::kEconomy ? 0 : kCheapGap; }

  // To be called at each wake-up: what it may spin.
  Nanos spin_allowance(Nanos now) {
    switch (precision_) {
      case Precision::kEconomy:
        return 0;
      case Precision::kBalanced:
        return kBalancedSpin;
      case Precision::kTight:
        if (now - second_began_ >= kSecond) {
          second_began_ = now;
          spun_ = 0;
        }
        return spun_ < kTightBudget ? kTightSpin : kBalancedSpin;
    }
    return 0;
  }

  void spun(Nanos time) { spun_ += time; }

 private:
  static constexpr double kStep = 1'000;
  static constexpr double kLeast = 2'000;
  static constexpr double kMostBalanced = 50'000;
  static constexpr double kMostTight = 150'000;
  static constexpr Nanos kTolerance = 3 * kMicrosecond;
  static constexpr Nanos kCheapGap = 20 * kMicrosecond;
  static constexpr Nanos kBalancedSpin = 50 * kMicrosecond;
  static constexpr Nanos kTightSpin = 400 * kMicrosecond;
  // Of each second, in `tight`: 10 % of a CPU. After that it behaves as `balanced` until the second is over.
  static constexpr Nanos kTightBudget = 100 * kMillisecond;

  Precision precision_;
  double margin_ = 20'000;
  Nanos second_began_ = 0;
  Nanos spun_ = 0;
};

}  // namespace hobble
