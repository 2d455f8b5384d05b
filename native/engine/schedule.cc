#include "engine/schedule.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace hobble {
namespace {

constexpr Nanos kFinestGrid = 250 * kMicrosecond;
// Finer than this, wake-ups cost more than the signals: rather up to four times as many signals in each.
constexpr double kCheapGrid = 650.0 * kMicrosecond;
constexpr uint32_t kMostSlots = 16'384;
// Slots looked at for one target: enough to find one of the emptiest, bounded for rings of thousands.
constexpr uint32_t kCandidates = 64;
constexpr double kGoldenRatio = 0.6180339887498949;

// `length` neighbouring bits, the first at `place`.
uint64_t run_of_places(uint32_t length, uint32_t place) { return ((length >= 64 ? 0 : uint64_t{1} << length) - 1) << place; }

// The first free run of `length` places, or a busy one when there is none: sharing a place costs a few microseconds of lateness, no more.
uint32_t find_places(uint64_t taken, uint32_t length, uint32_t otherwise) {
  for (uint32_t place = 0; place + length <= 64; ++place) {
    if ((taken & run_of_places(length, place)) == 0) return place;
  }
  return otherwise % (64 - length + 1);
}

}  // namespace

Nanos grid_for(double signals_per_second, double signals_per_wakeup) {
  if (signals_per_second <= 0) return kLongestWindow;
  const double grid = signals_per_wakeup * kSecond / signals_per_second;
  // A quarter more than asked is still "about", and often saves halving the grid.
  const double wanted = std::max({grid * 1.25, static_cast<double>(kFinestGrid), std::min(kCheapGrid, 4 * grid)});
  return static_cast<Nanos>(std::min(wanted, static_cast<double>(kLongestWindow)));
}

Nanos group_length(const Cycle& cycle, double signals_per_second, double signals_per_wakeup) {
  constexpr Nanos kMostParts = 4096;
  if (signals_per_second <= 0) return 0;
  const Nanos period = cycle.period();
  const double wanted = signals_per_wakeup * kSecond / signals_per_second;
  // One that divides the run time: the STOPs of one group share the wake-up of another's CONTs.
  Nanos length = std::gcd(cycle.run, period);
  if (static_cast<double>(length) >= wanted) {
    while (static_cast<double>(length) > wanted && length % 2 == 0 && length / 2 >= kFinestGrid) length /= 2;
    if (static_cast<double>(length) <= 2 * wanted) return length;
  }
  // Otherwise a wake-up sends signals of one sort.
  // Less a little: the quotient is often whole but for rounding.
  const auto fewest = static_cast<Nanos>(std::ceil(static_cast<double>(period) / (2 * wanted) - 1e-6));
  for (Nanos parts = std::max<Nanos>(1, fewest); parts <= kMostParts; ++parts) {
    if (period % parts == 0) return period / parts;
  }
  return 0;
}

void PhasePlanner::refine(Ring& ring, Nanos period, Nanos slot_length) {
  // The old slots lie at the start of every n-th new one, because the new length divides the old.
  const auto factor = static_cast<uint32_t>(ring.slot_length / slot_length);
  std::vector<Slot> slots(static_cast<size_t>((period + slot_length - 1) / slot_length));
  for (size_t i = 0; i < ring.slots.size() && i * factor < slots.size(); ++i) slots[i * factor] = ring.slots[i];
  ring.slots = std::move(slots);
  ring.slot_length = slot_length;
}

PhasePlanner::Ring& PhasePlanner::ring_for(const Cycle& cycle) {
  const Nanos period = cycle.period();
  const Nanos grid = std::clamp(grid_for(signals_per_second_, signals_per_wakeup_), kFinestGrid, period);
  const Nanos smallest = std::max<Nanos>(kFinestGrid, period / kMostSlots);
  Ring& ring = rings_[period];
  if (ring.targets == 0) {
    // A slot that divides both run and period lets the STOPs of one slot share the wake-up of the CONTs of another.
    const Nanos common = std::gcd(cycle.run, period);
    Nanos length = common >= smallest ? common : period / std::max<Nanos>(1, period / std::clamp(cycle.run, smallest, period));
    while (length > grid && length % 2 == 0 && length / 2 >= smallest) length /= 2;
    ring = Ring{.slot_length = length, .slots = std::vector<Slot>(static_cast<size_t>((period + length - 1) / length)), .turn = ring.turn};
  }
  Nanos length = ring.slot_length;
  const Nanos common = std::gcd(length, cycle.run);
  if (common >= smallest) length = common;
  while (length > grid && length % 2 == 0 && length / 2 >= smallest) length /= 2;
  if (length != ring.slot_length) refine(ring, period, length);
  return ring;
}

PhasePlanner::Placement PhasePlanner::place(const Cycle& cycle, uint32_t members, Nanos signal_cost) {
  signals_per_second_ += signal_rate(cycle, members);
  Ring& ring = ring_for(cycle);
  const auto count = static_cast<uint32_t>(ring.slots.size());
  const auto run_slots = static_cast<uint32_t>((cycle.run + ring.slot_length / 2) / ring.slot_length);

  Placement best{.period = cycle.period(), .slot_length = ring.slot_length, .members = members};
  uint32_t least = UINT32_MAX;
  const uint32_t looks = std::min(count, kCandidates);
  for (uint32_t i = 0; i < looks && least > 0; ++i) {
    // Golden-ratio steps fall evenly at every moment, whatever came and went; with few slots all are looked at.
    const double turn = ring.turn * kGoldenRatio;
    const auto golden = static_cast<uint32_t>((turn - std::floor(turn)) * count);
    const uint32_t slot = (count <= kCandidates ? golden + i : golden + i * ((count / kCandidates) | 1U)) % count;
    const uint32_t stop_slot = (slot + run_slots) % count;
    const uint32_t signals = ring.slots[slot].signals + ring.slots[stop_slot].signals;
    if (signals < least) {
      least = signals;
      best.start_slot = slot;
      best.stop_slot = stop_slot;
    }
  }
  ++ring.turn;
  ++ring.targets;

  Slot& start = ring.slots[best.start_slot];
  Slot& stop = ring.slots[best.stop_slot];
  const uint32_t length = std::clamp<uint32_t>(members, 1, 32);
  const uint32_t place = find_places(start.places | stop.places, length, start.signals);
  best.places = run_of_places(length, place);
  start.places |= best.places;
  stop.places |= best.places;
  start.signals += members;
  stop.signals += members;
  const Nanos within = std::min<Nanos>(place * signal_cost, ring.slot_length - 1);
  best.offset = (best.start_slot * ring.slot_length + within) % cycle.period();
  return best;
}

void PhasePlanner::release(const Placement& placement) {
  const auto found = rings_.find(placement.period);
  if (found == rings_.end()) return;
  Ring& ring = found->second;
  signals_per_second_ =
      std::max(0.0, signals_per_second_ - 2.0 * static_cast<double>(placement.members) * kSecond / static_cast<double>(placement.period));
  // A slot's number changes when the ring is refined; its moment does not.
  for (const bool stop : {false, true}) {
    const uint32_t number = stop ? placement.stop_slot : placement.start_slot;
    const Nanos moment = static_cast<Nanos>(number) * placement.slot_length;
    Slot& slot = ring.slots[static_cast<size_t>(moment / ring.slot_length) % ring.slots.size()];
    slot.places &= ~placement.places;
    slot.signals -= std::min(slot.signals, placement.members);
  }
  if (--ring.targets == 0) rings_.erase(found);
}

}  // namespace hobble
