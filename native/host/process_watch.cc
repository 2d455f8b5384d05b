#include "host/process_watch.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "host/process_events.h"

namespace hobble {
namespace {

// What a fork is about to become, it mostly is after this time; and a burst of forks makes one batch.
constexpr int kGatherMilliseconds = 2;
constexpr size_t kLargestBatch = 256;
// For bursts: an event takes some hundred bytes of the kernel's memory.
constexpr int kReceiveBytes = 1 << 20;
// PROC_EVENT_FORK, PROC_EVENT_EXEC: their scope in the header differs between kernel releases.
constexpr uint32_t kFork = 1;
constexpr uint32_t kExec = 2;

}  // namespace

std::unique_ptr<ProcessWatch> ProcessWatch::start(Listener listener, std::string& why) {
  UniqueFd connector = subscribe_to_process_events(why);
  if (!connector) return nullptr;
  const int size = kReceiveBytes;
  setsockopt(connector.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop) {
    why = "no file descriptor is left";
    return nullptr;
  }
  return std::unique_ptr<ProcessWatch>(new ProcessWatch(std::move(connector), std::move(stop), std::move(listener)));
}

ProcessWatch::ProcessWatch(UniqueFd connector, UniqueFd stop, Listener listener)
    : connector_(std::move(connector)), stop_(std::move(stop)), listener_(std::move(listener)) {
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
  unsubscribe_from_process_events(connector_.get());
}

void ProcessWatch::run() {
  pollfd waiting[2] = {{.fd = connector_.get(), .events = POLLIN, .revents = 0}, {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
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

bool ProcessWatch::receive(std::vector<pid_t>& pids) {
  for (;;) {
    alignas(nlmsghdr) char buffer[4096];
    const ssize_t got = recv(connector_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno != ENOBUFS;
    constexpr size_t kEventOffset = NLMSG_HDRLEN + sizeof(cn_msg);
    if (static_cast<size_t>(got) < kEventOffset + sizeof(proc_event)) continue;
    proc_event event{};
    memcpy(&event, buffer + kEventOffset, sizeof event);
    const auto what = static_cast<uint32_t>(event.what);
    if (what == kExec) pids.push_back(event.event_data.exec.process_tgid);
    // New threads come as forks too.
    if (what == kFork && event.event_data.fork.child_pid == event.event_data.fork.child_tgid)
      pids.push_back(event.event_data.fork.child_tgid);
  }
}

}  // namespace hobble
