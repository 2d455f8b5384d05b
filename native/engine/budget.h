// What a target may spend, and when it must be looked at so that it does not spend more. Pure: no system call, no clock of its own.
//
// A token bucket: a token is a nanosecond of CPU time. It fills at the limit's rate, and what the members spend is taken out when their
// CPU clocks are read. It may go below zero, so overspending is repaid. A target is stopped when it has no tokens left, and runs again when
// it has earned enough for a window.
#pragma once

#include <algorithm>

#include "engine/clock.h"

namespace hobble {

struct Limit {
  double rate = 0;                   // CPUs; 0 = no limit
  Nanos burst = 100 * kMillisecond;  // how far ahead it may spend, in time at the limit's rate
  Nanos min_run = 1 * kMillisecond;  // shortest run window
  bool operator==(const Limit&) const = default;
};

constexpr double kLeastRate = 1e-4;
constexpr double kMostRate = 4096;
constexpr Nanos kShortestBurst = 1 * kMillisecond;
constexpr Nanos kLongestBurst = 60 * kSecond;
constexpr bool valid(const Limit& limit) {
  return limit.rate >= kLeastRate && limit.rate <= kMostRate && limit.burst >= kShortestBurst && limit.burst <= kLongestBurst &&
         limit.min_run >= 100 * kMicrosecond && limit.min_run <= kSecond;
}

class Budget {
 public:
  // The first tokens are half a window's: then as much is spent too early as too late, and the average is right from the first second on.
  void begin(const Limit& limit, double most_pace) {
    change(limit, most_pace);
    tokens_ = window() / 2;
  }

  // What was spent too much remains to be repaid.
  void change(const Limit& limit, double most_pace) {
    limit_ = limit;
    most_pace_ = most_pace;
    pace_ = most_pace;
    tokens_ = std::min(tokens_, capacity());
  }

  // `spent` is CPU time since the last call, `elapsed` wall time. `running`: the members could run all of that time.
  void settle(Nanos elapsed, Nanos spent, bool running) {
    tokens_ = std::min(tokens_ + limit_.rate * static_cast<double>(elapsed), capacity()) - static_cast<double>(spent);
    if (!running || elapsed <= 0) return;
    // A process that shares its CPU with others seems slow, and may be fast the next moment: never below one CPU.
    pace_ = std::clamp(static_cast<double>(spent) / static_cast<double>(elapsed), 1.0, most_pace_);
  }

  // So few tokens that another look would cost more than they are worth. They are not lost: it runs again that much earlier.
  bool exhausted() const { return tokens_ <= slack(); }
  bool full() const { return tokens_ >= capacity() * 0.999; }
  // Enough for a run window.
  bool earned() const { return tokens_ >= window(); }

  // How long until then, for members that spend nothing.
  Nanos until_earned() const { return earned() ? 0 : static_cast<Nanos>((window() - tokens_) / limit_.rate) + 1; }
  // How long until nothing is left, if they spend at the pace at which they were seen to. kNever: the limit is above that.
  Nanos until_exhausted() const {
    if (exhausted()) return 0;
    const double loss = pace_ - limit_.rate;
    if (loss <= 0) return kNever;
    return static_cast<Nanos>(std::min((tokens_ - slack() / 2) / loss, 1e15));
  }

  double tokens() const { return tokens_; }
  const Limit& limit() const { return limit_; }
  // CPU time of one run window: half of the burst, so that a sleep does not cost tokens at once.
  double window() const { return std::max(burst() / 2, static_cast<double>(limit_.min_run) * pace_); }
  double capacity() const { return std::max(burst(), 2 * window()); }

 private:
  double burst() const { return limit_.rate * static_cast<double>(limit_.burst); }
  double slack() const { return std::min(window() / 16, 100.0 * kMicrosecond); }

  Limit limit_;
  double tokens_ = 0;
  double most_pace_ = 1;  // most CPUs that the members can use at once
  double pace_ = 1;       // CPUs that they use when they run, as seen
};

}  // namespace hobble
