#include "engine/fair_share.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace hobble {
namespace {

// Each of those that want to run has a turn this often, if turns do not become shorter than this share of the pool's limit for that.
constexpr double kRound = 500.0 * kMillisecond;
constexpr double kShortestTurn = 5.0 * kMillisecond;
// A pool that has nothing left waits until it can give so many turns, which then share their wake-ups: the end of one is the beginning of
// the next.
constexpr double kTurnsTogether = 4;
// Without a cap no more have turns at once than can spend the limit, so that the other CPUs stay free for those who are not hobbled, until
// so much of a full bucket has piled up: then those that have turns do not get the CPU they were granted. More than the half for which a
// pool waits that has nothing left.
constexpr double kUnspent = 0.75;
// Who was idle has this many turns' worth of credit over those that waited, and no more.
constexpr double kCreditTurns = 2;
// One with a turn that spends nothing for so long lets another have one too. It keeps its grant for a while, because one that waits for a
// CPU looks idle as well.
constexpr Nanos kIdleTurn = 6 * kMillisecond;
constexpr Nanos kIdleGrant = 200 * kMillisecond;
// Nanoseconds of CPU time at weight 1. Of nanoseconds 64 bits would be full after 107 days of a CPU at the least weight.
constexpr double kVirtualUnit = 1024;

double virtual_cost(const Sharer& sharer, double cpu) { return cpu / sharer.weight / kVirtualUnit; }

}  // namespace

void FairShare::set(const Limit& limit, int concurrency) {
  const bool fresh = limit_.rate == 0;
  limit_ = limit;
  concurrency_ = concurrency;
  if (fresh) {
    budget_.begin(limit);
  } else {
    budget_.change(limit);
  }
}

void FairShare::join(Sharer& sharer, double weight) const {
  sharer.weight = weight;
  sharer.virtual_time = virtual_time_;
}

void FairShare::reweigh(Sharer& sharer, double weight) {
  const double more = weight - std::exchange(sharer.weight, weight);
  if (sharer.in_pool_turn || sharer.waits) weights_ += more;
}

// A credit for who was idle, so that it need not wait a whole round; but no more, or it could keep the others waiting for as long as it
// was idle.
void FairShare::limit_credit(Sharer& sharer, double turn) const {
  sharer.virtual_time = std::max(sharer.virtual_time, virtual_time_ - virtual_cost(sharer, kCreditTurns * turn));
}

void FairShare::charge(Sharer& sharer, Nanos spent, bool unasked, double turn) {
  if (unasked) limit_credit(sharer, turn);
  sharer.virtual_time += virtual_cost(sharer, static_cast<double>(spent));
  const double granted = std::min(sharer.grant, static_cast<double>(spent));
  sharer.grant -= granted;
  budget_.spend(static_cast<double>(spent) - granted);
}

double FairShare::turn_of(const Sharer& sharer, double pace) const {
  const double rivals = std::max(1.0, static_cast<double>(queue_.size()) + in_turn_);
  const double mean_weight = std::max(weights_, sharer.weight) / rivals;
  const double longest = static_cast<double>(limit_.burst) / 4;
  const double mean = limit_.rate * std::min(std::max(kRound / rivals, kShortestTurn), longest);
  const double least = static_cast<double>(limit_.min_run) * std::max(pace, 1.0);
  return std::clamp(mean * sharer.weight / mean_weight, least, std::max(least, capacity() / 2));
}

void FairShare::wait(Sharer& sharer, double turn) {
  limit_credit(sharer, turn);
  queue_.push(static_cast<Nanos>(sharer.virtual_time), &sharer);
  sharer.waits = true;
  weights_ += sharer.weight;
}

void FairShare::leave_queue(Sharer& sharer) {
  sharer.waits = false;
  queue_.remove(&sharer);
  weights_ -= sharer.weight;
}

bool FairShare::take_slot(Sharer& sharer) {
  if (sharer.has_slot) return true;
  if (full()) return false;
  sharer.has_slot = true;
  ++in_turn_;
  return true;
}

void FairShare::give_slot_back(Sharer& sharer) {
  if (std::exchange(sharer.has_slot, false)) --in_turn_;
}

bool FairShare::grant(Sharer& sharer, double turn) {
  const double wanted = turn - sharer.grant;
  if (tokens() < at_hand(wanted) || !take_slot(sharer)) return false;
  limit_credit(sharer, turn);
  sharer.grant = turn;
  budget_.spend(wanted);
  virtual_time_ = std::max(virtual_time_, sharer.virtual_time);
  ++turns_;
  if (!std::exchange(sharer.in_pool_turn, true)) weights_ += sharer.weight;
  return true;
}

void FairShare::end_turn(Sharer& sharer) {
  if (!std::exchange(sharer.in_pool_turn, false)) return;
  budget_.refund(std::exchange(sharer.grant, 0));
  weights_ -= sharer.weight;
  give_slot_back(sharer);
}

// 0: another may have a turn beside those that have one.
Nanos FairShare::until_overlap() const {
  if (concurrency_ > 0 || in_turn_ < std::ceil(limit_.rate)) return 0;
  return time_to_earn(kUnspent * capacity() - tokens(), limit_.rate);
}

Nanos FairShare::admit_first(double turn, bool need_not_overlap) {
  if (full()) return kNever;
  if (const Nanos alone = need_not_overlap ? until_overlap() : 0; alone > 0) return alone;
  const double wanted = at_hand(refilling_ ? kTurnsTogether * turn : turn);
  const Nanos wait = time_to_earn(wanted - tokens(), limit_.rate);
  if (wait > 0 && !std::exchange(refilling_, true)) return admit_first(turn, need_not_overlap);
  if (wait > 0) return wait;
  refilling_ = false;
  Sharer& sharer = first();
  leave_queue(sharer);
  grant(sharer, turn);
  return 0;
}

bool FairShare::goes_on(Sharer& sharer, double turn, double unseen, Nanos idle, Work work) {
  if (sharer.in_pool_turn) {
    if (idle >= kIdleTurn) {
      if (idle >= kIdleGrant) end_turn(sharer);
      give_slot_back(sharer);
      return true;
    }
    if (take_slot(sharer)) {
      if (sharer.grant - unseen > turn / 16) return true;
      return (!contested() || sharer.virtual_time <= first().virtual_time) && grant(sharer, turn);
    }
    // It had nothing to do for a while, and others have all the slots: as if it had no turn.
    end_turn(sharer);
  }
  if (work == Work::kNone) return true;
  // Below its share, though others want more than theirs. Or nobody wants more, and a little is no reason for a turn: but a thousand that
  // each spend a little may not spend more than there is, nor may one that goes on with it when others wait.
  const double lead = work == Work::kLittle ? virtual_cost(sharer, turn) : 0;
  const bool below = (contested() || in_turn_ > 0) && sharer.virtual_time <= virtual_time_ + lead;
  // A little that is its own to spend is no reason to stop it either when the others have left nothing. But who is starved by hundreds of
  // others, all found at once, spends little too: those would go on together for as long as they run each other's debt up.
  const double least = work == Work::kLittle ? -capacity() : 0;
  if (below && tokens() > least) return true;
  if (tokens() > 0 && !contested() && work == Work::kLittle) return true;
  return !contested() && grant(sharer, turn);
}

}  // namespace hobble
