#include "host/unix_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "engine/error_text.h"
#include "engine/unique_fd.h"

namespace hobble {
namespace {}  // namespace

Result<PeerCredentials> peer_credentials(int fd) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    return Error{Code::kUnsupported, 0, "SO_PEERCRED: " + error_text(errno)};
  // A socket that is no Unix socket, or not connected, has no peer.
  if (credentials.pid == 0 && credentials.uid == static_cast<uid_t>(-1)) return Error{Code::kInvalid, 0, "the socket has no peer"};
  PeerCredentials peer{.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid, .groups = {}};
  // Linux 4.13. The kernel says how many there are when the room does not suffice.
  peer.groups.resize(64);
  for (int attempt = 0; attempt < 2; ++attempt) {
    length = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
    const bool obtained = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &length) == 0;
    const bool too_small = !obtained && errno == ERANGE;
    peer.groups.resize(obtained || too_small ? length / sizeof(gid_t) : 0);
    if (!too_small) break;
  }
  return peer;
}

std::string send_datagram(const std::string& path, const std::string& text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return "the address is empty or too long";
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return error_text(errno);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const auto* const to = reinterpret_cast<const sockaddr*>(&address);
  return sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL, to, length) < 0 ? error_text(errno) : "";
}

}  // namespace hobble
