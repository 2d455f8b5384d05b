// Passes over /proc: who is running, and what has changed since the last pass.
//
// What cannot have changed is not read again. A process that has spent no CPU time since (its CPU clock: 0.8 us) cannot have forked, called
// exec, or changed its name or its user; that it is the same process, the inode number of its folder tells, which comes with the listing of
// /proc for nothing. So an idle process costs 1.6 us a pass, where reading /proc/PID/stat costs 6 us, and ps 40 us and more. What others
// can change in an idle process (its parent, its nice value, its cgroup) is read again now and then.
//
// Not thread-safe: one pass at a time, on any thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/clock.h"
#include "engine/unique_fd.h"
#include "host/account_names.h"

namespace hobble {

// What is read beyond /proc/PID/stat, only where it is asked for.
enum class ProcessText : uint8_t { kName, kUser, kGroups, kExecutable, kCommandLine, kCgroup };
constexpr size_t kProcessTexts = 6;

constexpr uint32_t bit_of(ProcessText text) { return 1U << static_cast<uint32_t>(text); }

struct ProcessRow {
  pid_t pid = 0;
  uint64_t start_ticks = 0;
  uint64_t inode = 0;  // of a pidfd; 0 = the kernel has no pidfs
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  int64_t uid = -1;  // real; -1 = not asked for or not readable
  char state = '?';
  int64_t threads = 0;
  int64_t nice = 0;
  int64_t resident_bytes = 0;
  int64_t cpu_ns = 0;
  int64_t waited_ns = 0;  // CPU time of children that it has waited for, and of those that they had waited for; steps of 10 ms
  Nanos read_at = 0;      // CLOCK_BOOTTIME, as start times are
  uint32_t texts = 0;     // which of its texts follow, as bits; each one that has changed
  bool first = false;     // it was not in the last pass
};

struct ScanResult {
  std::vector<ProcessRow> rows;  // new ones, and those of which anything has changed
  std::vector<pid_t> gone;       // also when the PID belongs to another process now
  std::string text;              // the texts of all rows, one after the other
  std::vector<uint32_t> lengths;
  uint32_t processes = 0;       // kernel threads are not counted
  uint32_t kernel_threads = 0;  // never targets, and never reported
  uint32_t hidden = 0;          // listed in /proc, but not to be read
  uint32_t unreadable = 0;      // texts that were asked for and may not be read
  uint32_t read = 0;            // processes of which /proc/PID/stat was read in this pass
  bool complete = false;        // /proc could be listed
  Nanos taken_at = 0;           // CLOCK_BOOTTIME
  Nanos cpu_ns = 0;             // what the pass cost
};

class ProcessScan {
 public:
  // `texts` as bits of ProcessText.
  explicit ProcessScan(uint32_t texts) : wanted_(texts | bit_of(ProcessText::kName)) {}

  // A pass over all processes.
  ScanResult scan();

  // Only these, such as have just started or called exec: always read anew. Nothing else is reported gone.
  ScanResult look(const std::vector<pid_t>& pids);

 private:
  struct Known {
    uint64_t folder_inode = 0;
    uint64_t start_stack = 0;  // changes with exec; 0 where we may not see it
    ProcessRow row;
    std::array<uint64_t, kProcessTexts> hashes{};
    uint32_t pass = 0;
    bool kernel_thread = false;
    Nanos stat_at = 0;
    Nanos texts_at = 0;
  };

  void visit(pid_t pid, uint64_t folder_inode, ScanResult& result);
  void read_anew(pid_t pid, uint64_t folder_inode, ScanResult& result);
  bool wants_user() const { return (wanted_ & bit_of(ProcessText::kUser)) != 0; }
  static bool same_process(const ProcessRow& before, const ProcessRow& now);
  // False when it is not there any more.
  bool read_again(Known& known, ScanResult& result);
  bool read_stat_into(Known& known);
  void reread_orphans(ScanResult& result);
  // Appends to `result` what has changed of these texts; returns which have.
  uint32_t read_texts(Known& known, uint32_t which, const UniqueFd& pidfd, ScanResult& result);
  bool read_text(Known& known, ProcessText which, const UniqueFd& pidfd, std::string& text);
  bool read_accounts(Known& known, ProcessText which, const UniqueFd& pidfd, std::string& text);

  const uint32_t wanted_;
  uint32_t pass_ = 0;
  std::unordered_map<pid_t, Known> known_;
  AccountNames names_;
  std::string name_;  // of the process whose stat was read last
};

}  // namespace hobble
