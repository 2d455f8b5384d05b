// What happens to the members of an engine that dies: real owners are killed, real guardians look after what they leave.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <vector>

#include "children.h"
#include "engine/engine.h"
#include "engine/recovery.h"
#include "engine/runtime_dir.h"

using namespace hobble;  // NOLINT(google-build-using-namespace)

namespace {

// A runtime directory of the test's own.
class Directory {
 public:
  Directory() {
    char path[] = "/dev/shm/hobble-test-XXXXXX";
    REQUIRE(mkdtemp(path) != nullptr);
    path_ = path;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  size_t tables() const {
    const UniqueFd directory(open(path_.c_str(), O_RDONLY | O_DIRECTORY));
    return list_tables(directory.get()).size();
  }

 private:
  std::string path_;
};

struct OwnerReport {
  std::atomic<pid_t> guardian;
  std::atomic<bool> ready;
};

// A process with an engine that holds `targets` stopped nearly all the time.
class Owner {
 public:
  Owner(const Directory& directory, const std::vector<pid_t>& targets, GuardMode guardian)
      : report_(static_cast<OwnerReport*>(mmap(nullptr, sizeof(OwnerReport), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    OwnerReport* const report = report_;
    child_ = std::make_unique<Child>([&, report] {
      EngineOptions options;
      options.runtime_directory = directory.path();
      options.guardian = guardian;
      options.guardian_program = HOBBLE_GUARDIAN;
      Engine engine(options, [] {});
      if (engine.start()) _exit(1);
      for (const pid_t pid : targets) {
        engine.add({.kind = TargetKind::kProcess, .identity = {.pid = pid}, .cycle = {.run = 200 * kMicrosecond, .stop = kSecond}});
      }
      size_t ready = 0;
      for (;;) {
        for (const Event& event : engine.take_events()) ready += event.type == Event::Type::kReady ? 1 : 0;
        report->ready = ready == targets.size();
        report->guardian = engine.stats().guardian;
        rest(kMillisecond);
      }
    });
  }
  ~Owner() {
    child_.reset();
    munmap(report_, sizeof(OwnerReport));
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  pid_t pid() const { return child_->pid(); }
  pid_t guardian() const { return report_->guardian; }
  bool ready() const { return report_->ready; }
  void end() { child_->end(); }

 private:
  OwnerReport* report_;
  std::unique_ptr<Child> child_;
};

struct Herd {
  explicit Herd(size_t count = 8) {
    while (children.size() < count) pids.push_back(children.emplace_back(std::make_unique<Child>())->pid());
  }
  bool any_stopped() const {
    return std::any_of(pids.begin(), pids.end(), [](pid_t pid) { return state_of(pid) == 'T'; });
  }
  bool all_stopped() const {
    return std::all_of(pids.begin(), pids.end(), [](pid_t pid) { return state_of(pid) == 'T'; });
  }
  std::vector<std::unique_ptr<Child>> children;
  std::vector<pid_t> pids;
};

// It is nobody's child any more when its owner is dead.
bool gone(pid_t pid) { return kill(pid, 0) != 0 || state_of(pid) == 'Z'; }

}  // namespace

TEST_CASE("guardian: resumes what an owner that was killed held stopped, and goes") {
  const Directory directory;
  const Herd herd;
  Owner owner(directory, herd.pids, GuardMode::kRequire);
  REQUIRE(eventually([&] { return owner.ready() && herd.all_stopped(); }));
  const pid_t guardian = owner.guardian();
  CHECK(guardian > 0);
  owner.end();
  CHECK(eventually([&] { return !herd.any_stopped(); }));
  CHECK(eventually([&] { return directory.tables() == 0; }));
  CHECK(eventually([&] { return gone(guardian); }));
}

TEST_CASE("guardian: is replaced when it is killed, and then still does its work") {
  const Directory directory;
  const Herd herd;
  Owner owner(directory, herd.pids, GuardMode::kRequire);
  REQUIRE(eventually([&] { return owner.ready() && herd.all_stopped(); }));
  const pid_t first = owner.guardian();
  kill(first, SIGKILL);
  REQUIRE(eventually([&] { return owner.guardian() > 0 && owner.guardian() != first; }));
  REQUIRE(eventually([&] { return herd.all_stopped(); }));
  owner.end();
  CHECK(eventually([&] { return !herd.any_stopped(); }));
}

TEST_CASE("guardian: resumes what a suspended owner does not resume, and the owner takes it back") {
  const Directory directory;
  const Herd herd;
  Owner owner(directory, herd.pids, GuardMode::kRequire);
  REQUIRE(eventually([&] { return owner.ready() && herd.all_stopped(); }));
  kill(owner.pid(), SIGSTOP);
  CHECK(eventually([&] { return !herd.any_stopped(); }));
  kill(owner.pid(), SIGCONT);
  CHECK(eventually([&] { return herd.all_stopped(); }));
  owner.end();
  CHECK(eventually([&] { return !herd.any_stopped(); }));
}

TEST_CASE("recovery: resumes what an owner without a guardian left, and only that") {
  const Directory directory;
  const Herd left;
  const Herd held;
  Owner dead(directory, left.pids, GuardMode::kOff);
  const Owner living(directory, held.pids, GuardMode::kOff);
  REQUIRE(eventually([&] { return dead.ready() && living.ready() && left.all_stopped() && held.all_stopped(); }));
  const pid_t owner = dead.pid();
  dead.end();
  CHECK(left.all_stopped());

  const auto results_of = [&](bool dry_run) {
    std::vector<RecoveredTable> tables = recover({directory.path()}, dry_run);
    CHECK(tables.size() == 2);
    std::erase_if(tables, [&](const RecoveredTable& table) { return table.owner.pid != owner; });
    REQUIRE(tables.size() == 1);
    return tables[0];
  };
  CHECK(results_of(true).members.size() == left.pids.size());
  CHECK(left.all_stopped());
  const RecoveredTable table = results_of(false);
  CHECK(table.removed);
  for (const Recovered& member : table.members) CHECK(member.result == Recovered::Result::kResumed);
  CHECK(eventually([&] { return !left.any_stopped(); }));
  CHECK(eventually([&] { return held.all_stopped(); }));
}

TEST_CASE("recovery: the next engine resumes what a dead one left before it does anything") {
  const Directory directory;
  const Herd left;
  {
    Owner dead(directory, left.pids, GuardMode::kOff);
    REQUIRE(eventually([&] { return dead.ready() && left.all_stopped(); }));
  }
  CHECK(left.all_stopped());
  const Owner next(directory, {}, GuardMode::kOff);
  CHECK(eventually([&] { return !left.any_stopped(); }));
}

TEST_CASE("recovery: a process that has a foreign stop pending stays stopped") {
  const Directory directory;
  const Herd left(2);
  Owner dead(directory, left.pids, GuardMode::kOff);
  REQUIRE(eventually([&] { return dead.ready() && left.all_stopped(); }));
  dead.end();
  kill(left.pids[0], SIGSTOP);
  CHECK(foreign_stop(left.pids[0]) == ForeignStop::kSignal);
  CHECK(foreign_stop(left.pids[1]) == ForeignStop::kNone);
  recover({directory.path()}, false);
  CHECK(eventually([&] { return state_of(left.pids[1]) != 'T'; }));
  CHECK(state_of(left.pids[0]) == 'T');
}

TEST_CASE("engine: a process that another engine has is refused, until that one is dead") {
  const Directory directory;
  const Herd herd(1);
  Owner first(directory, herd.pids, GuardMode::kOff);
  REQUIRE(eventually([&] { return first.ready(); }));
  const auto add = [&] {
    EngineOptions options;
    options.runtime_directory = directory.path();
    options.guardian = GuardMode::kOff;
    Engine engine(options, [] {});
    REQUIRE_FALSE(engine.start());
    engine.add({.kind = TargetKind::kProcess, .identity = {.pid = herd.pids[0]}, .cycle = {.run = kMillisecond, .stop = kMillisecond}});
    std::string told = "nothing";
    eventually([&] {
      for (const Event& event : engine.take_events()) told = event.type == Event::Type::kReady ? "ready" : event.code + " " + event.message;
      return told != "nothing";
    });
    return told;
  };
  const std::string refusal = add();
  CHECK(refusal.rfind("ERR_BUSY", 0) == 0);
  CHECK(refusal.find(std::to_string(first.pid())) != std::string::npos);
  first.end();
  CHECK(add() == "ready");
}

TEST_CASE("runtime directory: what others could write to, or lead elsewhere, is refused") {
  const Directory directory;
  const auto refused = [](const std::string& path) { return !open_runtime_directory(path); };
  CHECK_FALSE(refused(directory.path()));
  CHECK_FALSE(refused(directory.path() + "/new"));
  REQUIRE(symlink(directory.path().c_str(), (directory.path() + "/link").c_str()) == 0);
  CHECK(refused(directory.path() + "/link"));
  REQUIRE(mkdir((directory.path() + "/open").c_str(), 0700) == 0);
  REQUIRE(chmod((directory.path() + "/open").c_str(), 0777) == 0);
  CHECK(refused(directory.path() + "/open"));
  CHECK(refused(directory.path() + "/no/parent"));
  CHECK(refused("relative"));
  if (geteuid() == 0) {
    REQUIRE(mkdir((directory.path() + "/other").c_str(), 0700) == 0);
    REQUIRE(chown((directory.path() + "/other").c_str(), 65534, 65534) == 0);
    CHECK(refused(directory.path() + "/other"));
  }
}
