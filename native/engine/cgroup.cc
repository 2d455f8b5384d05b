#include "engine/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "engine/error_text.h"

namespace hobble {
namespace {

constexpr uint64_t kRootInode = 1;
// Groups below a group, counted from above: deeper ones would be somebody's attempt to keep us busy.
constexpr int kDeepest = 32;

Error system_error(const std::string& name, int error) {
  switch (error) {
    case ENOENT:
    case ENODEV:
    case ENOTDIR:
      return {Code::kNoSuchProcess, 0, "there is no cgroup " + name};
    case EMFILE:
    case ENFILE:
      return {Code::kNoDescriptors, 0, "no file descriptor is left for cgroup " + name + ": raise the hard limit on open files"};
    case EACCES:
    case EPERM:
    case EROFS:
      return {Code::kNotPermitted, 0,
              "cgroup " + name + " is not open to us; run as root, or have it handed over to this user (Delegate=yes in its unit file)"};
    default:
      return {Code::kInvalid, 0, "cgroup " + name + " cannot be used: " + error_text(error)};
  }
}

std::string read_text(int directory, const char* name) {
  std::string text;
  const UniqueFd file(openat(directory, name, O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> part;
  while (file) {
    const ssize_t got = read(file.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(part.data(), static_cast<size_t>(got));
  }
  return text;
}

// The first bytes of a file that is read again and again.
std::string_view read_start(int file, std::array<char, 256>& buffer) {
  const ssize_t got = pread(file, buffer.data(), buffer.size(), 0);
  return {buffer.data(), got > 0 ? static_cast<size_t>(got) : 0};
}

void add_numbers(std::string_view text, std::vector<pid_t>& numbers) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    pid_t number = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), number).ec == std::errc()) numbers.push_back(number);
  }
}

void add_processes(int directory, int depth, std::vector<pid_t>& pids) {
  add_numbers(read_text(directory, "cgroup.procs"), pids);
  const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0 || depth == kDeepest) {
    if (copy >= 0) close(copy);
    return;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(copy), closedir);
  if (!stream) return;
  // Not shared with another thread, so it is safe.
  while (const dirent* const entry = readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe)
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    const UniqueFd below(openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (below) add_processes(below.get(), depth + 1, pids);
  }
}

int write_text(int file, std::string_view text) {
  if (pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size())) return 0;
  return errno == ENODEV || errno == ENOENT ? ESRCH : errno;
}

int admit_into(int directory, pid_t pid) {
  const UniqueFd file(openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC));
  return file ? write_text(file.get(), std::to_string(pid)) : errno;
}

bool is_cgroup(int directory, bool& unified) {
  struct statfs filesystem {};
  if (fstatfs(directory, &filesystem) != 0) return false;
  unified = filesystem.f_type == CGROUP2_SUPER_MAGIC;
  return unified || filesystem.f_type == CGROUP_SUPER_MAGIC;
}

bool belongs_to(int file, long only_user) {
  struct stat status {};
  return only_user < 0 || (fstat(file, &status) == 0 && static_cast<long>(status.st_uid) == only_user);
}

// The directory of a group that was known earlier, or an empty one and errno.
UniqueFd find_again(const std::string& path, uint64_t inode, long only_user) {
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ENODEV || errno == ELOOP) errno = ESRCH;
    return directory;
  }
  struct stat status {};
  bool unified = false;
  if (!is_cgroup(directory.get(), unified) || fstat(directory.get(), &status) != 0 || status.st_ino != inode) {
    errno = ESRCH;
    return {};
  }
  if (!belongs_to(directory.get(), only_user)) {
    errno = EPERM;
    return {};
  }
  return directory;
}

// We move on a user's word only what he could move himself: out of a group that hobble made, into one that is his too.
bool may_be_emptied(int directory, const std::string& path, long only_user) {
  if (only_user < 0) return true;
  const UniqueFd above(openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return above && belongs_to(above.get(), only_user) && std::string_view(path).substr(path.rfind('/') + 1).starts_with(kMadeGroup);
}

// Everything in `directory` goes to the group above, then the group goes. 0 or an errno. A process may fork, or exit, meanwhile: then there
// is one more pass, a little later, until `patience` is over.
int empty_and_remove(int directory, const std::string& path, Nanos patience) {
  const UniqueFd above(openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!above) return errno;
  const std::string name = path.substr(path.rfind('/') + 1);
  const Nanos last = monotonic_now() + patience;
  for (int pass = 0;; ++pass) {
    int moved = 0;
    std::vector<pid_t> pids;
    add_numbers(read_text(directory, "cgroup.procs"), pids);
    // One that exits just then cannot be moved.
    for (const pid_t pid : pids) moved = admit_into(above.get(), pid);
    if (unlinkat(above.get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
    if (errno != EBUSY) return errno;
    if (monotonic_now() >= last) return moved == EACCES || moved == EPERM ? moved : EBUSY;
    // Whoever is about to exit is listed, cannot be moved, and needs a CPU to go.
    if (pass > 0) {
      const timespec pause = to_timespec(pass < 50 ? kMillisecond : 5 * kMillisecond);
      nanosleep(&pause, nullptr);
    }
  }
}

// Where v2 is mounted as a whole, also beside v1; "" if it is not. A line of mountinfo: ID PARENT MAJOR:MINOR ROOT PATH OPTIONS … - TYPE …
std::string unified_mount() {
  std::string text = read_text(AT_FDCWD, "/proc/self/mountinfo");
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.find(" - cgroup2 ") == std::string_view::npos) continue;
    std::string_view fields = line;
    for (int i = 0; i < 3; ++i) fields.remove_prefix(std::min(fields.size(), fields.find(' ') + 1));
    const std::string_view root = fields.substr(0, fields.find(' '));
    fields.remove_prefix(std::min(fields.size(), root.size() + 1));
    if (root == "/") return std::string(fields.substr(0, fields.find(' ')));
  }
  return "";
}

}  // namespace

bool can_make_groups() { return !unified_mount().empty(); }

// A line "0::/user.slice/…".
std::string unified_group_of(pid_t pid) {
  char name[32];
  snprintf(name, sizeof name, "/proc/%d/cgroup", pid);
  const std::string text = "\n" + read_text(AT_FDCWD, name);
  const size_t at = text.find("\n0::/");
  if (at == std::string::npos) return "";
  const size_t start = at + 4;
  return text.substr(start, text.find('\n', start) - start);
}

Result<std::unique_ptr<Cgroup>> Cgroup::open(const std::string& path, uint64_t inode) {
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return system_error(path, errno);
  return open_directory(std::move(directory), path, inode);
}

Result<std::unique_ptr<Cgroup>> Cgroup::open_directory(UniqueFd directory, const std::string& name, uint64_t inode) {
  bool unified = false;
  if (!is_cgroup(directory.get(), unified)) return Error{Code::kInvalid, 0, name + " is not a cgroup: give the path of its directory"};
  struct stat status {};
  if (fstat(directory.get(), &status) != 0) return system_error(name, errno);
  if (status.st_ino == kRootInode) return Error{Code::kProtected, 0, name + " is the root of all groups, which is never stopped"};
  if (inode != 0 && status.st_ino != inode) return Error{Code::kIdentity, 0, "cgroup " + name + " is another one by now"};

  std::unique_ptr<Cgroup> group(new Cgroup);
  std::array<char, 4096> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(directory.get());
  if (readlink(link.c_str(), target.data(), target.size() - 1) <= 0) return system_error(name, errno);
  group->path_ = target.data();
  group->inode_ = status.st_ino;
  const int at = directory.get();
  group->freeze_.reset(openat(at, unified ? "cgroup.freeze" : "freezer.state", O_RDWR | O_CLOEXEC));
  if (group->freeze_) group->freezer_ = unified ? Freezer::kUnified : Freezer::kLegacy;
  if (unified) {
    group->events_.reset(openat(at, "cgroup.events", O_RDONLY | O_CLOEXEC));
    group->usage_.reset(openat(at, "cpu.stat", O_RDONLY | O_CLOEXEC));
    // A thread of it may be elsewhere, so the group is not the whole of its processes.
    if (read_text(at, "cgroup.type").starts_with("threaded"))
      return Error{Code::kInvalid, 0, "cgroup " + name + " is threaded; give the group above that is its domain"};
  }
  group->directory_ = std::move(directory);
  return group;
}

Result<std::unique_ptr<Cgroup>> Cgroup::make_below(pid_t pid, const std::string& name) {
  const std::string mount = unified_mount();
  if (mount.empty()) return Error{Code::kUnsupported, pid, "cgroup v2 is not mounted here"};
  const std::string present = unified_group_of(pid);
  const std::string above = mount + (present == "/" ? "" : present);
  if (present.empty()) return Error{Code::kNoSuchProcess, pid, "there is no process " + std::to_string(pid)};
  const std::string path = above + "/" + name;
  if (mkdir(path.c_str(), 0755) != 0) return system_error(path, errno);
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  auto group = directory ? open_directory(std::move(directory), path, 0) : system_error(path, errno);
  if (!group) {
    rmdir(path.c_str());
    return group.error();
  }
  (*group)->made_here_ = true;
  return group;
}

Cgroup::~Cgroup() { dismantle(0); }

int Cgroup::dismantle(Nanos patience) {
  const int error = made_here_ ? empty_and_remove(directory_.get(), path_, patience) : 0;
  if (error == 0) made_here_ = false;
  return error;
}

int Cgroup::set_frozen(bool frozen) const {
  if (freezer_ == Freezer::kUnified) return write_text(freeze_.get(), frozen ? "1" : "0");
  return write_text(freeze_.get(), frozen ? "FROZEN" : "THAWED");
}

bool Cgroup::frozen() const {
  std::array<char, 256> buffer;
  if (freezer_ == Freezer::kUnified) return read_start(freeze_.get(), buffer).starts_with('1');
  return freezer_ == Freezer::kLegacy && read_text(directory_.get(), "freezer.self_freezing").starts_with('1');
}

bool Cgroup::populated() const {
  if (!events_) return !processes().empty();
  std::array<char, 256> buffer;
  return read_start(events_.get(), buffer).find("populated 1") != std::string_view::npos;
}

std::vector<pid_t> Cgroup::processes() const {
  std::vector<pid_t> pids;
  add_processes(directory_.get(), 0, pids);
  return pids;
}

Nanos Cgroup::cpu_time() const {
  std::array<char, 256> buffer;
  constexpr std::string_view kLabel = "usage_usec ";
  const std::string_view text = usage_ ? read_start(usage_.get(), buffer) : "";
  Nanos microseconds = 0;
  if (!text.starts_with(kLabel)) return -1;
  return std::from_chars(text.data() + kLabel.size(), text.data() + text.size(), microseconds).ec == std::errc()
             ? microseconds * kMicrosecond
             : -1;
}

int Cgroup::admit(pid_t pid) const { return admit_into(directory_.get(), pid); }

int Cgroup::expel(pid_t pid) const {
  const UniqueFd above(openat(directory_.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return above ? admit_into(above.get(), pid) : errno;
}

int thaw_again(const std::string& path, uint64_t inode, bool dry_run, long only_user) {
  const UniqueFd directory = find_again(path, inode, only_user);
  if (!directory) return errno;
  if (dry_run) return 0;
  const UniqueFd unified(openat(directory.get(), "cgroup.freeze", O_WRONLY | O_CLOEXEC));
  const UniqueFd legacy(unified ? -1 : openat(directory.get(), "freezer.state", O_WRONLY | O_CLOEXEC));
  if (!unified && !legacy) return errno;
  // Whom a group was handed over to does not own this file unless he may freeze it.
  if (!belongs_to(unified ? unified.get() : legacy.get(), only_user)) return EPERM;
  return unified ? write_text(unified.get(), "0") : write_text(legacy.get(), "THAWED");
}

int dismantle_again(const std::string& path, uint64_t inode, bool dry_run, long only_user) {
  const UniqueFd directory = find_again(path, inode, only_user);
  if (!directory) return errno;
  if (!may_be_emptied(directory.get(), path, only_user)) return EPERM;
  return dry_run ? 0 : empty_and_remove(directory.get(), path, kDismantlePatience);
}

}  // namespace hobble
