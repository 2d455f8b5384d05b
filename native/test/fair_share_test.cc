#include "engine/fair_share.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

using namespace hobble;  // NOLINT(google-build-using-namespace)

namespace {

constexpr Nanos kStep = 250 * kMicrosecond;
constexpr Nanos kFarthestLook = kSecond;
constexpr Nanos kSlice = 3 * kMillisecond;
constexpr double kAlways = 1e9;

// One that wants `demand` CPUs: so much work comes in, whether it runs or not, and it works it off on one CPU.
struct Process : Sharer {
  explicit Process(double wanted) : Sharer(Sort::kTarget), demand(wanted) {}
  double demand;
  double work = 0;
  double pace = 1;  // as it was last seen to be
  bool running = true, on_cpu = true;
  Nanos spent = 0, unsettled = 0, busy_at = 0, look_at = 0, looked_at = 0;
  Nanos stopped_at = 0, longest_wait = 0;
  double share(Nanos time) const { return static_cast<double>(spent) / static_cast<double>(time); }
};

// A pool on a made-up clock and a host with as many CPUs as it likes, or with some that those who run have in turn. Members are looked at,
// stopped and resumed as the lane does it.
class Simulation {
 public:
  explicit Simulation(const Limit& limit, int concurrency, size_t room, size_t cpus = 0)
      : entries_(room), pool_(entries_.data()), rate_(limit.rate), cpus_(cpus) {
    pool_.set(limit, concurrency);
  }

  Process& add(double demand, double weight = 1) {
    processes_.push_back(std::make_unique<Process>(demand));
    Process& process = *processes_.back();
    pool_.join(process, weight);
    process.look_at = process.looked_at = process.busy_at = now_;
    return process;
  }

  void reweigh(Process& process, double weight) { pool_.reweigh(process, weight); }

  void run(Nanos time) {
    for (const Nanos end = now_ + time; now_ < end; now_ += kStep) {
      pool_.earn(kStep);
      if (cpus_ > 0) deal_out();
      for (const auto& process : processes_) work(*process);
      for (const auto& process : processes_) {
        if (process->running && process->look_at <= now_) look(*process);
      }
      if (now_ >= admit_at_) admit();
      check_bound();
    }
  }

  Nanos now() const { return now_; }
  const FairShare& pool() const { return pool_; }
  double total() const {
    return std::accumulate(processes_.begin(), processes_.end(), 0.0, [](double sum, const auto& p) { return sum + p->spent; });
  }
  const std::vector<std::unique_ptr<Process>>& processes() const { return processes_; }
  int most_in_turn() const { return most_in_turn_; }
  void forget_most_in_turn() { most_in_turn_ = 0; }

 private:
  // To those who want to run, in turn, a few milliseconds each.
  void deal_out() {
    if (now_ - dealt_at_ < kSlice) return;
    dealt_at_ = now_;
    for (const auto& process : processes_) process->on_cpu = false;
    for (size_t tried = 0, dealt = 0; tried < processes_.size() && dealt < cpus_; ++tried) {
      Process& process = *processes_[next_++ % processes_.size()];
      if (!process.running || process.demand == 0) continue;
      process.on_cpu = true;
      ++dealt;
    }
  }

  void work(Process& process) {
    process.work = std::min(process.work + process.demand * kStep, 1e12);
    if (!process.running || !process.on_cpu) return;
    const Nanos done = std::min(kStep, static_cast<Nanos>(process.work));
    process.work -= static_cast<double>(done);
    process.spent += done;
    process.unsettled += done;
    if (done > 0) process.busy_at = now_;
  }

  void look(Process& process) {
    const double turn = pool_.turn_of(process, process.pace);
    const Nanos elapsed = now_ - std::exchange(process.looked_at, now_);
    const FairShare::Work work = process.unsettled > elapsed / 100       ? FairShare::Work::kMuch
                                 : process.unsettled > 10 * kMicrosecond ? FairShare::Work::kLittle
                                                                         : FairShare::Work::kNone;
    pool_.charge(process, std::exchange(process.unsettled, 0), !process.in_pool_turn, turn);
    const Nanos idle = now_ - process.busy_at;
    if (!pool_.goes_on(process, turn, 0, idle, work)) {
      process.running = false;
      process.stopped_at = now_;
      pool_.end_turn(process);
      pool_.wait(process, turn);
    } else {
      const double left = process.in_pool_turn ? process.grant : turn;
      process.look_at = now_ + std::clamp(std::max(static_cast<Nanos>(left), (idle - 20 * kMillisecond) / 8), kStep, kFarthestLook);
      longest_look_ = std::max(longest_look_, process.look_at - now_);
    }
    admit_at_ = now_;
  }

  void admit() {
    admit_at_ = kNever;
    while (pool_.contested()) {
      Process& process = static_cast<Process&>(pool_.first());
      const Nanos wait = pool_.admit_first(pool_.turn_of(process, process.pace), true);
      if (wait > 0) {
        admit_at_ = wait == kNever ? kNever : now_ + wait;
        break;
      }
      process.running = true;
      process.busy_at = process.looked_at = now_;
      process.longest_wait = std::max(process.longest_wait, now_ - process.stopped_at);
      process.look_at = now_ + std::max(static_cast<Nanos>(process.grant), kStep);
      longest_turn_ = std::max(longest_turn_, process.grant);
    }
    most_in_turn_ = std::max(most_in_turn_, pool_.in_turn());
  }

  // At any time: limit x T + what may be saved up + what runs between two looks.
  void check_bound() const {
    const double between_looks = static_cast<double>(processes_.size()) * static_cast<double>(std::max(longest_look_, kStep));
    const double most = rate_ * static_cast<double>(now_) + pool_.capacity() + longest_turn_ + between_looks;
    if (total() > most) FAIL("spent ", total(), " of ", most, " at ", now_);
  }

  std::vector<FairShare::Queue::Entry> entries_;
  FairShare pool_;
  double rate_;
  size_t cpus_, next_ = 0;
  Nanos dealt_at_ = -kSecond;
  std::vector<std::unique_ptr<Process>> processes_;
  Nanos now_ = 0, admit_at_ = kNever, longest_look_ = 0;
  int most_in_turn_ = 0;
  double longest_turn_ = 0;
};

// A pool without a simulation around it, for two that share.
struct Bare {
  explicit Bare(double rate, int concurrency) { pool.set({.rate = rate}, concurrency); }
  std::vector<FairShare::Queue::Entry> entries = std::vector<FairShare::Queue::Entry>(2);
  FairShare pool{entries.data()};
};

struct Wish {
  double demand;
  double weight;
};

// Who wants less than its share keeps it; what they leave is shared by the rest, by weight.
std::vector<double> max_min_fair(const std::vector<Wish>& wishes, double limit) {
  std::vector<double> shares(wishes.size(), -1);
  for (double left = limit;;) {
    double weights = 0;
    for (size_t i = 0; i < wishes.size(); ++i) weights += shares[i] < 0 ? wishes[i].weight : 0;
    const double per_weight = left / weights;
    bool satisfied = false;
    for (size_t i = 0; i < wishes.size(); ++i) {
      if (shares[i] >= 0 || wishes[i].demand > per_weight * wishes[i].weight) continue;
      shares[i] = wishes[i].demand;
      left -= shares[i];
      satisfied = true;
    }
    if (satisfied && std::find(shares.begin(), shares.end(), -1) != shares.end()) continue;
    for (size_t i = 0; i < wishes.size(); ++i) {
      if (shares[i] < 0) shares[i] = per_weight * wishes[i].weight;
    }
    return shares;
  }
}

}  // namespace

TEST_CASE("fair share: the shares of busy members sum to the limit, go by weight, and nobody starves") {
  for (const double rate : {0.1, 0.5, 1.5}) {
    for (const int concurrency : {0, 1, 4}) {
      if (concurrency > 0 && concurrency < rate) continue;  // the cap would be the limit
      for (const size_t count : {1UL, 3UL, 20UL, 100UL}) {
        if (static_cast<double>(count) < rate) continue;
        CAPTURE(rate);
        CAPTURE(concurrency);
        CAPTURE(count);
        Simulation simulation({.rate = rate}, concurrency, count);
        double weights = 0;
        for (size_t i = 0; i < count; ++i) weights += simulation.add(kAlways, 1 << (count > 1 ? i % 3 : 0)).weight;
        // Who is to have most of a CPU loses too much of it while it waits for its turns.
        const bool everybody_may = rate * 4 / weights < 0.5;
        // All begin at once, on as many CPUs as they like: what that costs has been repaid by then.
        simulation.run(10 * kSecond);
        for (const auto& process : simulation.processes()) process->longest_wait = 0;
        simulation.run(20 * kSecond);
        CHECK(simulation.total() / static_cast<double>(simulation.now()) == doctest::Approx(std::min(rate, 1.0 * count)).epsilon(0.02));
        if (concurrency > 0) CHECK(simulation.most_in_turn() <= concurrency);
        for (const auto& process : simulation.processes()) {
          if (everybody_may) CHECK(process->share(simulation.now()) == doctest::Approx(rate * process->weight / weights).epsilon(0.06));
          // A round takes half a second, or 5 ms for each, or what it takes to earn the shortest run window for each. Who has a third of
          // the mean weight may have every third turn.
          const double shortest = std::max(5.0 * kMillisecond, kMillisecond / rate);
          CHECK(static_cast<double>(process->longest_wait) < 3 * std::max(500.0 * kMillisecond, static_cast<double>(count) * shortest));
        }
      }
    }
  }
}

TEST_CASE("fair share: max-min fair for any mix of wishes, in whatever order they are added") {
  std::mt19937 random(20240611);  // NOLINT(cert-msc51-cpp) the same mixes each time
  for (int mix = 0; mix < 40; ++mix) {
    const size_t count = 2 + random() % 30;
    std::vector<Wish> wishes;
    for (size_t i = 0; i < count; ++i) {
      const double demand = random() % 3 == 0 ? kAlways : static_cast<double>(random() % 1000) / 1000 * 2 / static_cast<double>(count);
      wishes.push_back({demand, static_cast<double>(1 + random() % 4)});
    }
    const double limit = 0.1 + static_cast<double>(random() % 9) / 10;
    const std::vector<double> fair = max_min_fair(wishes, limit);
    for (int order = 0; order < 2; ++order) {
      std::vector<size_t> places(count);
      std::iota(places.begin(), places.end(), 0);
      if (order == 1) std::shuffle(places.begin(), places.end(), random);
      Simulation simulation({.rate = limit}, 0, count);
      for (const size_t place : places) simulation.add(wishes[place].demand, wishes[place].weight);
      simulation.run(30 * kSecond);
      for (size_t i = 0; i < count; ++i) {
        const double wanted = fair[places[i]];
        CAPTURE(mix);
        CAPTURE(order);
        CAPTURE(i);
        CAPTURE(wishes[places[i]].demand);
        CAPTURE(wishes[places[i]].weight);
        // 2 % of its share, and of 30 s one turn more or less.
        const double error = std::abs(simulation.processes()[i]->share(simulation.now()) - wanted);
        CHECK(error < 0.02 * wanted + 0.02 * limit / static_cast<double>(count));
      }
    }
  }
}

TEST_CASE("fair share: what idle members leave goes to the busy ones, at once when they fall asleep") {
  Simulation simulation({.rate = 0.5}, 0, 100);
  for (int i = 0; i < 90; ++i) simulation.add(0);
  std::vector<Process*> busy;
  for (int i = 0; i < 10; ++i) busy.push_back(&simulation.add(kAlways));
  simulation.run(20 * kSecond);
  for (const Process* process : busy) CHECK(process->share(simulation.now()) == doctest::Approx(0.05).epsilon(0.05));
  // Five of them fall asleep: the others have all of it.
  std::vector<Nanos> before;
  for (size_t i = 0; i < busy.size(); ++i) {
    if (i < 5) busy[i]->demand = busy[i]->work = 0;
    before.push_back(busy[i]->spent);
  }
  simulation.run(20 * kSecond);
  for (size_t i = 5; i < busy.size(); ++i) {
    CHECK(static_cast<double>(busy[i]->spent - before[i]) / (20.0 * kSecond) == doctest::Approx(0.1).epsilon(0.05));
  }
}

TEST_CASE("fair share: a hundred that each spend a little do not spend more than there is") {
  Simulation simulation({.rate = 0.2}, 0, 100);
  for (int i = 0; i < 100; ++i) simulation.add(0.008);
  simulation.run(20 * kSecond);
  CHECK(simulation.total() / static_cast<double>(simulation.now()) == doctest::Approx(0.2).epsilon(0.03));
  for (const auto& process : simulation.processes()) CHECK(process->share(simulation.now()) == doctest::Approx(0.002).epsilon(0.1));
}

TEST_CASE("fair share: without a cap no more have turns at once than can spend the limit") {
  for (const double rate : {0.1, 1.5}) {
    Simulation simulation({.rate = rate}, 0, 50);
    for (int i = 0; i < 50; ++i) simulation.add(kAlways);
    simulation.run(2 * kSecond);
    simulation.forget_most_in_turn();
    simulation.run(10 * kSecond);
    CAPTURE(rate);
    CHECK(simulation.most_in_turn() <= std::ceil(rate));
  }
}

TEST_CASE("fair share: those that use but a part of a CPU in their turns have them side by side, and spend the limit") {
  Simulation simulation({.rate = 0.5}, 0, 8);
  for (int i = 0; i < 8; ++i) simulation.add(0.2);
  simulation.run(20 * kSecond);
  CHECK(simulation.total() / static_cast<double>(simulation.now()) == doctest::Approx(0.5).epsilon(0.03));
}

// Looks at it are up to a second apart, so it may overspend for that long. The pool repays that first, then the sleeper its neighbour.
TEST_CASE("fair share: who was idle for long cannot make up for it at the cost of the others") {
  Simulation simulation({.rate = 0.2}, 1, 2);
  Process& steady = simulation.add(kAlways);
  Process& sleeper = simulation.add(0);
  simulation.run(60 * kSecond);
  sleeper.demand = kAlways;
  const Nanos before = steady.spent;
  simulation.run(20 * kSecond);
  CHECK(static_cast<double>(steady.spent - before) / (20.0 * kSecond) == doctest::Approx(0.1).epsilon(0.05));
  CHECK(steady.longest_wait < static_cast<Nanos>(1.1 * kFarthestLook / 0.2));
}

// Starved by each other, each of them looks as if it wanted but little. What they spend until they are found out is repaid.
TEST_CASE("fair share: a thousand that begin at once on two CPUs are found out, and spend no more than there is") {
  for (const int concurrency : {0, 1}) {
    Simulation simulation({.rate = 0.5}, concurrency, 1000, 2);
    for (int i = 0; i < 1000; ++i) simulation.add(kAlways);
    simulation.run(10 * kSecond);
    CHECK(simulation.total() / static_cast<double>(simulation.now()) == doctest::Approx(0.5).epsilon(0.03));
  }
}

// A turn is never shorter than the shortest run window on as many CPUs as a member may use, and the bucket of a small limit holds less.
TEST_CASE("fair share: a turn that is more than the bucket holds is granted all the same, and repaid") {
  for (const double pace : {5.0, 64.0, 256.0}) {
    for (const double rate : {0.001, 0.04, 0.5}) {
      for (const size_t count : {1UL, 5UL}) {
        CAPTURE(pace);
        CAPTURE(rate);
        CAPTURE(count);
        Simulation simulation({.rate = rate}, 0, count);
        for (size_t i = 0; i < count; ++i) simulation.add(kAlways).pace = pace;
        simulation.run(static_cast<Nanos>(kMillisecond * pace / rate) * static_cast<Nanos>(count) * 8 + 10 * kSecond);
        CHECK(simulation.total() / static_cast<double>(simulation.now()) == doctest::Approx(rate).epsilon(0.15));
        for (const auto& process : simulation.processes()) {
          CHECK(process->share(simulation.now()) == doctest::Approx(rate / static_cast<double>(count)).epsilon(0.3));
        }
      }
    }
  }
}

TEST_CASE("fair share: who now and then did a little while others waited cannot make up for it at their cost") {
  Simulation simulation({.rate = 0.2}, 0, 2);
  Process& modest = simulation.add(0);
  Process* steady = nullptr;
  for (int i = 0; i < 3000; ++i) {
    modest.work += 2 * kMillisecond;
    simulation.run(100 * kMillisecond);
    if (i == 10) steady = &simulation.add(kAlways);  // by now it has had a turn of its own
  }
  modest.demand = kAlways;
  const Nanos before = steady->spent;
  steady->longest_wait = 0;
  simulation.run(20 * kSecond);
  CHECK(static_cast<double>(steady->spent - before) / (20.0 * kSecond) == doctest::Approx(0.1).epsilon(0.05));
  CHECK(steady->longest_wait < 2 * kSecond);
}

TEST_CASE("fair share: a cycle that slept through a thousand of its windows comes back as one among others") {
  Bare bare(0.5, 1);
  FairShare& pool = bare.pool;
  Process cycle(0);
  Process busy(kAlways);
  pool.join(cycle, 1);
  pool.join(busy, 1);
  constexpr double kTurn = 10.0 * kMillisecond;
  bool asleep = true;
  std::vector<const Sharer*> order;
  pool.wait(busy, kTurn);
  for (int turn = 0; turn < 2100; ++turn) {
    if (turn == 2000) asleep = false;
    if (turn % 2 == 0 && !cycle.queued()) pool.wait(cycle, kTurn);
    while (pool.admit_first(kTurn, false) != 0) pool.earn(kMillisecond);
    Sharer& admitted = cycle.in_pool_turn ? cycle : busy;
    if (turn >= 2000) order.push_back(&admitted);
    if (&admitted != &cycle || !asleep) pool.charge(admitted, static_cast<Nanos>(kTurn), false, kTurn);
    pool.end_turn(admitted);
    if (&admitted == &busy || !asleep) pool.wait(admitted, kTurn);
  }
  CHECK(std::count(order.begin(), order.end(), &busy) == doctest::Approx(50).epsilon(0.1));
}

TEST_CASE("fair share: weights that change are those that count from then on, whether it waits, runs, or sleeps") {
  Simulation simulation({.rate = 0.5}, 0, 4);
  std::vector<Process*> all;
  for (const double demand : {kAlways, kAlways, kAlways, 0.0}) all.push_back(&simulation.add(demand));
  simulation.run(5 * kSecond);
  for (const int round : {1, 2, 3}) {
    for (size_t i = 0; i < all.size(); ++i) simulation.reweigh(*all[i], static_cast<double>((i + static_cast<size_t>(round)) % 3 + 1));
    simulation.run(137 * kMillisecond);
  }
  std::vector<Nanos> before;
  for (const Process* process : all) before.push_back(process->spent);
  simulation.run(20 * kSecond);
  double weights = 0;
  for (size_t i = 0; i < 3; ++i) weights += all[i]->weight;
  for (size_t i = 0; i < 3; ++i) {
    CHECK(static_cast<double>(all[i]->spent - before[i]) / (20.0 * kSecond) ==
          doctest::Approx(0.5 * all[i]->weight / weights).epsilon(0.06));
  }
}

TEST_CASE("fair share: a weight that changed is taken out as what it became") {
  Bare bare(0.5, 0);
  FairShare& pool = bare.pool;
  Process one(kAlways);
  pool.join(one, 1);
  const double turn = pool.turn_of(one, 1);
  // It runs without a turn, and is in another heap.
  std::vector<FairShare::Queue::Entry> other_entries(1);
  FairShare::Queue other(other_entries.data());
  other.push(0, &one);
  pool.reweigh(one, 1000);
  other.remove(&one);
  pool.reweigh(one, 1);
  CHECK(pool.turn_of(one, 1) == doctest::Approx(turn));
  for (const bool in_turn : {false, true}) {
    pool.reweigh(one, 1000);
    pool.wait(one, turn);
    if (in_turn) REQUIRE(pool.admit_first(kMillisecond, true) == 0);
    pool.reweigh(one, 1);
    if (in_turn) {
      pool.end_turn(one);
    } else {
      pool.leave_queue(one);
    }
    CHECK(pool.turn_of(one, 1) == doctest::Approx(turn));
  }
}

TEST_CASE("fair share: years of a CPU at the least weight do not overflow") {
  Bare bare(1, 1);
  FairShare& pool = bare.pool;
  Process old(kAlways);
  Process young(kAlways);
  constexpr double kTurn = 10.0 * kMillisecond;
  pool.join(old, 0.001);
  constexpr Nanos kDay = 24 * 3600 * kSecond;
  for (int day = 0; day < 20 * 365; ++day) {
    pool.charge(old, kDay, false, kTurn);
    pool.earn(2 * kDay);
  }
  pool.wait(old, kTurn);
  pool.join(young, 0.001);
  pool.wait(young, kTurn);
  CHECK(&pool.first() == &young);
}

TEST_CASE("fair share: one below its share goes on, though others have all that may run at once and it had a turn of its own before") {
  Bare bare(0.5, 1);
  FairShare& pool = bare.pool;
  Process modest(0);
  Process busy(kAlways);
  constexpr double kTurn = 1.0 * kMillisecond;
  pool.join(modest, 1);
  REQUIRE(pool.goes_on(modest, kTurn, 0, 0, FairShare::Work::kMuch));
  REQUIRE(modest.in_pool_turn);
  REQUIRE(pool.goes_on(modest, kTurn, 0, 20 * kMillisecond, FairShare::Work::kNone));  // it gives its slot back
  pool.join(busy, 1);
  for (int turn = 0; turn < 100; ++turn) {
    pool.earn(2 * kMillisecond);
    pool.wait(busy, kTurn);
    REQUIRE(pool.admit_first(kTurn, true) == 0);
    pool.charge(busy, static_cast<Nanos>(kTurn), false, kTurn);
    if (turn < 99) pool.end_turn(busy);
  }
  pool.charge(modest, 100 * kMicrosecond, false, kTurn);
  CHECK(pool.goes_on(modest, kTurn, 0, 0, FairShare::Work::kMuch));
  CHECK(pool.in_turn() == 1);
}
