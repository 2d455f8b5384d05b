#include "guardian/watch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/recovery.h"

namespace hobble {
namespace {

// A lane that is this late, and a member that is this overdue, will not come by themselves. A lane counts on it: kGuardianPatience in
// lane.h.
constexpr Nanos kPatience = 100 * kMillisecond;
// Between two looks at a lane that does not come.
constexpr Nanos kStuckLook = 20 * kMillisecond;
// Between two looks at lanes that are well: a new target may have brought their next wake-up nearer.
constexpr Nanos kCalmLook = 100 * kMillisecond;
// What could not be resumed is tried again so often, after this time.
constexpr int kTries = 3;
constexpr Nanos kBetweenTries = 10 * kMillisecond;

bool readable(int fd) {
  pollfd poll_fd{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents != 0;
}

bool none_failed(const std::vector<Recovered>& results) {
  return std::none_of(results.begin(), results.end(), [](const Recovered& one) { return one.result == Recovered::Result::kFailed; });
}

void rest(Nanos time) {
  const timespec pause = to_timespec(time);
  nanosleep(&pause, nullptr);
}

}  // namespace

Watch::~Watch() {
  if (header_ != nullptr) munmap(header_, mapped_);
}

bool Watch::start() {
  mapped_ = whole_file_bytes();
  struct stat status {};
  if (fstat(options_.table, &status) != 0 || static_cast<size_t>(status.st_size) < mapped_) return false;
  // Writable for the mutex alone.
  void* const mapped = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, options_.table, 0);
  if (mapped == MAP_FAILED) return false;
  header_ = static_cast<LeaseHeader*>(mapped);
  if (header_->magic != LeaseHeader::kMagic || header_->owner_pid != options_.owner_pid) return false;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256UL * 1024);
  // Inherits SCHED_FIFO. It is never joined: it may wait for ever for a mutex whose owner closed the table.
  const bool started = pthread_create(&mutex_thread_, &attributes, run_mutex_thread, this) == 0;
  pthread_attr_destroy(&attributes);
  return started;
}

void* Watch::run_mutex_thread(void* self) {
  static_cast<Watch*>(self)->wait_for_lane();
  return nullptr;
}

// The fastest news of the owner's death: the kernel lets go of the mutex 0.2 ms after a SIGKILL, even before the process is a zombie.
// Only the main lane's: the second one comes and goes, and nobody may hold its mutex when it comes.
void Watch::wait_for_lane() {
  pthread_mutex_t* const alive = &header_->marks[0].alive;
  const int result = pthread_mutex_lock(alive);
  if (result == EOWNERDEAD && !closed()) resume_all(false);
  if (result == EOWNERDEAD) lane_died_.store(true);
  if (result == EOWNERDEAD) pthread_mutex_consistent(alive);
  if (result == EOWNERDEAD || result == 0) pthread_mutex_unlock(alive);
}

void Watch::run() {
  std::array<pollfd, 2> ends{
      {{.fd = options_.owner, .events = POLLIN, .revents = 0}, {.fd = options_.pipe, .events = POLLIN, .revents = 0}}};
  while (!closed()) {
    const Nanos now = monotonic_now();
    const timespec timeout = to_timespec(look_at_lanes(now));
    const int ready = ppoll(ends.data(), ends.size(), &timeout, nullptr);
    // Its lane and its descriptors gone, but not itself: it has become another program (execve).
    if (ends[1].fd < 0 && lane_died_.load()) break;
    if (ready <= 0) continue;
    if (owner_gone()) break;
    // The owner closed its end and lives: a program that closes descriptors it does not know. There is still its pidfd, and the lanes'
    // marks.
    if (ends[1].revents != 0) ends[1].fd = -1;
  }
  if (closed()) return;
  // Its last thread is gone: nothing can be stopped any more. The main lane's members were resumed when it died; the second lane may have
  // lived a moment longer.
  bool done = resume_all(second_lane_died());
  for (int i = 1; i < kTries && !done; ++i) {
    rest(kBetweenTries);
    done = resume_all(true);
  }
  const bool dismantled = dismantle();
  if (done && dismantled) remove_table();
}

bool Watch::second_lane_died() const {
  pthread_mutex_t* const alive = &header_->marks[1].alive;
  const int result = pthread_mutex_trylock(alive);
  if (result == EOWNERDEAD) pthread_mutex_consistent(alive);
  if (result == EOWNERDEAD || result == 0) pthread_mutex_unlock(alive);
  return result != 0;
}

bool Watch::owner_gone() const {
  if (options_.owner >= 0) return readable(options_.owner);
  const Identity owner{.pid = header_->owner_pid, .inode = header_->owner_inode, .start_ticks = header_->owner_start_ticks};
  return !lives(owner);
}

Nanos Watch::look_at_lanes(Nanos now) {
  Nanos awake_by = kNever;
  for (const LeaseHeader::Mark& mark : header_->marks) awake_by = std::min(awake_by, mark.awake_by.load(std::memory_order_relaxed));
  if (awake_by == kNever) return kCalmLook;
  if (now > awake_by + kPatience) {
    resume_overdue(now);
    return kStuckLook;
  }
  return std::clamp(awake_by + kPatience - now + kMillisecond, kMillisecond, kCalmLook);
}

// The owner is suspended, hangs, or dumps core. It takes its members back when it wakes: it sends the next signals as if nothing had been.
// Their leases stay as they are, because it may have been about to send SIGSTOP.
void Watch::resume_overdue(Nanos now) {
  LeaseCopy overdue;
  const uint32_t used = slots_used();
  overdue_for_.resize(used);
  for (uint32_t i = 0; i < used; ++i) {
    const auto entry = entry_at(i);
    if (!entry || entry->resume_by == 0 || entry->resume_by + kPatience > now || overdue_for_[i] == entry->resume_by) continue;
    overdue_for_[i] = entry->resume_by;
    overdue.entries.push_back(*entry);
  }
  if (!overdue.entries.empty()) resume_leases(overdue, false);
}

// Called on both threads. A member is resumed once for each lease, unless `again`: whoever stops it afterwards is somebody else.
bool Watch::resume_all(bool again) {
  const std::lock_guard lock(resuming_);
  LeaseCopy stopped;
  const uint32_t used = slots_used();
  resumed_for_.resize(used);
  for (uint32_t i = 0; i < used; ++i) {
    const auto entry = entry_at(i);
    if (!entry || entry->resume_by == 0 || (!again && resumed_for_[i] == entry->resume_by)) continue;
    resumed_for_[i] = entry->resume_by;
    stopped.entries.push_back(*entry);
  }
  return none_failed(resume_leases(stopped, false));
}

// Also those that are not frozen just now.
bool Watch::dismantle() {
  LeaseCopy all;
  for (uint32_t i = 0; i < slots_used(); ++i) {
    const auto entry = entry_at(i);
    if (entry && entry->made_here) all.entries.push_back(*entry);
  }
  return none_failed(dismantle_groups(all, false));
}

std::optional<LeaseEntry> Watch::entry_at(uint32_t number) const {
  auto entry = read_lease(slots()[number]);
  if (!entry || entry->identity.pid != Lease::kGroup) return entry;
  if (entry->group_number >= LeaseHeader::kGroups) return std::nullopt;
  const auto* const names = reinterpret_cast<const GroupName*>(reinterpret_cast<const std::byte*>(header_) + group_names_at());
  name_group(*entry, names[entry->group_number]);
  return entry->group.empty() ? std::nullopt : entry;
}

// Its name is not passed on: the kernel knows it, also when the directory was moved.
void Watch::remove_table() const {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(options_.table);
  if (readlink(link.c_str(), path.data(), path.size() - 1) > 0) unlink(path.data());
}

}  // namespace hobble
