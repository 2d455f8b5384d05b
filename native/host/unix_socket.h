// What Node cannot do with Unix sockets: ask who is at the other end, and send a datagram.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "engine/result.h"

namespace hobble {

struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary
};

// As they were when the peer called connect(2).
Result<PeerCredentials> peer_credentials(int fd);

// `path` is a file, or "@" and an abstract name. "" or what went wrong.
std::string send_datagram(const std::string& path, const std::string& text);

}  // namespace hobble
