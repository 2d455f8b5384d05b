#include "engine/herald.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "engine/bell.h"
#include "engine/realtime.h"

namespace hobble {

Herald::Herald(int priority, int bell)
    : priority_(priority),
      bell_(bell),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      watched_(static_cast<std::atomic<uint64_t>*>(calloc(kMostPids / kBits, sizeof(std::atomic<uint64_t>)))) {
  if (!stop_ || !watched_) return;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_getcpuclockid(thread_.native_handle(), &thread_clock_);
}

Herald::~Herald() { stop(); }

void Herald::stop() {
  if (!thread_.joinable()) return;
  ring(stop_.get());
  thread_.join();
}

void Herald::watch(pid_t pid) {
  if (watched_) word(pid).fetch_or(1ULL << (static_cast<size_t>(pid) % kBits), std::memory_order_relaxed);
}

void Herald::forget(pid_t pid) {
  if (watched_) word(pid).fetch_and(~(1ULL << (static_cast<size_t>(pid) % kBits)), std::memory_order_relaxed);
}

std::vector<Birth> Herald::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(births_, {});
}

void Herald::run() {
  pthread_setname_np(pthread_self(), "hobble-herald");
  const Scheduling obtained = schedule_thread(priority_ > 0 ? RealtimeMode::kAuto : RealtimeMode::kOff, priority_, -1);
  if (!obtained.fifo) favour_thread();
  auto events = ProcessEvents::subscribe(ProcessEvent::kFork);
  if (!events) return;
  hears_.store(true, std::memory_order_relaxed);
  // Between the reading that found a member and now it may have forked.
  missed_.store(true);
  ring(bell_);
  std::array<pollfd, 2> ends{
      {{.fd = (*events)->fd(), .events = POLLIN, .revents = 0}, {.fd = stop_.get(), .events = POLLIN, .revents = 0}}};
  for (;;) {
    if (poll(ends.data(), ends.size(), -1) < 0) continue;
    if (ends[1].revents != 0) return;
    hear(**events);
  }
}

void Herald::hear(ProcessEvents& events) {
  std::vector<Birth> heard;
  const bool complete = events.take([&](const ProcessEvent& event) {
    const auto parent = static_cast<size_t>(event.parent);
    if (event.pid <= 0 || event.parent <= 0 || static_cast<size_t>(event.pid) >= kMostPids || parent >= kMostPids) return;
    if ((word(event.parent).load(std::memory_order_relaxed) >> (parent % kBits) & 1U) == 0) return;
    watch(event.pid);
    heard.push_back({.parent = event.parent, .child = event.pid, .at = event.at});
  });
  if (!complete) missed_.store(true);
  if (heard.empty() && complete) return;
  {
    const std::lock_guard lock(mutex_);
    births_.insert(births_.end(), heard.begin(), heard.end());
  }
  ring(bell_);
}

}  // namespace hobble
