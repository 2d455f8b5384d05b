#include "engine/engine.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <atomic>
#include <map>
#include <thread>
#include <utility>

#include "children.h"

using namespace hobble;  // NOLINT(google-build-using-namespace)

namespace {

EngineOptions with_guardian(EngineOptions options) {
  options.guardian = GuardMode::kRequire;
  options.guardian_program = HOBBLE_GUARDIAN;
  return options;
}

// An engine and what it told.
class Bench {
 public:
  explicit Bench(EngineOptions options = {}) : engine(with_guardian(options), [] {}) {
    const auto error = engine.start();
    REQUIRE_FALSE(error);
  }

  uint64_t add(pid_t pid, TargetKind kind = TargetKind::kProcess, Cycle cycle = {.run = 5 * kMillisecond, .stop = 20 * kMillisecond}) {
    return engine.add({.kind = kind, .identity = {.pid = pid}, .cycle = cycle});
  }

  // Waits for an event about a target, and gives its code ("" if it has none); "nothing" if it does not come.
  std::string wait(uint64_t target, Event::Type type) {
    std::string code = "nothing";
    eventually([&] {
      for (Event& event : engine.take_events()) events.push_back(std::move(event));
      for (const Event& event : events) {
        if (event.target != target || event.type != type) continue;
        code = event.code;
        return true;
      }
      return false;
    });
    return code;
  }

  Engine engine;
  std::vector<Event> events;
};

// How often a process is seen in each state while we look.
std::map<char, int> watch(pid_t pid, int looks = 300) {
  std::map<char, int> seen;
  for (int i = 0; i < looks; ++i) {
    ++seen[state_of(pid)];
    rest(kMillisecond);
  }
  return seen;
}

}  // namespace

TEST_CASE("engine: hobbles a process, and resumes it when released") {
  const Child child;
  Bench bench;
  const uint64_t id = bench.add(child.pid());
  REQUIRE(id != 0);
  CHECK(bench.wait(id, Event::Type::kReady).empty());
  auto seen = watch(child.pid());
  CHECK(seen['T'] > 30);
  CHECK(seen['S'] > 3);
  CHECK(bench.engine.find(id)->cycles.get() > 0);
  bench.engine.release(id);
  CHECK(bench.wait(id, Event::Type::kReleased) == "released");
  CHECK(watch(child.pid(), 100)['T'] == 0);
  CHECK(bench.engine.find(id) == nullptr);
}

TEST_CASE("engine: without pidfds it does the same") {
  Child child;
  Bench bench({.force_kill = true});
  const uint64_t id = bench.add(child.pid());
  CHECK(bench.wait(id, Event::Type::kReady).empty());
  CHECK(watch(child.pid())['T'] > 30);
  child.end();
  CHECK(bench.wait(id, Event::Type::kExit).empty());
}

TEST_CASE("engine: an ordinary thread keeps to its cap and to the cycle") {
  const Child child;
  Bench bench({.realtime = RealtimeMode::kOff});
  CHECK_FALSE(bench.engine.stats().scheduling.fifo);
  CHECK(bench.engine.stats().concurrency >= 1);
  const uint64_t id = bench.add(child.pid());
  CHECK(bench.wait(id, Event::Type::kReady).empty());
  CHECK(watch(child.pid())['T'] > 30);
}

TEST_CASE("engine: with a cap of one, never do two run at once") {
  const Child a;
  const Child b;
  const Child c;
  Bench bench({.concurrency = 1});
  const Cycle half{.run = 10 * kMillisecond, .stop = 10 * kMillisecond};
  for (const pid_t pid : {a.pid(), b.pid(), c.pid()}) {
    CHECK(bench.wait(bench.add(pid, TargetKind::kProcess, half), Event::Type::kReady).empty());
  }
  CHECK(bench.wait(0, Event::Type::kOverload) == "concurrency");
  CHECK(bench.engine.stats().deferred_windows > 0);
  CHECK(bench.engine.stats().skipped_windows > 0);
}

TEST_CASE("engine: an exit is told, and nobody is left in the way") {
  Child child;
  Bench bench;
  const uint64_t id = bench.add(child.pid(), TargetKind::kProcess, {.run = kSecond, .stop = 3600 * kSecond});
  CHECK(bench.wait(id, Event::Type::kReady).empty());
  child.end();
  CHECK(bench.wait(id, Event::Type::kExit).empty());
  CHECK(bench.engine.stats().targets == 0);
}

TEST_CASE("engine: who may not be stopped is refused") {
  Bench bench;
  CHECK(bench.wait(bench.add(1), Event::Type::kError) == "ERR_PROTECTED");
  CHECK(bench.wait(bench.add(getpid()), Event::Type::kError) == "ERR_PROTECTED");
  CHECK(bench.wait(bench.add(getppid()), Event::Type::kError) == "ERR_PROTECTED");
  CHECK(bench.wait(bench.add(getpgrp(), TargetKind::kGroup), Event::Type::kError) == "ERR_PROTECTED");
  CHECK(bench.wait(bench.add(4'194'303), Event::Type::kError) == "ESRCH");
}

TEST_CASE("engine: one target for each process") {
  const Child child;
  Bench bench;
  const uint64_t first = bench.add(child.pid());
  const uint64_t second = bench.add(child.pid());
  CHECK(bench.wait(second, Event::Type::kError) == "ERR_BUSY");
  CHECK(bench.wait(first, Event::Type::kReady).empty());
  bench.engine.release(first);
  CHECK(bench.wait(first, Event::Type::kReleased) == "released");
  CHECK(bench.wait(bench.add(child.pid()), Event::Type::kReady).empty());
}

TEST_CASE("engine: a tree is followed while it grows") {
  // Every 10 ms a child that lives on.
  const Child root([] {
    for (int i = 0; i < 5; ++i) {
      const pid_t parent = getpid();
      if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(0);
        for (;;) pause();
      }
      rest(10 * kMillisecond);
    }
    for (;;) pause();
  });
  Bench bench;
  const uint64_t id = bench.add(root.pid(), TargetKind::kTree);
  CHECK(bench.wait(id, Event::Type::kReady).empty());
  CHECK(eventually([&] { return bench.engine.members_of(id).size() == 6; }));
  const auto members = bench.engine.members_of(id);
  CHECK(members.front() == root.pid());
  for (const pid_t pid : members) CHECK(eventually([&] { return state_of(pid) == 'T'; }));
  bench.engine.release(id);
  CHECK(bench.wait(id, Event::Type::kReleased) == "released");
  for (const pid_t pid : members) CHECK(state_of(pid) != 'T');
}

// A shell that waits with WUNTRACED must not take a stop of ours for one of its jobs'.
TEST_CASE("engine: a parent that waits does not see its children stop") {
  struct Shared {
    std::atomic<int> seen;
    std::atomic<pid_t> child;
  };
  auto* const shared = static_cast<Shared*>(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  REQUIRE(shared != MAP_FAILED);
  {
    const Child root([shared] {
      const pid_t parent = getpid();
      const pid_t child = fork();
      if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(0);
        for (;;) rest(kMillisecond);
      }
      shared->child = child;
      for (;;) {
        int status = 0;
        if (waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status)) ++shared->seen;
      }
    });
    REQUIRE(eventually([&] { return shared->child != 0; }));
    Bench bench;
    const uint64_t id = bench.add(root.pid(), TargetKind::kTree, {.run = 5 * kMillisecond, .stop = 5 * kMillisecond});
    CHECK(bench.wait(id, Event::Type::kReady).empty());
    REQUIRE(eventually([&] { return bench.engine.members_of(id).size() == 2; }));
    CHECK(eventually([&] { return bench.engine.find(id)->cycles.get() > 200; }));
    bench.engine.release(id);
    CHECK(bench.wait(id, Event::Type::kReleased) == "released");
    // Without the wait between the levels: about one cycle in four. A parent that gets no CPU for 5 ms is not waited for.
    CHECK(shared->seen <= 2);
    CHECK(state_of(shared->child) != 'T');
  }
  munmap(shared, sizeof(Shared));
}

TEST_CASE("engine: a process group ends when its last member has gone") {
  Child leader([] {
    setpgid(0, 0);
    for (;;) pause();
  });
  REQUIRE(eventually([&] { return getpgid(leader.pid()) == leader.pid(); }));
  Child other([&] {
    setpgid(0, leader.pid());
    for (;;) pause();
  });
  REQUIRE(eventually([&] { return getpgid(other.pid()) == leader.pid(); }));
  Bench bench;
  const uint64_t id = bench.add(leader.pid(), TargetKind::kGroup);
  CHECK(bench.wait(id, Event::Type::kReady).empty());
  CHECK(bench.engine.members_of(id).size() == 2);
  leader.end();
  CHECK(eventually([&] { return bench.engine.members_of(id).size() == 1; }));
  CHECK(watch(other.pid(), 100)['T'] > 10);
  other.end();
  CHECK(bench.wait(id, Event::Type::kExit).empty());
}

TEST_CASE("engine: paused, everything runs; resumed, the cycles go on") {
  const Child child;
  Bench bench;
  const uint64_t id = bench.add(child.pid(), TargetKind::kProcess, {.run = kMillisecond, .stop = 100 * kMillisecond});
  CHECK(bench.wait(id, Event::Type::kReady).empty());
  for (int i = 0; i < 5; ++i) {
    bench.engine.pause();
    CHECK(state_of(child.pid()) != 'T');
    CHECK(watch(child.pid(), 20)['T'] == 0);
    bench.engine.resume();
    CHECK(eventually([&] { return state_of(child.pid()) == 'T'; }));
  }
}

TEST_CASE("engine: an update takes effect") {
  const Child child;
  Bench bench;
  const uint64_t id = bench.add(child.pid(), TargetKind::kProcess, {.run = kMillisecond, .stop = 3600 * kSecond});
  CHECK(bench.wait(id, Event::Type::kReady).empty());
  CHECK(eventually([&] { return state_of(child.pid()) == 'T'; }));
  bench.engine.update(id, {.cycle = {.run = 20 * kMillisecond, .stop = 5 * kMillisecond}});
  CHECK(eventually([&] { return bench.engine.find(id)->cycles.get() >= 3; }));
  CHECK(watch(child.pid())['S'] > 100);
}

TEST_CASE("engine: after its time it lets everything go by itself") {
  const Child child;
  Bench bench({.finish_after = 200 * kMillisecond});
  const uint64_t id = bench.add(child.pid());
  CHECK(bench.wait(id, Event::Type::kReleased) == "finished");
  CHECK(bench.wait(0, Event::Type::kFinished).empty());
  CHECK(state_of(child.pid()) != 'T');
}

TEST_CASE("engine: closing resumes everything, whatever is under way") {
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 40; ++i) children.push_back(std::make_unique<Child>());
  for (int round = 0; round < 20; ++round) {
    Bench bench;
    for (const auto& child : children) bench.add(child->pid(), TargetKind::kProcess, {.run = kMillisecond, .stop = 10 * kMillisecond});
    rest(round * kMillisecond);
    if (round % 2 == 0) {
      bench.engine.close();
      CHECK(bench.wait(0, Event::Type::kClosed).empty());
    }
    bench.engine.close_now();
    for (const auto& child : children) REQUIRE(state_of(child->pid()) != 'T');
  }
}

TEST_CASE("engine: targets that come, go and die in any order leave nothing behind") {
  Bench bench;
  for (int round = 0; round < 30; ++round) {
    std::vector<std::unique_ptr<Child>> children;
    std::vector<uint64_t> ids;
    for (int i = 0; i < 10; ++i) {
      children.push_back(std::make_unique<Child>());
      ids.push_back(bench.add(children.back()->pid(), i % 2 == 0 ? TargetKind::kProcess : TargetKind::kTree,
                              {.run = 200 * kMicrosecond, .stop = 300 * kMicrosecond}));
    }
    for (size_t i = 0; i < children.size(); ++i) {
      if (i % 3 == 0) children[i]->end();
      if (i % 3 == 1) bench.engine.release(ids[i]);
      if (i % 4 == 0) bench.engine.update(ids[i], {.cycle = {.run = kMillisecond, .stop = kMillisecond}});
    }
  }
  CHECK(eventually([&] { return bench.engine.stats().members == 0 && bench.engine.stats().targets == 0; }));
}

// ThreadSanitizer does not support threads in the child of a process that has threads: there they are at times never started.
#ifndef __SANITIZE_THREAD__
TEST_CASE("engine: a process of many threads goes to a lane of its own") {
  const Child child([] {
    for (int i = 0; i < 100; ++i) {
      std::thread([] {
        for (;;) pause();
      }).detach();
    }
    for (;;) pause();
  });
  REQUIRE(eventually([&] {
    const auto stat = read_stat(child.pid());
    return stat && stat->threads == 101;
  }));
  const Child ordinary;
  Bench bench;
  const uint64_t id = bench.add(child.pid());
  const uint64_t other = bench.add(ordinary.pid());
  CHECK(bench.wait(id, Event::Type::kReady).empty());
  CHECK(bench.wait(other, Event::Type::kReady).empty());
  CHECK(watch(child.pid())['T'] > 30);
  bench.engine.release(id);
  CHECK(bench.wait(id, Event::Type::kReleased) == "released");
  CHECK(state_of(child.pid()) != 'T');
}
#endif

TEST_CASE("engine: more than it may use of the CPU lengthens periods, then refuses") {
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 60; ++i) children.push_back(std::make_unique<Child>());
  Bench bench({.most_share = 0.02});
  const Cycle quick{.run = kMillisecond, .stop = kMillisecond};
  uint64_t last = 0;
  for (const auto& child : children) last = bench.add(child->pid(), TargetKind::kProcess, quick);
  CHECK(bench.wait(0, Event::Type::kOverload) == "cpu");
  CHECK(bench.wait(last, Event::Type::kError) == "ERR_OVERLOAD");
  CHECK(bench.engine.stats().stretch == 4);
  CHECK(bench.engine.stats().targets > 0);
}

TEST_CASE("engine: a limit stops who is busy, leaves alone who is not, and follows an update to a pool") {
  const Child busy([] {
    for (;;) {
    }
  });
  const Child idle;
  // Under a sanitizer a child is busy with itself for a while.
  Nanos before = -1;
  REQUIRE(eventually([&] {
    const Nanos cpu = cpu_time(idle.pid());
    rest(50 * kMillisecond);
    return std::exchange(before, cpu) == cpu;
  }));
  Bench bench;
  const Allowance small{.limit = {.rate = 0.05}};
  const uint64_t first = bench.engine.add({.identity = {.pid = busy.pid()}, .allowance = small});
  const uint64_t second = bench.engine.add({.identity = {.pid = idle.pid()}, .allowance = small});
  CHECK(bench.wait(first, Event::Type::kReady).empty());
  CHECK(bench.wait(second, Event::Type::kReady).empty());
  CHECK(watch(busy.pid(), 500)['T'] > 100);
  CHECK(bench.engine.find(second)->signals.get() == 0);

  const uint64_t pool = bench.engine.add_pool({.limit = {.rate = 0.03}, .concurrency = 1});
  REQUIRE(pool != 0);
  for (const auto& [id, pid] : {std::pair(first, busy.pid()), std::pair(second, idle.pid())}) {
    bench.engine.update(id, {.identity = {.pid = pid}, .allowance = {.pool = bench.engine.find_pool(pool)}});
  }
  CHECK(eventually([&] { return bench.engine.find_pool(pool)->targets.get() == 2; }));
  CHECK(eventually([&] { return bench.engine.find_pool(pool)->turns.get() > 3; }));
  // Who seems busy in the moment when it joins waits for a turn, once.
  CHECK(bench.engine.find(second)->signals.get() <= 2);
  bench.engine.end_pool(pool);
  for (const uint64_t id : {first, second}) {
    bench.engine.release(id);
    CHECK(bench.wait(id, Event::Type::kReleased) == "released");
  }
  CHECK(eventually([&] { return bench.engine.find_pool(pool) == nullptr; }));
  CHECK(watch(busy.pid(), 100)['T'] == 0);
}
