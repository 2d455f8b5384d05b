// Process events: the kernel's proc connector tells of forks, execs and exits over netlink. See linux/cn_proc.h.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/clock.h"
#include "engine/result.h"
#include "engine/unique_fd.h"

namespace hobble {

// Of whole processes: what threads do is not told.
struct ProcessEvent {
  enum Kind : unsigned { kFork = 1U << 0U, kExec = 1U << 1U, kExit = 1U << 2U };
  Kind kind = kFork;
  pid_t pid = 0;     // of kFork: the child
  pid_t parent = 0;  // of kFork: whose child it was born as
  Nanos at = 0;      // CLOCK_MONOTONIC
};

// A subscription. The kernel counts subscribers, and pays for every event of the host while there is one; what is not wanted it drops
// before it wakes anybody.
class ProcessEvents {
 public:
  // `kinds`: which ones. Fails with EPERM or ERR_UNSUPPORTED; the kernel answers at once, or within 100 ms never.
  static Result<std::unique_ptr<ProcessEvents>> subscribe(unsigned kinds);
  ~ProcessEvents();
  ProcessEvents(const ProcessEvents&) = delete;
  ProcessEvents& operator=(const ProcessEvents&) = delete;

  // Readable when there are events.
  int fd() const { return socket_.get(); }
  // Visits all that have come; never blocks. False: the kernel had no room for some, which are lost.
  bool take(const std::function<void(const ProcessEvent&)>& visit);

 private:
  ProcessEvents() = default;
  UniqueFd socket_;
};

// Subscribes and unsubscribes. "" when events can be had, otherwise why not.
std::string try_process_events();

}  // namespace hobble
