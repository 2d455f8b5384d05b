// Process events: the kernel's proc connector tells of forks, execs and exits over netlink.
#pragma once

#include <string>

#include "engine/unique_fd.h"

namespace hobble {

// A socket that events come from: it has been subscribed, and the kernel has answered (within 100 ms). Empty when that cannot be had; `why`
// says so.
UniqueFd subscribe_to_process_events(std::string& why);

// The kernel counts listeners and pays for each event while there is one.
void unsubscribe_from_process_events(int connector);

// Subscribes, waits up to 100 ms for the kernel's answer, and unsubscribes. "" when events can be had, otherwise why not.
std::string try_process_events();

}  // namespace hobble
