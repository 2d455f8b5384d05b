// lease-fuzz INPUTS SEED: feeds tables of leases that were tampered with to everything that reads tables. Nothing may crash (it is compiled
// with AddressSanitizer and UBSan) and nobody may be signalled: the processes that the tables name are real, but none of them is the one
// that a lease describes. The same seed gives the same inputs.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "engine/leases.h"
#include "engine/recovery.h"

using namespace hobble;

namespace {

constexpr size_t kVictims = 4;
constexpr size_t kSlots = 6;
// Every so many inputs a whole recovery is made of one, with its directory.
constexpr uint64_t kRecoveryEvery = 16;

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {  // splitmix64
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  size_t below(size_t bound) { return next() % bound; }

 private:
  uint64_t state_;
};

std::atomic<uint32_t>* signals_got = nullptr;

void count_signal(int) { signals_got->fetch_add(1); }

pid_t start_victim() {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  struct sigaction counting {};
  counting.sa_handler = count_signal;
  for (const int number : {SIGCONT, SIGTERM, SIGHUP, SIGINT, SIGUSR1, SIGTSTP}) sigaction(number, &counting, nullptr);
  for (;;) pause();
}

// A valid table of an owner that is dead, of this boot and PID namespace. Its leases name living processes, but as they were not.
std::vector<std::byte> valid_table(const std::array<pid_t, kVictims>& victims) {
  std::vector<std::byte> bytes(lease_file_bytes(kSlots));
  auto& header = *reinterpret_cast<LeaseHeader*>(bytes.data());
  header.magic = LeaseHeader::kMagic;
  header.version = LeaseHeader::kVersion;
  header.slot_bytes = sizeof(Lease);
  header.capacity = LeaseHeader::kCapacity;
  header.owner_pid = victims[0];
  header.owner_inode = 3;
  header.owner_start_ticks = 3;
  header.pid_namespace = current_pid_namespace();
  header.boot_id = current_boot_id();
  header.used.store(kSlots);
  auto* const slots = reinterpret_cast<Lease*>(bytes.data() + LeaseHeader::kBytes);
  for (size_t i = 0; i < kSlots; ++i) {
    slots[i].pid.store(victims[i % kVictims]);
    slots[i].inode.store(5 + i);
    slots[i].start_ticks.store(7 + i);
    slots[i].level.store(static_cast<int32_t>(i));
    slots[i].resume_by.store(kSecond);
  }
  return bytes;
}

// Where numbers lie that mean something: the header's, and those of the slots.
size_t interesting_offset(Random& random) {
  const size_t header = random.below(offsetof(LeaseHeader, marks));
  const size_t slot = LeaseHeader::kBytes + random.below(kSlots * sizeof(Lease));
  return random.below(2) == 0 ? header : slot;
}

void tamper(std::vector<std::byte>& bytes, Random& random) {
  static constexpr std::array<uint64_t, 10> kNumbers{0,          1,          0x7f,      0xff,       0x7fffffff,
                                                     0x80000000, 0xffffffff, INT64_MAX, 1ULL << 63, UINT64_MAX};
  for (size_t changes = 1 + random.below(4); changes > 0; --changes) {
    if (bytes.empty()) return;
    size_t at = random.below(4) == 0 ? random.below(bytes.size()) : interesting_offset(random);
    if (at >= bytes.size()) at = random.below(bytes.size());
    switch (random.below(5)) {
      case 0:
        bytes[at] ^= static_cast<std::byte>(1U << random.below(8));
        break;
      case 1:
        bytes[at] = static_cast<std::byte>(random.next());
        break;
      case 2: {
        const uint64_t number = kNumbers[random.below(kNumbers.size())];
        const size_t width = std::min<size_t>(random.below(2) == 0 ? 4 : 8, bytes.size() - at / 4 * 4);
        memcpy(bytes.data() + at / 4 * 4, &number, width);
        break;
      }
      case 3: {
        const size_t from = random.below(bytes.size());
        const size_t length = std::min({random.below(128), bytes.size() - at, bytes.size() - from});
        memmove(bytes.data() + at, bytes.data() + from, length);
        break;
      }
      default:
        if (random.below(4) == 0) bytes.resize(random.below(bytes.size() + 256));
    }
  }
}

bool write_all(int file, const std::vector<std::byte>& bytes) {
  return ftruncate(file, static_cast<off_t>(bytes.size())) == 0 &&
         pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
}

}  // namespace

int main(int count, char** arguments) {
  const uint64_t inputs = count > 1 ? strtoull(arguments[1], nullptr, 10) : 100000;
  Random random(count > 2 ? strtoull(arguments[2], nullptr, 10) : 1);
  signals_got = static_cast<std::atomic<uint32_t>*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::array<pid_t, kVictims> victims{};
  for (pid_t& victim : victims) victim = start_victim();
  char folder[] = "/dev/shm/hobble-fuzz-XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  const std::string path = std::string(folder) + "/1-0.leases";
  const int memory = memfd_create("leases", MFD_CLOEXEC);
  const std::vector<std::byte> original = valid_table(victims);

  uint64_t read = 0;
  uint64_t recovered = 0;
  uint64_t looked_up = 0;
  std::vector<std::byte> input;
  for (uint64_t i = 0; i < inputs; ++i) {
    input = original;
    if (i > 0) tamper(input, random);
    if (!write_all(memory, input)) return 1;
    if (auto copy = read_leases(memory, "input")) ++read;
    if (i % kRecoveryEvery != 0) continue;
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || !write_all(file, input)) return 1;
    close(file);
    ++recovered;
    for (const RecoveredTable& table : recover({folder}, false)) looked_up += table.members.size();
  }

  uint32_t stops = 0;
  for (const pid_t victim : victims) {
    int status = 0;
    if (waitpid(victim, &status, WNOHANG | WUNTRACED) != 0) ++stops;
    kill(victim, SIGKILL);
    waitpid(victim, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  const uint32_t got = signals_got->load();
  printf("%llu inputs: %llu read as tables, %llu recoveries looked up %llu processes; %u signals, %u stopped or dead\n",
         static_cast<unsigned long long>(inputs), static_cast<unsigned long long>(read), static_cast<unsigned long long>(recovered),
         static_cast<unsigned long long>(looked_up), got, stops);
  // A fuzzer that gets nothing past the first check tests nothing.
  return got == 0 && stops == 0 && read > inputs / 10 && looked_up > 0 ? 0 : 1;
}
