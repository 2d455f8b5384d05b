// What JavaScript is told: rare events, through one queue.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "engine/inheriting_mutex.h"
#include "engine/result.h"

namespace hobble {

struct Event {
  // The names are those of NativeEvent in src/native.ts.
  enum class Type : uint8_t {
    kReady,
    kExit,
    kError,
    kReleased,
    kOverload,
    kFinished,
    kClosed,
    kGuardian,
    kHeld,
    kUnheld,
    kUnfrozen,
    kCrowded,
    kEvasion
  };
  Type type = Type::kReady;
  uint64_t target = 0;  // 0 = the engine
  pid_t pid = 0;
  std::string code;
  std::string message;
  int stretch = 1;
  double amount = 0;  // kEvasion: CPU time, ns; kCrowded: members; kOverload of a target: the update that was refused
  double share = 0;   // kEvasion: of one CPU, in the time it was watched
};

// Filled by the scout, emptied by JavaScript's thread. A target gives two events (ready, end) and a few
// for each foreign stop that is noticed, at most one in 50 ms, so their number stays small.
class EventQueue {
 public:
  // `bell` is called on the scout's thread when the queue stops being empty.
  explicit EventQueue(std::function<void()> bell) : bell_(std::move(bell)) {}

  void push(Event event) {
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      first = events_.empty();
      events_.push_back(std::move(event));
    }
    if (first) bell_();
  }

  std::vector<Event> take_all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }

 private:
  std::function<void()> bell_;
  InheritingMutex mutex_;
  std::vector<Event> events_;
};

}  // namespace hobble
