// Passes signals on to the command that `hobble exec` runs, as if they had been sent to it.
// The terminal sends its signals to a whole process group, the command included; those are told of and not sent a second time.
#pragma once

#include <functional>
#include <string>

#include "engine/process.h"

namespace hobble {

struct RelayedSignal {
  int number;
  bool passed_on;
  Nanos at;  // when it was caught
};

// From now on none of these signals ends this process: hang-up, interrupt, quit, terminate, user-defined, alarm, window change, job
// control, real-time and the rest that a user may send to a program. They are kept until `start_relay`. There is one relay in a process,
// because there is one action for each signal. It lasts until the process ends.
bool catch_signals();

// Begins to pass on, also what was caught meanwhile. `told` is called on the relay's own thread, after a signal was passed on: it works
// while the event loop is starved. False if there can be no such thread.
bool start_relay(Process command, std::function<void(RelayedSignal)> told);

// Writes although the terminal stops background jobs that write to it (stty tostop): that would be told by SIGTTOU, which is caught here,
// and the write tried again for ever.
void write_past_terminal(int fd, const std::string& text);

// Stop as a program does that leaves the job control signal `number` alone. Returns when continued; at once where the kernel ignores the
// signal, as it does in a process group that has no parent in its session to continue it.
void stop_self(int number);

// End as a program does that `number` kills.
[[noreturn]] void die_of(int number);

}  // namespace hobble
