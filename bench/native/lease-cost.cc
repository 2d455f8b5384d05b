// lease-cost TARGETS SECONDS GUARDIAN|- : what the timer thread spends for each signal. Compiled once as it is, once with
// -DHOBBLE_WITHOUT_LEASES. Prints "SIGNALS CPU_NS GUARDIAN_CPU_TICKS LEASE_NS": the last is what it takes to write one lease.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/leases.h"

using namespace hobble;

namespace {

pid_t start_sleeper() {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  for (;;) pause();
}

// User and system time, in ticks of 10 ms.
long ticks_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string word;
  long ticks = 0;
  for (int field = 1; field <= 15 && file >> word; ++field) {
    if (field >= 14) ticks += atol(word.c_str());
  }
  return ticks;
}

void rest(Nanos time) {
  const timespec pause = to_timespec(time);
  nanosleep(&pause, nullptr);
}

// As the timer thread does it, to as many leases in turn.
double lease_ns(const std::string& folder, int leases) {
  auto table = LeaseTable::create(folder);
  if (!table) return -1;
  std::vector<Lease*> all;
  for (int i = 0; i < leases; ++i) all.push_back((*table)->allocate({.pid = getpid()}, 0));
  constexpr int kRounds = 5000;
  const Nanos began = monotonic_now();
  for (int round = 0; round < kRounds; ++round) {
    for (Lease* const lease : all) set_resume_by(*lease, began + round);
  }
  const Nanos took = monotonic_now() - began;
  for (Lease* const lease : all) {
    set_resume_by(*lease, 0);
    (*table)->release(lease);
  }
  (*table)->close();
  return static_cast<double>(took) / kRounds / leases;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  const int targets = atoi(arguments[1]);
  const std::string guardian = arguments[3];
  std::vector<pid_t> pids;
  for (int i = 0; i < targets; ++i) pids.push_back(start_sleeper());
  struct sigaction quiet {};
  quiet.sa_handler = SIG_DFL;
  quiet.sa_flags = SA_NOCLDSTOP;
  sigaction(SIGCHLD, &quiet, nullptr);
  EngineOptions options;
  options.guardian = guardian == "-" ? GuardMode::kOff : GuardMode::kRequire;
  options.guardian_program = guardian;
  options.respect_foreign_stops = false;
  char folder[] = "/dev/shm/cost-XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  options.runtime_directory = folder;
  {
    Engine engine(options, [] {});
    if (const auto error = engine.start()) {
      fprintf(stderr, "%s\n", error->message.c_str());
      return 1;
    }
    for (const pid_t pid : pids) {
      engine.add({.kind = TargetKind::kProcess, .identity = {.pid = pid}, .cycle = {.run = 10 * kMillisecond, .stop = 10 * kMillisecond}});
    }
    rest(kSecond);
    const EngineStats before = engine.stats();
    rest(atoi(arguments[2]) * kSecond);
    const EngineStats after = engine.stats();
    const long ticks = after.guardian != 0 ? ticks_of(after.guardian) : 0;
    printf("%llu %lld %ld", static_cast<unsigned long long>(after.signals - before.signals), static_cast<long long>(after.cpu - before.cpu),
           ticks);
  }
  printf(" %.2f\n", lease_ns(folder, targets));
  rmdir(folder);
  for (const pid_t pid : pids) kill(pid, SIGKILL);
  return 0;
}
