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

// A lane that is this late, and a member that is this overdue, will not come by themselves.
constexpr Nanos kPatience = 100 * kMillisecond;
// Between two looks at a lane that does not come.
constexpr Nanos kStuckLook = 20 * kMillisecond;
// Between two looks at lanes that are well: a new target may have brought their next wake-up nearer.
constexpr Nanos kCalmLook = 100 * kMillisecond;
// The owner's threads do not all die at once: after the first pass its whole process is waited for, and looked after again.
constexpr Nanos kLastLook = 10 * kMillisecond;

bool readable(int fd) {
  pollfd poll_fd{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents != 0;
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
  mapped_ = lease_file_bytes(LeaseHeader::kCapacity);
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
void Watch::wait_for_lane() {
  pthread_mutex_t* const alive = &header_->marks[0].alive;
  const int result = pthread_mutex_lock(alive);
  if (result == EOWNERDEAD && !closed()) resume_all();
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
    if (ready <= 0) continue;
    if (owner_gone()) break;
    // The owner closed its end and lives: a program that closes descriptors it does not know. There is still its pidfd, and the lanes'
    // marks.
    if (ends[1].revents != 0) ends[1].fd = -1;
  }
  if (!closed()) {
    resume_all();
    // Nothing that the owner had sent can arrive later than this.
    rest(kLastLook);
    if (resume_all()) remove_table();
  }
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
  const uint32_t used = std::min(header_->used.load(std::memory_order_acquire), LeaseHeader::kCapacity);
  resumed_for_.resize(used);
  for (uint32_t i = 0; i < used; ++i) {
    const Lease& slot = slots()[i];
    const Nanos resume_by = slot.resume_by.load(std::memory_order_relaxed);
    const pid_t pid = slot.pid.load(std::memory_order_acquire);
    if (pid <= 0 || resume_by == 0 || resume_by + kPatience > now || resumed_for_[i] == resume_by) continue;
    resumed_for_[i] = resume_by;
    overdue.entries.push_back({.identity = {.pid = pid,
                                            .inode = slot.inode.load(std::memory_order_relaxed),
                                            .start_ticks = slot.start_ticks.load(std::memory_order_relaxed)},
                               .level = slot.level.load(std::memory_order_relaxed),
                               .resume_by = resume_by});
  }
  if (!overdue.entries.empty()) resume_leases(overdue, false);
}

LeaseCopy Watch::copy() const {
  LeaseCopy all;
  const uint32_t used = std::min(header_->used.load(std::memory_order_acquire), LeaseHeader::kCapacity);
  for (uint32_t i = 0; i < used; ++i) {
    const Lease& slot = slots()[i];
    const pid_t pid = slot.pid.load(std::memory_order_acquire);
    if (pid <= 0 || slot.resume_by.load(std::memory_order_relaxed) == 0) continue;
    all.entries.push_back({.identity = {.pid = pid,
                                        .inode = slot.inode.load(std::memory_order_relaxed),
                                        .start_ticks = slot.start_ticks.load(std::memory_order_relaxed)},
                           .level = slot.level.load(std::memory_order_relaxed),
                           .resume_by = slot.resume_by.load(std::memory_order_relaxed)});
  }
  return all;
}

bool Watch::resume_all() {
  const std::vector<Recovered> results = resume_leases(copy(), false);
  return std::none_of(results.begin(), results.end(), [](const Recovered& member) { return member.result == Recovered::Result::kFailed; });
}

// Its name is not passed on: the kernel knows it, also when the directory was moved.
void Watch::remove_table() const {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(options_.table);
  if (readlink(link.c_str(), path.data(), path.size() - 1) > 0) unlink(path.data());
}

}  // namespace hobble
