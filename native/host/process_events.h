// Process events: the kernel's proc connector tells of forks, execs and exits over netlink.
#pragma once

#include <string>

namespace hobble {

// Subscribes, waits up to 100 ms for the kernel's answer, and unsubscribes. "" when events can be had, otherwise why not.
std::string try_process_events();

}  // namespace hobble
