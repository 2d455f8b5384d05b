#include "host/process_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>

#include "engine/process.h"
#include "engine/unique_fd.h"

namespace hobble {
namespace {

constexpr uint32_t kKernelThreadFlag = 0x00200000;  // PF_KTHREAD, include/linux/sched.h

// An idle process is read again at least this often, for what others can change in it.
constexpr Nanos kIdleKept = 30 * kSecond;
// Texts of one that works: it may have changed its command line or its user without exec.
constexpr Nanos kTextsKept = 10 * kSecond;
// A process this young may be a fork that has yet to become who it will be.
constexpr Nanos kYoung = 2 * kSecond;
constexpr size_t kLargestText = 4096;

clockid_t cpu_clock_of(pid_t pid) { return static_cast<clockid_t>((~static_cast<unsigned>(pid) << 3U) | 2U); }

// -1 for what has no clock any more.
int64_t cpu_ns_of(pid_t pid) {
  timespec spent{};
  return clock_gettime(cpu_clock_of(pid), &spent) == 0 ? to_nanos(spent) : -1;
}

// The clock that start times in /proc are given in.
Nanos since_boot() { return read_clock(CLOCK_BOOTTIME); }

class ProcPath {
 public:
  ProcPath(pid_t pid, const char* file) { snprintf(path_, sizeof path_, "/proc/%d/%s", pid, file); }
  const char* get() const { return path_; }

 private:
  char path_[48];
};

// Up to `limit` bytes of a file in /proc; nothing when it may not be read, with the reason in errno.
std::optional<std::string_view> read_file(pid_t pid, const char* file, char* buffer, size_t limit) {
  const UniqueFd opened(open(ProcPath(pid, file).get(), O_RDONLY | O_CLOEXEC));
  if (!opened) return std::nullopt;
  size_t length = 0;
  while (length < limit) {
    const ssize_t got = read(opened.get(), buffer + length, limit - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    length += static_cast<size_t>(got);
    // stat and status come in one piece; asking again only costs.
    if (length < 1024) break;
  }
  return std::string_view(buffer, length);
}

// The words of a line, without copies.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}
  std::string_view next() {
    const size_t start = std::min(rest_.find_first_not_of(" \t\n"), rest_.size());
    rest_.remove_prefix(start);
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t\n"));
    rest_.remove_prefix(word.size());
    return word;
  }
  template <class Number>
  Number number() {
    Number value{};
    const std::string_view word = next();
    std::from_chars(word.data(), word.data() + word.size(), value);
    return value;
  }
  void skip(int words) {
    while (words-- > 0) next();
  }

 private:
  std::string_view rest_;
};

std::string_view line_of(std::string_view status, std::string_view label) {
  const size_t at = status.find(label);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = status.substr(at + label.size());
  return rest.substr(0, rest.find('\n'));
}

const int64_t tick_ns = kSecond / std::max(sysconf(_SC_CLK_TCK), 1L);
const int64_t page_bytes = sysconf(_SC_PAGESIZE);

// include/uapi/linux/pidfd.h, Linux 6.13; newer than the headers that this is compiled with. Credentials are always told.
struct PidfdInfo {
  uint64_t mask, cgroup;
  uint32_t pid, thread_group, parent;
  uint32_t real_uid, real_gid, effective_uid, effective_gid, saved_uid, saved_gid, fs_uid, fs_gid;
  int32_t exit_code;
};
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);
constexpr uint64_t kPidfdInfoCreds = 2;

// Real user, in one call of 1 us; reading it in /proc/PID/status takes 12.
std::optional<uid_t> uid_of(int pidfd) {
  PidfdInfo info{};
  info.mask = kPidfdInfoCreds;
  if (ioctl(pidfd, kPidfdGetInfo, &info) != 0 || (info.mask & kPidfdInfoCreds) == 0) return std::nullopt;
  return info.real_uid;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

// The group or users of /proc/PID/cgroup: of the unified hierarchy, else of the CPU controller, else of the first one listed.
std::string_view cgroup_path(std::string_view file) {
  std::string_view best;
  int best_rank = 0;
  while (!file.empty()) {
    const std::string_view line = file.substr(0, file.find('\n'));
    file.remove_prefix(std::min(file.size(), line.size() + 1));
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    // On a host of version 1 the unified hierarchy may be mounted and unused: everything is in its root then.
    const int rank =
        controllers.empty() ? (path == "/" ? 1 : 4) : (("," + std::string(controllers) + ",").find(",cpu,") != std::string::npos ? 3 : 2);
    if (rank > best_rank) {
      best_rank = rank;
      best = path;
    }
  }
  return best;
}

bool is_gone(int error) { return error == ENOENT || error == ESRCH; }

bool differs(const ProcessRow& a, const ProcessRow& b) {
  return a.parent != b.parent || a.group != b.group || a.session != b.session || a.uid != b.uid || a.state != b.state ||
         a.threads != b.threads || a.nice != b.nice || a.resident_bytes != b.resident_bytes || a.waited_ns != b.waited_ns;
}

}  // namespace

ScanResult ProcessScan::scan() {
  const Nanos started = read_clock(CLOCK_THREAD_CPUTIME_ID);
  ScanResult result;
  result.taken_at = since_boot();
  const std::unique_ptr<DIR, CloseDirectory> directory(opendir("/proc"));
  if (!directory) return result;
  result.complete = true;
  ++pass_;
  while (const dirent* entry = readdir(directory.get())) {  // NOLINT(concurrency-mt-unsafe): the stream is this thread's own
    pid_t pid = 0;
    const std::string_view name(entry->d_name);
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size()) visit(pid, entry->d_ino, result);
  }
  reread_orphans(result);
  for (auto entry = known_.begin(); entry != known_.end();) {
    if (entry->second.pass == pass_) {
      ++entry;
      continue;
    }
    if (!entry->second.kernel_thread) result.gone.push_back(entry->first);
    entry = known_.erase(entry);
  }
  result.cpu_ns = read_clock(CLOCK_THREAD_CPUTIME_ID) - started;
  return result;
}

ScanResult ProcessScan::look(const std::vector<pid_t>& pids) {
  const Nanos started = read_clock(CLOCK_THREAD_CPUTIME_ID);
  ScanResult result;
  result.taken_at = since_boot();
  for (const pid_t pid : pids) {
    struct stat folder {};
    if (stat(ProcPath(pid, "").get(), &folder) != 0) continue;
    const auto found = known_.find(pid);
    if (found != known_.end() && found->second.folder_inode == folder.st_ino) {
      if (found->second.kernel_thread) continue;
      found->second.texts_at = 0;
      if (read_again(found->second, result)) continue;
      result.gone.push_back(pid);
      known_.erase(found);
    } else {
      read_anew(pid, folder.st_ino, result);
    }
  }
  result.complete = true;
  result.cpu_ns = read_clock(CLOCK_THREAD_CPUTIME_ID) - started;
  return result;
}

// The number of a folder in /proc lasts only as long as the kernel remembers the folder: it is another one after memory was short.
bool ProcessScan::same_process(const ProcessRow& before, const ProcessRow& now) {
  return before.start_ticks == now.start_ticks && (before.inode == 0 || now.inode == 0 || before.inode == now.inode);
}

void ProcessScan::visit(pid_t pid, uint64_t folder_inode, ScanResult& result) {
  const auto found = known_.find(pid);
  if (found == known_.end() || found->second.folder_inode != folder_inode) return read_anew(pid, folder_inode, result);
  Known& known = found->second;
  known.pass = pass_;
  if (known.kernel_thread) {
    ++result.kernel_threads;
    return;
  }
  ++result.processes;
  const int64_t cpu_ns = cpu_ns_of(pid);
  if (cpu_ns < 0 && known.row.state == 'Z') return;
  // The time of the last reading differs from process to process, so that they do not all come due in one pass.
  if (cpu_ns == known.row.cpu_ns && result.taken_at - known.stat_at < kIdleKept) return;
  if (!read_again(known, result)) {
    // It ended between the listing and now.
    --result.processes;
    known.pass = pass_ - 1;
  }
}

void ProcessScan::read_anew(pid_t pid, uint64_t folder_inode, ScanResult& result) {
  // The pidfd first: whoever it says is still alive when the rest was read, is whom the rest is about.
  const UniqueFd pidfd = open_pidfd(pid);
  Known known;
  known.folder_inode = folder_inode;
  known.pass = pass_;
  known.row.pid = pid;
  if (!read_stat_into(known)) {
    if (!is_gone(errno)) ++result.hidden;
    return;
  }
  ++result.read;
  if (pidfd) {
    pollfd poll_fd{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    if (known.row.state != 'Z' && poll(&poll_fd, 1, 0) > 0) return;
    if (!known.kernel_thread) known.row.inode = pidfd_inode(pidfd.get());
  }
  const auto before = known_.find(pid);
  if (before != known_.end() && same_process(before->second.row, known.row)) {
    before->second.folder_inode = folder_inode;
    visit(pid, folder_inode, result);
    return;
  }
  if (before != known_.end()) {
    if (!before->second.kernel_thread) result.gone.push_back(pid);
    known_.erase(before);
  }
  Known& kept = known_.emplace(pid, known).first->second;
  if (kept.kernel_thread) {
    ++result.kernel_threads;
    return;
  }
  ++result.processes;
  // Of the readings of many that are first seen at once, each comes due at another time.
  kept.stat_at -= static_cast<Nanos>(std::hash<pid_t>{}(pid)*2654435761U % 1024) * (kIdleKept / 1024);
  kept.row.first = true;
  kept.row.texts = read_texts(kept, wanted_, pidfd, result);
  result.rows.push_back(kept.row);
  kept.row.first = false;
}

bool ProcessScan::read_again(Known& known, ScanResult& result) {
  const uint64_t start_stack = known.start_stack;
  const ProcessRow before = known.row;
  const uint64_t name = known.hashes[static_cast<size_t>(ProcessText::kName)];
  // What cannot be read for lack of descriptors, say, is not gone.
  if (!read_stat_into(known)) return !is_gone(errno);
  ++result.read;
  if (known.row.start_ticks != before.start_ticks) return false;
  const bool worked = known.row.cpu_ns != before.cpu_ns;
  const bool executed = known.start_stack != start_stack || (std::hash<std::string_view>{}(name_) | 1U) != name;
  const Nanos age = known.row.read_at - known.texts_at;
  const bool was_young = known.texts_at - static_cast<Nanos>(known.row.start_ticks) * tick_ns < kYoung;
  const bool due = executed || known.texts_at == 0 || (worked && (age > kTextsKept || was_young)) || age > 2 * kIdleKept;
  known.row.texts = due ? read_texts(known, wanted_, wants_user() ? open_pidfd(known.row.pid) : UniqueFd(), result) : 0;
  if (worked || known.row.texts != 0 || differs(known.row, before)) result.rows.push_back(known.row);
  return true;
}

bool ProcessScan::read_stat_into(Known& known) {
  ProcessRow& row = known.row;
  char buffer[1024];
  // The clock first: what is spent between the two is seen in the next pass.
  const int64_t cpu_ns = cpu_ns_of(row.pid);
  row.read_at = since_boot();
  const auto stat = read_file(row.pid, "stat", buffer, sizeof buffer);
  if (!stat) return false;
  const size_t open = stat->find('(');
  const size_t close = stat->rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    errno = ESRCH;
    return false;
  }
  Words words(stat->substr(close + 1));
  const std::string_view state = words.next();
  row.state = state.empty() ? '?' : state[0];
  row.parent = words.number<pid_t>();
  row.group = words.number<pid_t>();
  row.session = words.number<pid_t>();
  words.skip(2);  // tty_nr, tpgid
  known.kernel_thread = (words.number<uint32_t>() & kKernelThreadFlag) != 0;
  words.skip(4);  // faults
  const auto own_ticks = words.number<int64_t>() + words.number<int64_t>();
  row.waited_ns = (words.number<int64_t>() + words.number<int64_t>()) * tick_ns;
  words.skip(1);  // priority
  row.nice = words.number<int64_t>();
  row.threads = words.number<int64_t>();
  words.skip(1);  // itrealvalue
  row.start_ticks = words.number<uint64_t>();
  words.skip(1);  // vsize
  row.resident_bytes = words.number<int64_t>() * page_bytes;
  words.skip(1);  // rsslim
  const auto start_code = words.number<uint64_t>();
  words.skip(1);  // endcode
  known.start_stack = words.number<uint64_t>() ^ (start_code << 1U);
  // A zombie has no clock any more, but its ticks stay until it is waited for.
  row.cpu_ns = cpu_ns >= 0 ? cpu_ns : std::max(row.cpu_ns, own_ticks * tick_ns);
  known.stat_at = row.read_at;
  name_ = stat->substr(open + 1, close - open - 1);
  return true;
}

void ProcessScan::reread_orphans(ScanResult& result) {
  for (auto& [pid, known] : known_) {
    if (known.pass != pass_ || known.kernel_thread || known.row.parent == 0) continue;
    const auto parent = known_.find(known.row.parent);
    if ((parent == known_.end() || parent->second.pass != pass_) && !read_again(known, result)) known.pass = pass_ - 1;
  }
}

uint32_t ProcessScan::read_texts(Known& known, uint32_t which, const UniqueFd& pidfd, ScanResult& result) {
  uint32_t changed = 0;
  std::string text;
  for (size_t i = 0; i < kProcessTexts; ++i) {
    if ((which & (1U << i)) == 0) continue;
    if (!read_text(known, static_cast<ProcessText>(i), pidfd, text)) {
      ++result.unreadable;
      text.clear();
    }
    // Never 0, which stands for a text that was not read yet.
    const uint64_t hash = std::hash<std::string_view>{}(text) | 1U;
    if (hash == known.hashes[i]) continue;
    known.hashes[i] = hash;
    changed |= 1U << i;
    result.text += text;
    result.lengths.push_back(static_cast<uint32_t>(text.size()));
  }
  known.texts_at = known.row.read_at;
  return changed;
}

bool ProcessScan::read_text(Known& known, ProcessText which, const UniqueFd& pidfd, std::string& text) {
  char buffer[kLargestText];
  switch (which) {
    case ProcessText::kName:
      text = name_;
      return true;
    case ProcessText::kUser:
    case ProcessText::kGroups:
      return read_accounts(known, which, pidfd, text);
    case ProcessText::kExecutable: {
      const ssize_t length = readlink(ProcPath(known.row.pid, "exe").get(), buffer, sizeof buffer);
      if (length < 0) return false;
      text.assign(buffer, static_cast<size_t>(length));
      constexpr std::string_view kDeleted = " (deleted)";
      if (text.size() > kDeleted.size() && std::string_view(text).substr(text.size() - kDeleted.size()) == kDeleted)
        text.resize(text.size() - kDeleted.size());
      return true;
    }
    case ProcessText::kCommandLine: {
      const auto words = read_file(known.row.pid, "cmdline", buffer, sizeof buffer);
      if (!words) return false;
      text = *words;
      while (!text.empty() && text.back() == '\0') text.pop_back();
      std::replace(text.begin(), text.end(), '\0', ' ');
      return true;
    }
    case ProcessText::kCgroup: {
      const auto file = read_file(known.row.pid, "cgroup", buffer, sizeof buffer);
      if (!file) return false;
      text = cgroup_path(*file);
      return true;
    }
  }
  return false;
}

bool ProcessScan::read_accounts(Known& known, ProcessText which, const UniqueFd& pidfd, std::string& text) {
  text.clear();
  const auto told = which == ProcessText::kUser && pidfd ? uid_of(pidfd.get()) : std::nullopt;
  if (told) {
    known.row.uid = *told;
    text = names_.user(*told);
    return true;
  }
  char buffer[kLargestText];
  const auto status = read_file(known.row.pid, "status", buffer, sizeof buffer);
  if (!status) return false;
  if (which == ProcessText::kUser) {
    known.row.uid = Words(line_of(*status, "\nUid:")).number<uid_t>();
    text = names_.user(static_cast<uid_t>(known.row.uid));
    return true;
  }
  const auto own = Words(line_of(*status, "\nGid:")).number<gid_t>();
  text = names_.group(own);
  Words others(line_of(*status, "\nGroups:"));
  for (std::string_view word = others.next(); !word.empty(); word = others.next()) {
    const auto gid = Words(word).number<gid_t>();
    if (gid == own) continue;
    text += ',';
    text += names_.group(gid);
  }
  return true;
}

}  // namespace hobble
