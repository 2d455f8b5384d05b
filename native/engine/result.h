// Errors as values: what went wrong, to which process, in words for the operator.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

namespace hobble {

// The codes of HobbleError (src/errors.ts).
enum class Code {
  kNoSuchProcess,
  kNotPermitted,
  kInvalid,
  kNoDescriptors,
  kProtected,
  kIdentity,
  kBusy,
  kOverload,
  kClosed,
  kUnsupported,
  kRuntimeDir,
};

const char* code_name(Code code);

struct Error {
  Code code = Code::kInvalid;
  pid_t pid = 0;
  std::string message;
};

template <class T>
class Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  explicit operator bool() const { return value_.has_value(); }
  T& operator*() { return *value_; }
  T* operator->() { return &*value_; }
  const Error& error() const { return error_; }

 private:
  std::optional<T> value_;
  Error error_;
};

}  // namespace hobble
