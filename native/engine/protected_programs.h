// Programs that nobody wants to see stopped: the init system, its journal and login services, sshd's listener, container runtimes, message
// buses, display servers, and what the user adds. Known by their executable, not by a name that anybody can take.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "engine/clock.h"
#include "engine/procfs.h"

namespace hobble {

class ProtectedPrograms {
 public:
  // `more`: paths of further executables. `usual`: also the list of this file, as far as the executables belong to root and only root may
  // change them.
  ProtectedPrograms(std::vector<std::string> more, bool usual);

  // Path of the executable if the process is protected, else "". A few microseconds; the scout's.
  std::string match(pid_t pid, const ProcessStat& stat);

 private:
  using FileId = std::tuple<dev_t, ino_t, Nanos>;
  struct Verdict {
    std::string path;  // "" = not protected
    bool listener_only = false;
  };
  static FileId file_id(const struct stat& file);
  Verdict judge(pid_t pid, const struct stat& file) const;

  const std::vector<std::string> more_;
  const bool usual_;
  std::map<FileId, Verdict> verdicts_;
};

}  // namespace hobble
