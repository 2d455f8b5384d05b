// A command that `hobble exec` runs: forked and held, so that it is a target before it runs its first instruction, then let go to exec.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "engine/result.h"
#include "engine/unique_fd.h"

namespace hobble {

struct CommandSpec {
  std::vector<std::string> words;
  // Descriptors that it shall have although they may be marked close-on-exec here.
  std::vector<int> inherited_fds;
  // Soft limit on open files.
  rlim_t open_files = RLIM_INFINITY;
};

struct CommandChange {
  enum class Kind {
    kNotRun,   // value: errno of exec
    kStopped,  // value: signal. Never SIGSTOP: that is the engine's, thousands of times
    kExited,   // value: exit code
    kKilled,   // value: signal
  };
  Kind kind;
  int value;
  Nanos at;  // CLOCK_MONOTONIC
};

class Command {
 public:
  // Forks a child of our process group and terminal that waits for `let_go`. It ends if this process dies before. Signals must be blocked
  // by the caller: the child starts with the default action for each and none blocked.
  static Result<Command> hold(const CommandSpec& spec);

  pid_t pid() const { return pid_; }

  // It calls exec now.
  void let_go();
  // Instead of `let_go`: it ends with code 127 and has run nothing.
  void abandon() { gate_.reset(); }

  // From now on `told` is called on a thread of its own for each change; the last one is kNotRun, kExited or kKilled, and the command is
  // collected then. False if there can be no such thread.
  bool watch(std::function<void(CommandChange)> told);

 private:
  pid_t pid_ = 0;
  UniqueFd gate_;        // one byte lets the child go, end of file sends it away
  UniqueFd exec_error_;  // the child writes an errno, or exec closes its end
};

}  // namespace hobble
