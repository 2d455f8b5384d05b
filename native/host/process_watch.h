// Tells of processes that start or call exec, as they do: the kernel's proc connector (netlink). Needs CAP_NET_ADMIN in the first
// namespaces.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/process_events.h"
#include "engine/unique_fd.h"

namespace hobble {

// A thread of its own reads the events. They come in batches, so that a burst of forks costs its listener one call.
class ProcessWatch {
 public:
  // On the watch's thread: PIDs, each once; `lost`: the kernel has dropped some, or there were too many to be looked at one by one.
  using Listener = std::function<void(std::vector<pid_t> pids, bool lost)>;

  // Nothing where events cannot be had; `why` says so.
  static std::unique_ptr<ProcessWatch> start(Listener listener, std::string& why);

  // Waits for the thread to end.
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

 private:
  ProcessWatch(std::unique_ptr<ProcessEvents> events, UniqueFd stop, Listener listener);
  void run();
  // Takes what has come; false when some were lost.
  bool receive(std::vector<pid_t>& pids) const;

  std::unique_ptr<ProcessEvents> events_;
  UniqueFd stop_;  // eventfd
  Listener listener_;
  std::thread thread_;
};

}  // namespace hobble
