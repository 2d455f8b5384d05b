// Who of those that share one limit has a turn. Pure: no system call, no clock of its own.
//
// Weighted fair queueing: each has a virtual time, the CPU time it has spent by its weight. Those who want more than there is wait,
// stopped, in the order of their virtual times, and run in turn, each for a grant of CPU time out of the common token bucket. Who wants
// less than its share has the lowest virtual time and runs on without a turn. So what comes out is max-min fair, and nothing has to be
// planned again when demand changes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/budget.h"
#include "engine/deadline_heap.h"

namespace hobble {

// What a deadline of a lane is about: a target, or a pool that has earned another turn.
struct Timed : HeapPlace {
  enum class Sort : uint8_t { kTarget, kPool };
  explicit Timed(Sort of) : sort(of) {}
  const Sort sort;
};

// One of those that share, as the pool sees it. `weight` changes by reweigh() only, from join() until it has left.
struct Sharer : Timed {
  using Timed::Timed;
  double weight = 1;
  double virtual_time = 0;  // in kVirtualUnit
  double grant = 0;         // of the pool's tokens, for its turn
  bool in_pool_turn = false;
  bool waits = false;
  bool has_slot = false;  // it counts among those of the pool that run at once
};

class FairShare {
 public:
  using Queue = DeadlineHeap<Timed>;

  // `places` must have room for all that ever wait at once.
  explicit FairShare(Queue::Entry* places) : queue_(places) {}

  // The first time it begins, with a quarter of a full bucket. `concurrency`: most that have a turn at once; 0 = as many as it takes to
  // spend the limit.
  void set(const Limit& limit, int concurrency);
  // Tokens of so much wall time.
  void earn(Nanos elapsed) { budget_.earn(elapsed); }

  void join(Sharer& sharer, double weight) const;
  // What it has spent stays spent by its old weight.
  void reweigh(Sharer& sharer, double weight);
  // It has spent so much since its last look. `unasked`: it ran without a turn. `turn`: turn_of() it.
  void charge(Sharer& sharer, Nanos spent, bool unasked, double turn);
  // CPU time of one turn of one that runs on `pace` CPUs, by its weight.
  double turn_of(const Sharer& sharer, double pace) const;

  // It is stopped, and in no other heap.
  void wait(Sharer& sharer, double turn);
  void leave_queue(Sharer& sharer);
  // Whose turn is next; the queue is not empty.
  Sharer& first() const { return static_cast<Sharer&>(*queue_.top()); }
  bool contested() const { return !queue_.empty(); }
  // May the first have its turn? 0: it has left the queue and has it. Else how long it takes to earn that; kNever: somebody's turn has to
  // end before. Where no cap was set, one of those that `need_not_overlap` begins beside others only if these do not spend what there is.
  Nanos admit_first(double turn, bool need_not_overlap);
  // What one that runs did since its last look.
  enum class Work : uint8_t { kNone, kLittle, kMuch };
  // May it go on? `unseen`: what it has probably spent that its clock does not show yet; `idle`: for how long it has spent nothing.
  bool goes_on(Sharer& sharer, double turn, double unseen, Nanos idle, Work work);
  void end_turn(Sharer& sharer);

  const Limit& limit() const { return limit_; }
  // Of those that nobody was granted. A grant is taken out at once, and what is left of it put back at the end of the turn.
  double tokens() const { return budget_.tokens(); }
  double capacity() const { return budget_.capacity(); }
  uint32_t waiting() const { return queue_.size(); }
  int in_turn() const { return in_turn_; }
  uint64_t turns() const { return turns_; }

 private:
  // Of a turn of so much: what must be there before it is granted. Never more than the bucket holds.
  double at_hand(double turn) const { return std::min(turn, capacity() / 2); }
  void limit_credit(Sharer& sharer, double turn) const;
  bool full() const { return concurrency_ > 0 && in_turn_ >= concurrency_; }
  Nanos until_overlap() const;
  bool take_slot(Sharer& sharer);
  void give_slot_back(Sharer& sharer);
  bool grant(Sharer& sharer, double turn);

  Limit limit_;
  int concurrency_ = 0;
  TokenBucket budget_;
  Queue queue_;              // those that wait; the key is their virtual time
  double virtual_time_ = 0;  // of whoever had the last turn
  double weights_ = 0;       // of those that wait or have a turn
  int in_turn_ = 0;
  uint64_t turns_ = 0;
  bool refilling_ = false;  // nothing is left: it waits for several turns' tokens, so that they share wake-ups
};

}  // namespace hobble
