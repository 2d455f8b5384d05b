// Wakes a thread that waits for an eventfd.
#pragma once

#include <unistd.h>

#include <cstdint>

namespace hobble {

inline void ring(int event_fd) {
  const uint64_t one = 1;
  // Can only fail when the counter is full, and then the bell rings anyway.
  [[maybe_unused]] const ssize_t written = write(event_fd, &one, sizeof one);
}

}  // namespace hobble
