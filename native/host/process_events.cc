#include "host/process_events.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/clock.h"
#include "engine/unique_fd.h"

namespace hobble {
namespace {

constexpr Nanos kPatience = 100 * kMillisecond;
constexpr uint32_t kAnswer = 0;  // PROC_EVENT_NONE: its scope in the header differs between kernel releases

std::string describe(const char* what, int error) {
  char text[128];
  return std::string(what) + ": " + strerror_r(error, text, sizeof text);
}

// The message of the proc connector that starts or ends a subscription: netlink header, connector header, one operation.
bool send_operation(int socket, proc_cn_mcast_op operation) {
  alignas(nlmsghdr) char buffer[NLMSG_SPACE(sizeof(cn_msg) + sizeof operation)] = {};
  auto* const header = reinterpret_cast<nlmsghdr*>(buffer);
  header->nlmsg_len = NLMSG_LENGTH(sizeof(cn_msg) + sizeof operation);
  header->nlmsg_type = NLMSG_DONE;
  header->nlmsg_pid = static_cast<uint32_t>(getpid());
  auto* const message = static_cast<cn_msg*>(NLMSG_DATA(header));
  message->id = {.idx = CN_IDX_PROC, .val = CN_VAL_PROC};
  message->len = sizeof operation;
  memcpy(message->data, &operation, sizeof operation);
  return send(socket, buffer, header->nlmsg_len, 0) == static_cast<ssize_t>(header->nlmsg_len);
}

// The kernel answers a subscription with an event that carries an errno; events of processes may come before it.
std::string await_answer(int socket) {
  const Nanos give_up = monotonic_now() + kPatience;
  for (;;) {
    const Nanos left = give_up - monotonic_now();
    pollfd poll_fd{.fd = socket, .events = POLLIN, .revents = 0};
    if (left <= 0 || poll(&poll_fd, 1, static_cast<int>(left / kMillisecond) + 1) == 0) return "no answer from the kernel within 100 ms";
    alignas(nlmsghdr) char buffer[4096];
    const ssize_t got = recv(socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return describe("recv", errno);
    constexpr size_t kEventOffset = NLMSG_HDRLEN + sizeof(cn_msg);
    if (static_cast<size_t>(got) < kEventOffset + sizeof(proc_event)) continue;
    proc_event event{};
    memcpy(&event, buffer + kEventOffset, sizeof event);
    if (static_cast<uint32_t>(event.what) != kAnswer) continue;
    const int error = static_cast<int>(event.event_data.ack.err);
    return error == 0 ? "" : describe("refused", error);
  }
}

}  // namespace

UniqueFd subscribe_to_process_events(std::string& why) {
  UniqueFd connector(socket(PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = CN_IDX_PROC;
  if (!connector) {
    why = describe("socket", errno);
  } else if (bind(connector.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    why = describe("bind", errno);
  } else if (!send_operation(connector.get(), PROC_CN_MCAST_LISTEN)) {
    why = describe("send", errno);
  } else {
    why = await_answer(connector.get());
    if (why.empty()) return connector;
    unsubscribe_from_process_events(connector.get());
  }
  return {};
}

void unsubscribe_from_process_events(int connector) { send_operation(connector, PROC_CN_MCAST_IGNORE); }

std::string try_process_events() {
  std::string why;
  const UniqueFd connector = subscribe_to_process_events(why);
  if (connector) unsubscribe_from_process_events(connector.get());
  return why;
}

}  // namespace hobble
