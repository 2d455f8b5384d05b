// How much of a CPU the engine will use, foretold from what a signal costs on this host. Pure.
#pragma once

#include <algorithm>

#include "engine/clock.h"

namespace hobble {

constexpr int kMostStretch = 4;

// Share of one CPU for so many signals a second. A wake-up costs about 40 us and sends about 16 signals; beyond 1,600 wake-ups a second
// more is sent in each.
inline double predicted_share(double signals_per_second, Nanos signal_cost) {
  constexpr double kWakeUpCost = 40'000;
  const double wakeups = std::min(signals_per_second / 16, 1'600.0);
  return (signals_per_second * static_cast<double>(signal_cost) + wakeups * kWakeUpCost) / kSecond;
}

// By what all periods must be lengthened (duty unchanged) to stay within `most`: 1, 2 or 4. 0: not even that is enough.
// Powers of two keep the phases on their grid.
inline int stretch_for(double share, double most) {
  for (int stretch = 1; stretch <= kMostStretch; stretch *= 2) {
    if (share / stretch <= most) return stretch;
  }
  return 0;
}

}  // namespace hobble
