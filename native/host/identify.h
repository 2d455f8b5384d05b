// Who a process is, read without a race. Needs no permission to signal it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "engine/procfs.h"

namespace hobble {

struct SeenProcess {
  ProcessStat stat;
  uint64_t inode = 0;  // of its pidfd; 0 = the kernel has no pidfs
};

// Nothing when there is no such process, when `pid` is a thread that leads none, or when /proc hides it. errno is EMFILE or ENFILE when no
// descriptor was left to look.
std::optional<SeenProcess> identify(pid_t pid);

}  // namespace hobble
