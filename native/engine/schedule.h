// Phases: where in its period each target begins to run. Pure: no system call, no clock of its own.
//
// A wake-up of the timer thread costs 35-60 us of CPU on a virtual machine, a signal 2-8 us. So phases are put on a grid, and the targets
// of one grid slot share a wake-up. The lengths of run and stop are never touched. Within a slot each target has a place of its own, about
// as far from the next as a signal costs: then signals go out at their deadlines instead of queueing behind each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "engine/clock.h"

namespace hobble {

struct Cycle {
  Nanos run = 0;
  Nanos stop = 0;
  constexpr Nanos period() const { return run + stop; }
  bool operator==(const Cycle&) const = default;
};

// Signals a second; 0 without a cycle: who keeps below a limit gets none.
constexpr double signal_rate(const Cycle& cycle, size_t members) {
  if (cycle.run == 0) return 0;
  return 2.0 * static_cast<double>(members) * kSecond / static_cast<double>(cycle.period());
}

constexpr Nanos kShortestWindow = 100 * kMicrosecond;
constexpr Nanos kLongestWindow = 3600 * kSecond;
constexpr bool valid(const Cycle& cycle) {
  return cycle.run >= kShortestWindow && cycle.run <= kLongestWindow && cycle.stop >= kShortestWindow && cycle.stop <= kLongestWindow;
}

enum class PhaseMode : uint8_t { kSpread, kAligned, kOffset };

// The first moment at or after `from` that lies `offset` after a multiple of `period`.
constexpr Nanos next_occurrence(Nanos from, Nanos period, Nanos offset) {
  const Nanos since = from - offset;
  const Nanos past = since >= 0 ? since % period : (period - (-since) % period) % period;
  return past == 0 ? from : from + (period - past);
}

// How many signals a wake-up should send, given how many are sent a second. About 16; up to four times as many where that
// would mean over 1,500 wake-ups a second, which would cost more than the signals.
Nanos grid_for(double signals_per_second, double signals_per_wakeup);

// How far apart the moments are at which targets of this cycle begin to run, if those that lie between two are moved to the first, and a
// wake-up then sends about so many signals. 0: the cycle cannot be cut like that.
Nanos group_length(const Cycle& cycle, double signals_per_second, double signals_per_wakeup);

// Hands out phases for PhaseMode::kSpread. Used by the helper thread only.
class PhasePlanner {
 public:
  struct Placement {
    Nanos period = 0;       // names the ring
    Nanos offset = 0;       // the run window begins at offset + k * period
    Nanos slot_length = 0;  // of the ring when it was placed: slots are numbered by it
    uint32_t start_slot = 0;
    uint32_t stop_slot = 0;
    uint32_t members = 0;
    uint64_t places = 0;  // bits taken in both slots
  };

  explicit PhasePlanner(double signals_per_wakeup) : signals_per_wakeup_(signals_per_wakeup) {}

  // `signal_cost` is the distance between two targets of one slot.
  Placement place(const Cycle& cycle, uint32_t members, Nanos signal_cost);
  void release(const Placement& placement);

  double signals_per_second() const { return signals_per_second_; }

 private:
  struct Slot {
    uint64_t places = 0;
    uint32_t signals = 0;
  };
  // All targets of one period share a ring of slots. It is refined when the load asks for it, never made coarser while it is in use:
  // those that have a phase keep it.
  struct Ring {
    Nanos slot_length = 0;
    std::vector<Slot> slots;
    uint32_t targets = 0;
    uint32_t turn = 0;  // of the golden-ratio sequence
  };

  Ring& ring_for(const Cycle& cycle);
  static void refine(Ring& ring, Nanos period, Nanos slot_length);

  std::map<Nanos, Ring> rings_;
  double signals_per_wakeup_;
  double signals_per_second_ = 0;
};

}  // namespace hobble
