#include "engine/process_events.h"

#include <arpa/inet.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <vector>

#include "engine/error_text.h"

namespace hobble {
namespace {

constexpr Nanos kPatience = 100 * kMillisecond;
// Room for 30,000 events: those of a host that forks 30 times in a millisecond, for a second.
constexpr int kBufferBytes = 16 * 1024 * 1024;

// The numbers of the kernel's interface; their place in the header differs between its releases.
constexpr uint32_t kAnswer = 0;
constexpr uint32_t kForkEvent = 0x00000001;
constexpr uint32_t kExecEvent = 0x00000002;
constexpr uint32_t kExitEvent = 0x80000000;

constexpr size_t kEventOffset = NLMSG_HDRLEN + sizeof(cn_msg);
constexpr uint32_t kDataOffset = kEventOffset + offsetof(proc_event, event_data);

Error refused(const char* what, int error) {
  return {error == EPERM || error == EACCES ? Code::kNotPermitted : Code::kUnsupported, 0, std::string(what) + ": " + error_text(error)};
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

constexpr sock_filter statement(uint16_t code, uint32_t value) { return {code, 0, 0, value}; }
constexpr sock_filter jump(uint16_t code, uint32_t value, uint8_t when_true, uint8_t when_false) {
  return {code, when_true, when_false, value};
}

// Classic BPF, run by the kernel before it queues an event: the answer passes, and the kinds that are wanted when they are about a whole
// process, that is when the thread is its leader. A packet's words are loaded as if they were in network order.
bool filter(int socket, unsigned kinds) {
  const auto host = [](uint32_t word) { return htonl(word); };
  // Where thread and process of an event stand; in a fork those of the child come after those of the parent.
  constexpr uint32_t kThread = kDataOffset;
  constexpr uint32_t kChild = kDataOffset + 8;
  std::vector<sock_filter> program{
      statement(BPF_LD | BPF_W | BPF_ABS, kEventOffset),
      jump(BPF_JMP | BPF_JEQ | BPF_K, host(kAnswer), 0, 1),
      statement(BPF_RET | BPF_K, UINT32_MAX),
  };
  const auto add = [&](uint32_t event, uint32_t thread) {
    program.insert(program.end(), {
                                      jump(BPF_JMP | BPF_JEQ | BPF_K, host(event), 0, 6),
                                      statement(BPF_LD | BPF_W | BPF_ABS, thread),
                                      statement(BPF_MISC | BPF_TAX, 0),
                                      statement(BPF_LD | BPF_W | BPF_ABS, thread + 4),
                                      jump(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
                                      statement(BPF_RET | BPF_K, UINT32_MAX),
                                      statement(BPF_RET | BPF_K, 0),
                                  });
  };
  if ((kinds & ProcessEvent::kFork) != 0) add(kForkEvent, kChild);
  if ((kinds & ProcessEvent::kExec) != 0) add(kExecEvent, kThread);
  if ((kinds & ProcessEvent::kExit) != 0) add(kExitEvent, kThread);
  program.push_back(statement(BPF_RET | BPF_K, 0));
  const sock_fprog installed{.len = static_cast<unsigned short>(program.size()), .filter = program.data()};
  return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &installed, sizeof installed) == 0;
}

// The next event; false when there is none, with errno.
bool receive(int socket, proc_event& event) {
  for (;;) {
    alignas(nlmsghdr) char buffer[512];
    sockaddr_nl sender{};
    socklen_t sender_size = sizeof sender;
    const ssize_t got = recvfrom(socket, buffer, sizeof buffer, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&sender), &sender_size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    // Only the kernel has port 0: any process may send to a netlink port.
    if (sender.nl_pid != 0 || static_cast<size_t>(got) < kEventOffset + offsetof(proc_event, event_data) + 16) continue;
    memset(&event, 0, sizeof event);
    memcpy(&event, buffer + kEventOffset, std::min(sizeof event, static_cast<size_t>(got) - kEventOffset));
    return true;
  }
}

// The kernel answers a subscription with an event that carries an errno; events of processes may come before it.
std::optional<Error> await_answer(int socket) {
  const Nanos give_up = monotonic_now() + kPatience;
  for (;;) {
    const Nanos left = give_up - monotonic_now();
    pollfd poll_fd{.fd = socket, .events = POLLIN, .revents = 0};
    if (left <= 0 || poll(&poll_fd, 1, static_cast<int>(left / kMillisecond) + 1) == 0) return refused("no answer from the kernel", ETIME);
    proc_event event{};
    if (!receive(socket, event)) {
      if (errno == EAGAIN || errno == ENOBUFS) continue;
      return refused("recv", errno);
    }
    if (static_cast<uint32_t>(event.what) != kAnswer) continue;
    const int error = static_cast<int>(event.event_data.ack.err);
    if (error == 0) return std::nullopt;
    return refused("refused", error);
  }
}

}  // namespace

Result<std::unique_ptr<ProcessEvents>> ProcessEvents::subscribe(unsigned kinds) {
  std::unique_ptr<ProcessEvents> events(new ProcessEvents);
  events->socket_.reset(socket(PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR));
  const int socket = events->socket_.get();
  if (socket < 0) return refused("socket", errno);
  if (!filter(socket, kinds)) return refused("filter", errno);
  if (setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof kBufferBytes) != 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &kBufferBytes, sizeof kBufferBytes);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = CN_IDX_PROC;
  if (bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return refused("bind", errno);
  if (!send_operation(socket, PROC_CN_MCAST_LISTEN)) return refused("send", errno);
  if (auto error = await_answer(socket)) return *error;
  return events;
}

ProcessEvents::~ProcessEvents() {
  if (socket_) send_operation(socket_.get(), PROC_CN_MCAST_IGNORE);
}

bool ProcessEvents::take(const std::function<void(const ProcessEvent&)>& visit) {
  bool complete = true;
  proc_event event{};
  for (;;) {
    if (!receive(socket_.get(), event)) {
      if (errno != ENOBUFS) return complete;
      complete = false;
      continue;
    }
    const auto at = static_cast<Nanos>(event.timestamp_ns);
    const auto& data = event.event_data;
    switch (static_cast<uint32_t>(event.what)) {
      case kForkEvent:
        visit({.kind = ProcessEvent::kFork, .pid = data.fork.child_tgid, .parent = data.fork.parent_tgid, .at = at});
        break;
      case kExecEvent:
        visit({.kind = ProcessEvent::kExec, .pid = data.exec.process_tgid, .at = at});
        break;
      case kExitEvent:
        visit({.kind = ProcessEvent::kExit, .pid = data.exit.process_tgid, .at = at});
        break;
      default:
        break;
    }
  }
}

std::string try_process_events() {
  auto events = ProcessEvents::subscribe(ProcessEvent::kFork);
  return events ? "" : events.error().message;
}

}  // namespace hobble
