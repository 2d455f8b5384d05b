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

// How long it takes to earn what is missing, at so many CPUs: 0 if nothing is.
constexpr Nanos time_to_earn(double missing, double rate) { return missing <= 0 ? 0 : static_cast<Nanos>(missing / rate) + 1; }

// Tokens that several share. The caller brings the times.
class TokenBucket {
 public:
  void begin(const Limit& limit) {
    limit_ = limit;
    tokens_ = capacity() / 4;
  }
  void change(const Limit& limit) {
    limit_ = limit;
    tokens_ = std::min(tokens_, capacity());
  }
  void earn(Nanos elapsed) { tokens_ = std::min(tokens_ + limit_.rate * static_cast<double>(elapsed), capacity()); }
  void spend(double cpu) { tokens_ -= cpu; }
  void refund(double cpu) { tokens_ = std::min(tokens_ + cpu, capacity()); }
  double tokens() const { return tokens_; }
  double capacity() const { return std::max(limit_.rate * static_cast<double>(limit_.burst), 4.0 * static_cast<double>(limit_.min_run)); }

 private:
  Limit limit_;
  double tokens_ = 0;
};

// What one target may spend.
class Budget {
 public:
  // `tick` is the kernel's: so old may be what the CPU clock of a running process shows, as it is brought up to date once a tick and when
  // the process leaves its CPU. The clock of a stopped one is exact, so nothing is lost in the end.
  // The first tokens are half a window's: then as much is spent too early as too late, and the average is right from the first second on.
  void begin(const Limit& limit, double most_pace, Nanos tick, Nanos now) {
    most_pace_ = most_pace;
    pace_ = most_pace;
    tick_ = tick;
    expects_ = false;
    change(limit);
    tokens_ = window() / 2;
    begin_window(now);
  }

  // What was spent too much remains to be repaid.
  void change(const Limit& limit) {
    limit_ = limit;
    tokens_ = std::min(tokens_, capacity());
  }

  // `spent` is CPU time since the last call, `elapsed` wall time.
  void settle(Nanos elapsed, Nanos spent) {
    // Nobody knows in which order they earned and spent.
    tokens_ = std::min(tokens_ + limit_.rate * static_cast<double>(elapsed) - static_cast<double>(spent), capacity());
    spent_in_window_ += spent;
    if (closing_) learn();
  }

  void begin_window(Nanos now) {
    window_began_ = now;
    spent_in_window_ = 0;
    closing_ = false;
  }
  // The members have been sent SIGSTOP. What the window really cost is known at the next `settle`.
  void end_window(Nanos now) {
    window_length_ = now - window_began_;
    closing_ = true;
  }

  // What was probably spent since the clocks were brought up to date, by those that used their last window.
  double unseen(Nanos now) const {
    if (!expects_) return 0;
    const double expected = pace_ * static_cast<double>(now - window_began_) - static_cast<double>(spent_in_window_);
    return std::clamp(expected, 0.0, pace_ * static_cast<double>(tick_));
  }

  // So few tokens that another look would cost more than they are worth. They are not lost: it runs again that much earlier.
  bool exhausted(Nanos now) const { return tokens_ - unseen(now) <= slack(); }
  // Enough for a run window.
  bool earned() const { return tokens_ >= window(); }

  // How long until then, for members that spend nothing any more.
  Nanos until_earned(Nanos now) const { return time_to_earn(window() - tokens_ + (closing_ ? unseen(now) : 0), limit_.rate); }
  // How long until nothing is left, at the pace at which they were seen to spend, but at least that of one busy thread: who shares its CPU
  // with others seems slow, and may be fast the next moment. kNever: the limit is above that.
  Nanos until_exhausted(Nanos now) const {
    if (exhausted(now)) return 0;
    const double loss = std::max(pace_, 1.0) - limit_.rate;
    if (loss <= 0) return kNever;
    return static_cast<Nanos>(std::min((tokens_ - unseen(now) - slack() / 2) / loss, 1e15));
  }

  double tokens() const { return tokens_; }
  // CPUs that the members use when they run, as seen.
  double pace() const { return pace_; }
  const Limit& limit() const { return limit_; }
  // CPU time of one run window: half of the burst, so that a sleep does not cost tokens at once.
  double window() const { return std::max(burst() / 2, static_cast<double>(limit_.min_run) * std::max(pace_, 1.0)); }
  double capacity() const { return std::max(burst(), 2 * window()); }

 private:
  // Of a window: below this it was not used, and the next one is ended only when it is seen to be.
  static constexpr double kHardlyUsed = 0.05;
  static constexpr double kLeastPace = 0.25;

  double burst() const { return limit_.rate * static_cast<double>(limit_.burst); }
  double slack() const { return std::min(window() / 16, 100.0 * kMicrosecond); }
  void learn() {
    closing_ = false;
    const double pace = static_cast<double>(spent_in_window_) / static_cast<double>(std::max<Nanos>(window_length_, 1));
    expects_ = pace > kHardlyUsed;
    pace_ = std::clamp(pace, kLeastPace, most_pace_);
  }

  Limit limit_;
  double tokens_ = 0;
  double most_pace_ = 1;  // most CPUs that the members can use at once
  double pace_ = 1;
  Nanos tick_ = 0;
  bool expects_ = false;  // they used their last window
  bool closing_ = false;
  Nanos window_began_ = 0;
  Nanos window_length_ = 0;
  Nanos spent_in_window_ = 0;
};

}  // namespace hobble
