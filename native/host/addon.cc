// The host addon: the only file here that knows Node-API. Checks arguments, makes JavaScript values, throws errors with a code.
// Declared for TypeScript in src/native-host.ts.
#include <napi.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clock.h"
#include "engine/error_text.h"
#include "engine/process.h"
#include "engine/recovery.h"
#include "engine/runtime_dir.h"
#include "host/command.h"
#include "host/identify.h"
#include "host/probe.h"
#include "host/relay.h"
#include "host/scan_binding.h"
#include "host/unix_socket.h"
#include "host/watch_binding.h"

namespace hobble {
namespace {

constexpr int64_t kLargestPid = 1 << 22;  // PID_MAX_LIMIT of a 64-bit kernel
constexpr int kLargestSignal = 64;

void throw_error(Napi::Env env, const Error& error) {
  Napi::Error exception = Napi::Error::New(env, error.message);
  exception.Set("code", Napi::String::New(env, code_name(error.code)));
  if (error.pid != 0) exception.Set("pid", Napi::Number::New(env, error.pid));
  exception.ThrowAsJavaScriptException();
}

// An argument that is an integer between the two; otherwise throws and returns nothing.
std::optional<int> integer(const Napi::CallbackInfo& info, size_t index, const char* name, int64_t least, int64_t most) {
  const double value = info[index].IsNumber() ? info[index].As<Napi::Number>().DoubleValue() : NAN;
  if (value >= static_cast<double>(least) && value <= static_cast<double>(most) && std::floor(value) == value)
    return static_cast<int>(value);
  throw_error(info.Env(),
              {Code::kInvalid, 0, std::string(name) + " must be an integer from " + std::to_string(least) + " to " + std::to_string(most)});
  return std::nullopt;
}

Napi::Value Identify(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto pid = integer(info, 0, "pid", 1, kLargestPid);
  if (!pid) return env.Undefined();
  const auto seen = identify(*pid);
  if (!seen) {
    if (errno == EMFILE || errno == ENFILE)
      throw_error(env, {Code::kNoDescriptors, *pid, "no file descriptor is left to look at a process"});
    return env.Undefined();
  }
  Napi::Object identity = Napi::Object::New(env);
  identity.Set("pid", *pid);
  identity.Set("parentPid", seen->stat.parent);
  identity.Set("processGroup", seen->stat.group);
  identity.Set("session", seen->stat.session);
  identity.Set("startTime", static_cast<double>(seen->stat.start_ticks));
  identity.Set("inode", Napi::BigInt::New(env, seen->inode));
  identity.Set("name", seen->stat.name);
  identity.Set("state", std::string(1, seen->stat.state));
  identity.Set("threads", seen->stat.threads);
  identity.Set("kernelThread", seen->stat.kernel_thread());
  return identity;
}

const char* result_name(Recovered::Result result) {
  constexpr const char* kNames[] = {"resumed", "gone", "foreign", "failed"};
  return kNames[static_cast<size_t>(result)];
}

Napi::Value RuntimeDirectory(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), runtime_directory("")); }

// A few milliseconds for each thousand processes.
Napi::Value Recover(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string given = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
  const std::string own = runtime_directory(given);
  const auto tables =
      recover(given.empty() ? visible_runtime_directories(own) : std::vector<std::string>{own}, info[1].ToBoolean().Value());
  Napi::Array array = Napi::Array::New(env, tables.size());
  for (uint32_t i = 0; i < tables.size(); ++i) {
    const RecoveredTable& table = tables[i];
    Napi::Array members = Napi::Array::New(env, table.members.size());
    for (uint32_t j = 0; j < table.members.size(); ++j) {
      const Recovered& from = table.members[j];
      Napi::Object member = Napi::Object::New(env);
      member.Set("pid", from.pid);
      member.Set("cgroup", from.group);
      member.Set("result", result_name(from.result));
      member.Set("error", from.error == 0 ? "" : error_text(from.error));
      members.Set(j, member);
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("path", table.path);
    object.Set("owner", table.owner.pid);
    object.Set("removed", table.removed);
    object.Set("ignored", table.ignored);
    object.Set("members", members);
    array.Set(i, object);
  }
  return array;
}

Napi::Value CpuTimeNs(const Napi::CallbackInfo& info) {
  const auto pid = integer(info, 0, "pid", 1, kLargestPid);
  if (!pid) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), static_cast<double>(cpu_time(*pid)));
}

Napi::Value MonotonicNs(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), static_cast<double>(monotonic_now())); }

Napi::Value SinceBootNs(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(read_clock(CLOCK_BOOTTIME)));
}

Napi::Value SignalProcess(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto pid = integer(info, 0, "pid", 1, kLargestPid);
  const auto number = pid ? integer(info, 3, "signal", 1, kLargestSignal) : std::nullopt;
  if (!number) return env.Undefined();
  bool lossless = false;
  Identity identity{.pid = *pid};
  if (info[1].IsNumber()) identity.start_ticks = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
  if (info[2].IsBigInt()) identity.inode = info[2].As<Napi::BigInt>().Uint64Value(&lossless);
  auto process = Process::open(identity, best_signal_method());
  return Napi::Boolean::New(env, process && process->send(*number) == 0);
}

double limit_value(rlim_t limit) { return limit == RLIM_INFINITY ? -1 : static_cast<double>(limit); }

Napi::Value Probe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto probe = probe_host();
  if (!probe) {
    throw_error(env, probe.error());
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("fifo", probe->fifo);
  result.Set("shortSlice", probe->short_slice);
  result.Set("pidfdOpen", probe->pidfd_open);
  result.Set("pidfdSendSignal", probe->pidfd_send_signal);
  result.Set("pidfdInode", probe->pidfd_inode);
  result.Set("lockMemory", probe->lock_memory);
  result.Set("processEvents", probe->process_events);
  result.Set("procChildren", probe->proc_children);
  result.Set("memlockLimit", limit_value(probe->memlock.rlim_cur));
  result.Set("openFilesHard", limit_value(probe->open_files.rlim_max));
  result.Set("rtprioLimit", limit_value(probe->rtprio.rlim_cur));
  return result;
}

Napi::Value PeerCredentialsOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto fd = integer(info, 0, "fd", 0, 1 << 30);
  if (!fd) return env.Undefined();
  auto peer = peer_credentials(*fd);
  if (!peer) {
    throw_error(env, peer.error());
    return env.Undefined();
  }
  Napi::Array groups = Napi::Array::New(env, peer->groups.size());
  for (uint32_t i = 0; i < peer->groups.size(); ++i) groups.Set(i, peer->groups[i]);
  Napi::Object object = Napi::Object::New(env);
  object.Set("pid", peer->pid);
  object.Set("uid", peer->uid);
  object.Set("gid", peer->gid);
  object.Set("groups", groups);
  return object;
}

Napi::Value SendDatagram(const Napi::CallbackInfo& info) {
  const std::string path = info[0].ToString().Utf8Value();
  const std::string text = info[1].ToString().Utf8Value();
  return Napi::String::New(info.Env(), send_datagram(path, text));
}

void SetParentDeathSignal(const Napi::CallbackInfo& info) {
  const auto number = integer(info, 0, "signal", 1, kLargestSignal);
  if (number) prctl(PR_SET_PDEATHSIG, static_cast<unsigned long>(*number), 0, 0, 0);
}

// What the command's threads tell JavaScript; the types are those of `CommandEvent`.
struct CommandEvent {
  const char* type;
  int value;
  bool passed_on;
  Nanos at;
};

const char* type_of(CommandChange::Kind kind) {
  switch (kind) {
    case CommandChange::Kind::kNotRun:
      return "not-run";
    case CommandChange::Kind::kStopped:
      return "stopped";
    case CommandChange::Kind::kExited:
      return "exited";
    case CommandChange::Kind::kKilled:
      return "killed";
  }
  return "exited";
}

void tell(const Napi::ThreadSafeFunction& listener, const CommandEvent& event) {
  const auto call = [](Napi::Env env, Napi::Function function, CommandEvent* told) {
    const std::unique_ptr<CommandEvent> owned(told);
    Napi::Object object = Napi::Object::New(env);
    object.Set("type", told->type);
    object.Set("value", told->value);
    object.Set("passedOn", told->passed_on);
    object.Set("atNs", static_cast<double>(told->at));
    function.Call({object});
  };
  auto owned = std::make_unique<CommandEvent>(event);
  if (listener.NonBlockingCall(owned.get(), call) == napi_ok) static_cast<void>(owned.release());
}

// All signals are blocked while the command and its threads are made: the threads keep it so, and none is lost before it can be passed on.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

Result<std::shared_ptr<Command>> hold_command(const CommandSpec& spec, const Napi::ThreadSafeFunction& listener) {
  const AllSignalsBlocked blocked;
  if (!catch_signals()) return Error{Code::kUnsupported, 0, "this process has run a command already, or has no file descriptor left"};
  prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0, 0, 0);
  auto held = Command::hold(spec);
  if (!held) return held.error();
  auto process = Process::open({.pid = held->pid()}, best_signal_method());
  if (!process) return process.error();
  // The relay last: it never ends, and its listener must not be released before.
  const bool started = held->watch([listener](CommandChange change) {
    tell(listener, {type_of(change.kind), change.value, false, change.at});
  }) && start_relay(std::move(*process), [listener](RelayedSignal signal) {
                         tell(listener, {"signal", signal.number, signal.passed_on, signal.at});
                       });
  if (!started) return Error{Code::kUnsupported, 0, "no thread can be started"};
  return std::make_shared<Command>(std::move(*held));
}

// Words as they stand in /proc/PID/cmdline: bytes, each word ended by a zero.
std::vector<std::string> split_words(std::string_view bytes) {
  std::vector<std::string> words;
  for (size_t end = bytes.find('\0'); end != std::string_view::npos; end = bytes.find('\0')) {
    words.emplace_back(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
  }
  return words;
}

std::optional<CommandSpec> command_spec(const Napi::CallbackInfo& info) {
  if (!info[0].IsBuffer() || !info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_int32_array ||
      !info[2].IsNumber()) {
    return std::nullopt;
  }
  CommandSpec spec;
  const auto bytes = info[0].As<Napi::Buffer<char>>();
  spec.words = split_words({bytes.Data(), bytes.Length()});
  const auto fds = info[1].As<Napi::Int32Array>();
  spec.inherited_fds.assign(fds.Data(), fds.Data() + fds.ElementLength());
  const double open_files = info[2].As<Napi::Number>().DoubleValue();
  spec.open_files = open_files >= 0 ? static_cast<rlim_t>(open_files) : RLIM_INFINITY;
  if (spec.words.empty()) return std::nullopt;
  return spec;
}

Napi::Value HoldCommand(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto spec = command_spec(info);
  if (!spec || !info[3].IsFunction()) {
    throw_error(env, {Code::kInvalid, 0, "holdCommand needs a Buffer of words, an Int32Array of descriptors, a limit and a function"});
    return env.Undefined();
  }
  Napi::ThreadSafeFunction listener = Napi::ThreadSafeFunction::New(env, info[3].As<Napi::Function>(), "hobble command", 0, 1);
  auto held = hold_command(*spec, listener);
  if (!held) {
    listener.Release();
    throw_error(env, held.error());
    return env.Undefined();
  }
  Napi::Object object = Napi::Object::New(env);
  const auto command = *held;
  object.Set("pid", command->pid());
  object.Set("letGo", Napi::Function::New(env, [command](const Napi::CallbackInfo&) { command->let_go(); }));
  object.Set("abandon", Napi::Function::New(env, [command](const Napi::CallbackInfo&) { command->abandon(); }));
  return object;
}

void Complain(const Napi::CallbackInfo& info) { write_past_terminal(STDERR_FILENO, info[0].ToString().Utf8Value()); }

void StopSelf(const Napi::CallbackInfo& info) {
  if (const auto number = integer(info, 0, "signal", 1, kLargestSignal)) stop_self(*number);
}

void DieOf(const Napi::CallbackInfo& info) {
  if (const auto number = integer(info, 0, "signal", 1, kLargestSignal)) die_of(*number);
}

void ExitNow(const Napi::CallbackInfo& info) {
  if (const auto code = integer(info, 0, "code", 0, 255)) _exit(*code);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("recover", Napi::Function::New(env, Recover, "recover"));
  exports.Set("runtimeDirectory", Napi::Function::New(env, RuntimeDirectory, "runtimeDirectory"));
  exports.Set("identify", Napi::Function::New(env, Identify, "identify"));
  exports.Set("cpuTimeNs", Napi::Function::New(env, CpuTimeNs, "cpuTimeNs"));
  exports.Set("monotonicNs", Napi::Function::New(env, MonotonicNs, "monotonicNs"));
  exports.Set("sinceBootNs", Napi::Function::New(env, SinceBootNs, "sinceBootNs"));
  exports.Set("signalProcess", Napi::Function::New(env, SignalProcess, "signalProcess"));
  exports.Set("probe", Napi::Function::New(env, Probe, "probe"));
  exports.Set("peerCredentials", Napi::Function::New(env, PeerCredentialsOf, "peerCredentials"));
  exports.Set("sendDatagram", Napi::Function::New(env, SendDatagram, "sendDatagram"));
  exports.Set("setParentDeathSignal", Napi::Function::New(env, SetParentDeathSignal, "setParentDeathSignal"));
  exports.Set("holdCommand", Napi::Function::New(env, HoldCommand, "holdCommand"));
  exports.Set("complain", Napi::Function::New(env, Complain, "complain"));
  exports.Set("stopSelf", Napi::Function::New(env, StopSelf, "stopSelf"));
  exports.Set("dieOf", Napi::Function::New(env, DieOf, "dieOf"));
  exports.Set("ProcessWatcher", ProcessWatcher::define(env));
  exports.Set("ProcessScanner", ProcessScanner::define(env));
  exports.Set("exitNow", Napi::Function::New(env, ExitNow, "exitNow"));
  return exports;
}

}  // namespace
}  // namespace hobble

static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) { return hobble::init(env, exports); }
NODE_API_MODULE(NODE_GYP_MODULE_NAME, InitAddon)
