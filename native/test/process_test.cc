#include "engine/process.h"

#include <doctest/doctest.h>
#include <sys/syscall.h>

#include <thread>

#include "children.h"

using namespace hobble;  // NOLINT(google-build-using-namespace)

TEST_CASE("process: stopped, continued, gone; through a pidfd and through kill()") {
  for (const SignalMethod method : {SignalMethod::kPidfd, SignalMethod::kKill}) {
    Child child;
    ProcessStat seen;
    auto opened = Process::open({.pid = child.pid()}, method, &seen);
    REQUIRE(opened);
    const Process& process = *opened;
    CHECK(seen.parent == getpid());
    CHECK_FALSE(process.gone());
    CHECK(process.send(SIGSTOP) == 0);
    CHECK(eventually([&] { return state_of(child.pid()) == 'T'; }));
    CHECK(process.send(SIGCONT) == 0);
    CHECK(eventually([&] { return state_of(child.pid()) != 'T'; }));
    child.end();
    CHECK(process.gone());
    CHECK(process.send(SIGSTOP) == ESRCH);
  }
}

TEST_CASE("process: another identity is refused") {
  const Child child;
  auto found = Process::open({.pid = child.pid()}, SignalMethod::kPidfd);
  REQUIRE(found);
  const Identity own = found->identity();
  CHECK(Process::open(own, SignalMethod::kPidfd));
  Identity older = own;
  older.start_ticks -= 1;
  CHECK(Process::open(older, SignalMethod::kPidfd).error().code == Code::kIdentity);
  CHECK(Process::open(older, SignalMethod::kKill).error().code == Code::kIdentity);
  if (own.inode != 0) {
    Identity other = own;
    other.inode += 1;
    CHECK(Process::open(other, SignalMethod::kPidfd).error().code == Code::kIdentity);
  }
}

TEST_CASE("process: nobody, a zombie and a thread are told apart") {
  CHECK(Process::open({.pid = 4'194'303}, SignalMethod::kPidfd).error().code == Code::kNoSuchProcess);
  CHECK(Process::open({.pid = 4'194'303}, SignalMethod::kKill).error().code == Code::kNoSuchProcess);

  const Child zombie([] { _exit(0); });
  REQUIRE(eventually([&] { return state_of(zombie.pid()) == 'Z'; }));
  // The leader can be a zombie before its last thread has gone.
  for (const SignalMethod method : {SignalMethod::kPidfd, SignalMethod::kKill}) {
    CHECK(eventually([&] { return Process::open({.pid = zombie.pid()}, method).error().code == Code::kNoSuchProcess; }));
  }

  pid_t tid = 0;
  Code code = Code::kBusy;
  std::thread([&] {
    tid = gettid();
    code = Process::open({.pid = tid}, SignalMethod::kPidfd).error().code;
  }).join();
  CHECK(code == Code::kInvalid);
}

TEST_CASE("process: a leader that exited while its thread lives is not gone") {
  const Child child([] {
    std::thread([] {
      for (;;) pause();
    }).detach();
    syscall(SYS_exit, 0);  // this thread alone, without unwinding
  });
  REQUIRE(eventually([&] { return state_of(child.pid()) == 'Z'; }));
  for (const SignalMethod method : {SignalMethod::kPidfd, SignalMethod::kKill}) {
    auto process = Process::open({.pid = child.pid()}, method);
    REQUIRE(process);
    CHECK_FALSE(process->gone());
    CHECK(process->send(SIGSTOP) == 0);
    CHECK(process->send(SIGCONT) == 0);
  }
}

TEST_CASE("process: its CPU clock moves while it works") {
  const Child child([] {
    for (;;) getppid();
  });
  const Nanos before = cpu_time(child.pid());
  CHECK(before >= 0);
  CHECK(eventually([&] { return cpu_time(child.pid()) > before + 5 * kMillisecond; }));
  CHECK(cpu_time(4'194'303) == -1);
}
