#include "host/process_watch.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace hobble {
namespace {

// What a fork is about to become, it mostly is after this time; and a burst of forks makes one batch.
constexpr int kGatherMilliseconds = 2;
constexpr size_t kLargestBatch = 256;

}  // namespace

std::unique_ptr<ProcessWatch> ProcessWatch::start(Listener listener, std::string& why) {
  auto events = ProcessEvents::subscribe(ProcessEvent::kFork | ProcessEvent::kExec);
  if (!events) {
    why = events.error().message;
    return nullptr;
  }
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop) {
    why = "no file descriptor is left";
    return nullptr;
  }
  return std::unique_ptr<ProcessWatch>(new ProcessWatch(std::move(*events), std::move(stop), std::move(listener)));
}

ProcessWatch::ProcessWatch(std::unique_ptr<ProcessEvents> events, UniqueFd stop, Listener listener)
    : events_(std::move(events)), stop_(std::move(stop)), listener_(std::move(listener)) {
  // The signals of the process are for its other threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ProcessWatch::~ProcessWatch() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void ProcessWatch::run() {
  pollfd waiting[2] = {{.fd = events_->fd(), .events = POLLIN, .revents = 0}, {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
  std::vector<pid_t> pids;
  for (;;) {
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) return;
    if (waiting[1].revents != 0) return;
    bool complete = receive(pids);
    if (pids.empty() && complete) continue;
    poll(&waiting[1], 1, kGatherMilliseconds);
    if (waiting[1].revents != 0) return;
    complete = receive(pids) && complete;
    std::sort(pids.begin(), pids.end());
    pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
    if (pids.size() > kLargestBatch) {
      complete = false;
      pids.resize(kLargestBatch);
    }
    listener_(std::exchange(pids, {}), !complete);
  }
}

bool ProcessWatch::receive(std::vector<pid_t>& pids) const {
  return events_->take([&pids](const ProcessEvent& event) { pids.push_back(event.pid); });
}

}  // namespace hobble
