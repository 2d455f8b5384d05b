// The big red button: a signal that makes every engine of this process resume everything, however starved or stuck the event loop is.
#pragma once

#include <functional>

namespace hobble {

// From now on `signal` pauses all engines, and no longer does what it would do by default. `told` is called afterwards, on a thread of its
// own, each time. Once in a process; false when there is one already, or no descriptor or thread is left for it.
bool pause_engines_on(int signal, std::function<void()> told);

}  // namespace hobble
