#include "host/account_names.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

namespace hobble {
namespace {

constexpr Nanos kKept = 300 * kSecond;
constexpr size_t kLargestEntry = 1 << 20;  // a group may have thousands of members

template <class Entry, class Look>
std::string look_up(unsigned id, Look look, char* Entry::*name) {
  Entry entry{};
  Entry* found = nullptr;
  std::vector<char> buffer(4096);
  while (look(id, &entry, buffer.data(), buffer.size(), &found) == ERANGE && buffer.size() < kLargestEntry)
    buffer.resize(buffer.size() * 4);
  return found == nullptr ? std::to_string(id) : std::string(found->*name);
}

}  // namespace

const std::string& AccountNames::user(uid_t uid) {
  forget_old();
  const auto [entry, added] = users_.try_emplace(uid);
  if (added) entry->second = look_up<passwd>(uid, getpwuid_r, &passwd::pw_name);
  return entry->second;
}

const std::string& AccountNames::group(gid_t gid) {
  forget_old();
  const auto [entry, added] = groups_.try_emplace(gid);
  if (added) entry->second = look_up<::group>(gid, getgrgid_r, &::group::gr_name);
  return entry->second;
}

void AccountNames::forget_old() {
  const Nanos now = monotonic_now();
  if (now - since_ < kKept) return;
  since_ = now;
  users_.clear();
  groups_.clear();
}

}  // namespace hobble
