// Time: CLOCK_MONOTONIC in nanoseconds, everywhere in the engine.
#pragma once

#include <time.h>

#include <cstdint>

namespace hobble {

using Nanos = int64_t;

constexpr Nanos kMicrosecond = 1'000;
constexpr Nanos kMillisecond = 1'000'000;
constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kNever = INT64_MAX;

inline Nanos to_nanos(const timespec& t) { return t.tv_sec * kSecond + t.tv_nsec; }

inline timespec to_timespec(Nanos t) { return {.tv_sec = t / kSecond, .tv_nsec = t % kSecond}; }

// 0 for a clock that does not exist (any more).
inline Nanos read_clock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return to_nanos(now);
}

inline Nanos monotonic_now() { return read_clock(CLOCK_MONOTONIC); }

}  // namespace hobble
