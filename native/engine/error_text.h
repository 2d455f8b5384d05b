// What an errno means, in words.
#pragma once

#include <array>
#include <cstring>
#include <string>

namespace hobble {

// strerror_r(3) is two functions: GNU's returns the text, which may not be in the buffer; POSIX's, which is musl's, returns a number.
inline const char* text_told(const char* text, const char* /*buffer*/) { return text; }
inline const char* text_told(int /*error*/, const char* buffer) { return buffer; }

inline std::string error_text(int error) {
  std::array<char, 128> buffer{};
  return text_told(strerror_r(error, buffer.data(), buffer.size()), buffer.data());
}

}  // namespace hobble
