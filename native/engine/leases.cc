#include "engine/leases.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/error_text.h"
#include "engine/runtime_dir.h"

namespace hobble {
namespace {

// 256 KiB at a time.
constexpr size_t kSlotsAtOnce = 4096;

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

Error refused(const std::string& what, int error) { return {Code::kRuntimeDir, 0, what + ": " + error_text(error)}; }

void init_robust(pthread_mutex_t& mutex) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
}

bool read_exactly(int file, void* to, size_t bytes, off_t from) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = pread(file, static_cast<char*>(to) + done, bytes - done, from + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
  }
  return true;
}

}  // namespace

BootId current_boot_id() {
  BootId id{};
  const UniqueFd file(open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  if (!file || read(file.get(), id.data(), 36) != 36) id.fill(0);
  return id;
}

uint64_t current_pid_namespace() {
  struct stat file {};
  return stat("/proc/self/ns/pid", &file) == 0 ? file.st_ino : 0;
}

Identity own_identity() {
  const pid_t pid = getpid();
  Identity identity{.pid = pid};
  if (const auto stat = read_stat(pid)) identity.start_ticks = stat->start_ticks;
  errno = 0;
  if (const UniqueFd self = open_pidfd(pid)) identity.inode = pidfd_inode(self.get());
  return identity;
}

bool lives(const Identity& identity) {
  const auto found = Process::find_again(identity);
  return found || found.error().code != Code::kNoSuchProcess;
}

Result<std::unique_ptr<LeaseTable>> LeaseTable::create(const std::string& directory) {
  auto folder = open_runtime_directory(directory);
  if (!folder) return folder.error();

  std::unique_ptr<LeaseTable> table(new LeaseTable);
  const pid_t pid = getpid();
  std::string name;
  // A program may have several engines.
  for (int number = 0; number < 100000 && !table->file_; ++number) {
    name = std::to_string(pid) + "-" + std::to_string(number) + ".leases";
    table->file_.reset(openat(folder->get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!table->file_ && errno != EEXIST) return refused("a table of leases cannot be made in " + directory, errno);
  }
  if (!table->file_) return refused("a table of leases cannot be made in " + directory, EEXIST);
  table->path_ = directory + "/" + name;
  const auto give_up = [&](int error) {
    unlinkat(folder->get(), name.c_str(), 0);
    return refused("the table of leases " + table->path_ + " cannot be used", error);
  };

  // Sparse: memory is taken as members come.
  const size_t bytes = whole_file_bytes();
  if (ftruncate(table->file_.get(), static_cast<off_t>(bytes)) != 0) return give_up(errno);
  void* const mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, table->file_.get(), 0);
  if (mapped == MAP_FAILED) return give_up(errno);
  table->base_ = static_cast<std::byte*>(mapped);
  if (!table->prepare(1)) return give_up(errno != 0 ? errno : ENOSPC);

  LeaseHeader& header = table->header();
  const Identity owner = own_identity();
  // Others would take us for dead.
  if (owner.start_ticks == Identity::kUnknownTicks || (owner.inode == 0 && (errno == EMFILE || errno == ENFILE))) return give_up(EMFILE);
  header.version = LeaseHeader::kVersion;
  header.slot_bytes = sizeof(Lease);
  header.capacity = LeaseHeader::kCapacity;
  header.owner_pid = owner.pid;
  header.owner_inode = owner.inode;
  header.owner_start_ticks = owner.start_ticks;
  header.pid_namespace = current_pid_namespace();
  header.boot_id = current_boot_id();
  for (LeaseHeader::Mark& mark : header.marks) {
    init_robust(mark.alive);
    mark.awake_by.store(kNever);
  }
  // Last: a table without it is not looked at.
  header.magic = LeaseHeader::kMagic;
  return table;
}

LeaseTable::~LeaseTable() {
  if (base_ != nullptr && header().magic == LeaseHeader::kMagic) close();
  if (base_ != nullptr) munmap(base_, whole_file_bytes());
}

void LeaseTable::close() {
  if (header().closed.load() != 0 || anything_stopped()) return;
  header().closed.store(1, std::memory_order_release);
  unlink(path_.c_str());
}

bool LeaseTable::prepare(size_t slots) {
  if (slots <= prepared_) return true;
  const size_t wanted = std::min<size_t>(LeaseHeader::kCapacity, (slots + kSlotsAtOnce - 1) / kSlotsAtOnce * kSlotsAtOnce);
  const size_t from = prepared_ == 0 ? 0 : lease_file_bytes(prepared_);
  const size_t bytes = lease_file_bytes(wanted) - from;
  // Room is made here: a store into a page that a full file system cannot give would be a SIGBUS on the lane's thread.
  if (const int error = posix_fallocate(file_.get(), static_cast<off_t>(from), static_cast<off_t>(bytes)); error != 0) {
    errno = error;
    return false;
  }
  if (mlock(base_ + from, bytes) != 0) {
    locked_ = false;
    madvise(base_ + from, bytes, MADV_POPULATE_WRITE);
  }
  prepared_ = wanted;
  return true;
}

Lease* LeaseTable::allocate_slot() {
  if (!free_.empty()) {
    Lease* const lease = free_.back();
    free_.pop_back();
    return lease;
  }
  const uint32_t used = header().used.load(std::memory_order_relaxed);
  if (used == LeaseHeader::kCapacity || !prepare(used + 1)) return nullptr;
  header().used.store(used + 1, std::memory_order_release);
  return at(used);
}

Lease* LeaseTable::allocate(const Identity& identity, int level) {
  Lease* const lease = allocate_slot();
  if (lease == nullptr) return nullptr;
  lease->resume_by.store(0, std::memory_order_relaxed);
  lease->level.store(level, std::memory_order_relaxed);
  lease->restopped.store(0, std::memory_order_relaxed);
  lease->inode.store(identity.inode, std::memory_order_relaxed);
  lease->start_ticks.store(identity.start_ticks, std::memory_order_relaxed);
  lease->pid.store(identity.pid, std::memory_order_release);
  return lease;
}

Lease* LeaseTable::allocate_group(const std::string& path, uint64_t inode, bool made_here) {
  if (path.size() >= GroupName::kMostBytes || (free_groups_.empty() && groups_used_ == LeaseHeader::kGroups)) return nullptr;
  const uint32_t number = free_groups_.empty() ? groups_used_ : free_groups_.back();
  const auto place = static_cast<off_t>(group_names_at() + number * sizeof(GroupName));
  if (posix_fallocate(file_.get(), place, sizeof(GroupName)) != 0) return nullptr;
  Lease* const lease = allocate_slot();
  if (lease == nullptr) return nullptr;
  if (free_groups_.empty()) {
    ++groups_used_;
  } else {
    free_groups_.pop_back();
  }
  GroupName& name = *group_at(number);
  name.made_here.store(made_here ? 1 : 0, std::memory_order_relaxed);
  name.path.fill('\0');
  path.copy(name.path.data(), GroupName::kMostBytes - 1);
  lease->resume_by.store(0, std::memory_order_relaxed);
  lease->level.store(0, std::memory_order_relaxed);
  lease->restopped.store(0, std::memory_order_relaxed);
  lease->inode.store(inode, std::memory_order_relaxed);
  lease->start_ticks.store(Identity::kUnknownTicks, std::memory_order_relaxed);
  lease->group.store(number, std::memory_order_relaxed);
  lease->pid.store(Lease::kGroup, std::memory_order_release);
  return lease;
}

void LeaseTable::release(Lease* lease) {
  if (lease->pid.load(std::memory_order_relaxed) == Lease::kGroup) free_groups_.push_back(lease->group.load(std::memory_order_relaxed));
  lease->pid.store(0, std::memory_order_release);
  lease->resume_by.store(0, std::memory_order_relaxed);
  free_.push_back(lease);
}

bool LeaseTable::anything_stopped() const {
  const uint32_t used = reinterpret_cast<const LeaseHeader*>(base_)->used.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < used; ++i) {
    if (at(i)->pid.load() != 0 && at(i)->resume_by.load() != 0) return true;
  }
  return false;
}

std::optional<LeaseEntry> read_lease(const Lease& slot) {
  LeaseEntry entry;
  entry.identity.pid = slot.pid.load(std::memory_order_acquire);
  entry.resume_by = slot.resume_by.load(std::memory_order_acquire);
  entry.identity.inode = slot.inode.load(std::memory_order_acquire);
  entry.identity.start_ticks = slot.start_ticks.load(std::memory_order_acquire);
  entry.level = slot.level.load(std::memory_order_acquire);
  entry.group_number = slot.group.load(std::memory_order_acquire);
  entry.restopped = slot.restopped.load(std::memory_order_acquire) != 0;
  const pid_t pid = entry.identity.pid;
  if ((pid <= 0 && pid != Lease::kGroup) || slot.pid.load(std::memory_order_relaxed) != pid) return std::nullopt;
  return entry;
}

void name_group(LeaseEntry& entry, const GroupName& name) {
  entry.made_here = name.made_here.load(std::memory_order_relaxed) == 1;
  const size_t length = strnlen(name.path.data(), name.path.size());
  if (length < name.path.size() && length > 0 && name.path[0] == '/') entry.group.assign(name.path.data(), length);
}

Result<LeaseCopy> read_leases(int file, const std::string& name) {
  const auto bad = [&](const char* why) { return Error{Code::kRuntimeDir, 0, name + " is not a table of leases (" + why + "): ignored"}; };
  struct stat status {};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return bad("not a regular file");
  alignas(LeaseHeader) std::array<std::byte, sizeof(LeaseHeader)> page;
  if (!read_exactly(file, page.data(), page.size(), 0)) return bad("cut short");
  const auto& header = *reinterpret_cast<const LeaseHeader*>(page.data());
  if (header.magic != LeaseHeader::kMagic) return bad("no header");
  if (header.version != LeaseHeader::kVersion || header.slot_bytes != sizeof(Lease)) return bad("another version");
  const uint32_t used = header.used.load(std::memory_order_relaxed);
  if (header.owner_pid <= 0 || used > LeaseHeader::kCapacity) return bad("impossible values");
  if (static_cast<uint64_t>(status.st_size) < lease_file_bytes(used)) return bad("cut short");

  LeaseCopy copy;
  copy.owner = {.pid = header.owner_pid, .inode = header.owner_inode, .start_ticks = header.owner_start_ticks};
  copy.pid_namespace = header.pid_namespace;
  copy.boot_id = header.boot_id;
  copy.closed = header.closed.load(std::memory_order_relaxed) != 0;
  std::vector<Lease> slots(used);
  if (used > 0 && !read_exactly(file, slots.data(), used * sizeof(Lease), LeaseHeader::kBytes)) return bad("cut short");
  for (const Lease& slot : slots) {
    const pid_t pid = slot.pid.load(std::memory_order_relaxed);
    if (pid == 0) continue;
    const int level = slot.level.load(std::memory_order_relaxed);
    const Nanos resume_by = slot.resume_by.load(std::memory_order_relaxed);
    if (pid < Lease::kGroup || level < 0 || resume_by < 0) return bad("impossible values");
    auto entry = read_lease(slot);
    if (!entry) continue;
    if (pid == Lease::kGroup) {
      GroupName group;
      const auto place = static_cast<off_t>(group_names_at() + entry->group_number * sizeof(GroupName));
      if (entry->group_number >= LeaseHeader::kGroups || !read_exactly(file, &group, sizeof group, place)) return bad("impossible values");
      name_group(*entry, group);
      if (entry->group.empty()) return bad("impossible values");
    }
    copy.entries.push_back(std::move(*entry));
  }
  return copy;
}

}  // namespace hobble
