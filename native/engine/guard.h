// The engine's side of its guardian: starts it, notices when it dies, starts another.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "engine/leases.h"
#include "engine/result.h"
#include "engine/unique_fd.h"

namespace hobble {

enum class GuardMode : uint8_t { kAuto, kRequire, kOff };

struct GuardOptions {
  GuardMode mode = GuardMode::kAuto;
  std::string program;  // the guardian's path
  int priority = 0;     // SCHED_FIFO to ask for, 0 = none
};

// A guardian that dies is replaced at once; if that fails, again and again after this time.
constexpr Nanos kGuardianRetry = 1 * kSecond;

class Guard {
 public:
  Guard(const GuardOptions& options, LeaseTable& table) : options_(options), table_(table) {}
  // The table must be closed by now, or the guardian takes it for the owner's death. Waits for its end.
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  // Starts a guardian and waits until it watches (some milliseconds; at most two seconds).
  std::optional<Error> start();
  // Readable when it has died; -1 while there is none (or the kernel has no pidfds: then it is not watched).
  int exit_fd() const { return handle_.get(); }
  pid_t pid() const { return pid_; }
  // After its death: collects it.
  void reap();

 private:
  std::optional<Error> spawn(int ready);
  void kill();
  void wait_for_end() const;

  const GuardOptions options_;
  LeaseTable& table_;
  UniqueFd pipe_;
  UniqueFd handle_;
  pid_t pid_ = 0;
  Identity identity_;
};

// A guardian of one of this process's engines? Any thread.
bool is_own_guardian(pid_t pid);

}  // namespace hobble
