// Names of users and groups, as the name service knows them; kept for five minutes, as a look may take a directory server's time.
#pragma once

#include <sys/types.h>

#include <string>
#include <unordered_map>

#include "engine/clock.h"

namespace hobble {

class AccountNames {
 public:
  // The number in digits where there is no name.
  const std::string& user(uid_t uid);
  const std::string& group(gid_t gid);

 private:
  void forget_old();

  Nanos since_ = 0;
  std::unordered_map<uid_t, std::string> users_;
  std::unordered_map<gid_t, std::string> groups_;
};

}  // namespace hobble
