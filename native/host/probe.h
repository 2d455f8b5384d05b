// What this host grants us, found out by trying.
#pragma once

#include <sys/resource.h>

#include <string>

#include "engine/result.h"

namespace hobble {

// "" = yes, otherwise why not. The fields are those of `HostProbe` in src/native.ts.
struct HostProbe {
  std::string fifo;
  std::string short_slice;
  std::string pidfd_open;
  std::string pidfd_send_signal;
  std::string pidfd_inode;
  std::string lock_memory;
  std::string process_events;
  std::string proc_children;
  rlimit memlock{};
  rlimit open_files{};
  rlimit rtprio{};
};

// Tries each thing on a thread of its own, which then ends: nothing that was granted stays in force. Takes up to 100 ms.
Result<HostProbe> probe_host();

}  // namespace hobble
