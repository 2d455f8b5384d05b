#include "engine/scout.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "engine/bell.h"
#include "engine/recovery.h"
#include "engine/runtime_dir.h"

namespace hobble {
namespace {

// Targets added between two looks at what the lanes say.
constexpr size_t kRequestsAtOnce = 64;
// Of many requests so many wake a lane together: half a millisecond of work here.
constexpr size_t kRequestsAWake = 8;

// An id is a slot's number and a count that tells its tenants apart; exact as a JavaScript number.
constexpr unsigned kSlotBits = 18;
constexpr uint64_t kSlotMask = (1ULL << kSlotBits) - 1;
static_assert(Scout::kMostTargets == kSlotMask + 1);

}  // namespace

Scout::Scout(const ScoutOptions& options, EventQueue& events)
    : options_(options),
      events_(events),
      protected_programs_(options.protected_programs, options.protect_usual),
      planner_(options.lane.precision == Precision::kEconomy ? 64 : 16),
      event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  options_.lane.respect_foreign_stops = options_.respect_foreign_stops;
  options_.lane.notes = &notes_;
  options_.lane.notes_event_fd = event_.get();
  rates_.stretch.set(1);
}

Scout::~Scout() {
  request_mode(Lane::Mode::kClosed);
  join();
  for (auto& lane : lanes_) {
    if (!lane) continue;
    for (Command* command = lane->abandoned(); command != nullptr;) delete std::exchange(command, command->mailbox_next);
  }
  for (Note* note = notes_.take_all(); note != nullptr;) {
    Note* const done = std::exchange(note, note->mailbox_next);
    if (done->kind == Note::Kind::kCommandDone) delete static_cast<Command*>(done->about);
  }
  for (auto& [id, record] : records_) {
    for (Member* member : record->members) member->~Member();
  }
}

std::optional<Error> Scout::start() {
  const Error nothing_left{Code::kNoDescriptors, 0, "no thread, descriptor or memory is left to start the engine"};
  if (!event_) return nothing_left;
  options_.lane.mark = &options_.leases->header().marks[kMain];
  auto lane = std::make_unique<Lane>(options_.lane);
  if (!lane->start()) return nothing_left;
  lanes_open_ = 1;
  lanes_published_[kMain].store(lane.get(), std::memory_order_release);
  lanes_[kMain] = std::move(lane);
  if (options_.guard.mode != GuardMode::kOff) {
    guard_ = std::make_unique<Guard>(options_.guard, *options_.leases);
    if (auto error = guard_->start()) {
      if (options_.guard.mode == GuardMode::kRequire) return error;
      tell_unguarded(*error);
      guardians_failed_ = 1;
      next_guardian_ = monotonic_now() + kGuardianRetry;
    }
    guardian_pid_.set(guard_->pid());
  }

  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_getcpuclockid(thread_.native_handle(), &thread_clock_);
  return std::nullopt;
}

void Scout::join() {
  stopping_.store(true);
  ring(event_.get());
  if (thread_.joinable()) thread_.join();
  for (auto& lane : lanes_) {
    if (lane) lane->join();
  }
  dismantle_groups();
  let_guardian_go();
}

uint64_t Scout::reserve_target(const TargetSpec& spec) {
  const std::lock_guard lock(requests_mutex_);
  Target* const target = targets_.allocate();
  if (target == nullptr) return 0;
  const uint64_t id = (++generation_ << kSlotBits) | targets_.index_of(target);
  target->kind.set(spec.kind);
  target->pid.set(spec.identity.pid);
  target->run_length.set(spec.cycle.run);
  target->stop_length.set(spec.cycle.stop);
  target->rate.set(spec.allowance.limit.rate);
  target->id.set(id);
  return id;
}

Target* Scout::find(uint64_t id) {
  Target* const target = targets_.at(id & kSlotMask);
  return (id & kSlotMask) < targets_.used() && target->id.get() == id && id != 0 ? target : nullptr;
}

void Scout::post(const Request& request) {
  bool first = false;
  {
    const std::lock_guard lock(requests_mutex_);
    first = requests_.empty();
    requests_.push_back(request);
  }
  if (first) ring(event_.get());
}

void Scout::request_mode(Lane::Mode mode) {
  if (mode == Lane::Mode::kClosed) closing_.store(true);
  // Closing is final.
  Lane::Mode before = mode_.load();
  while (before != Lane::Mode::kClosed && !mode_.compare_exchange_weak(before, mode)) {
  }
  for (const auto& lane : lanes_published_) {
    if (Lane* const open = lane.load(std::memory_order_acquire)) open->request(mode);
  }
}

bool Scout::wait_for_mode(Nanos patience) {
  return std::all_of(lanes_published_.begin(), lanes_published_.end(), [&](const auto& lane) {
    Lane* const open = lane.load(std::memory_order_acquire);
    return open == nullptr || open->wait_for_mode(patience);
  });
}

std::vector<pid_t> Scout::members_of(uint64_t id) {
  const std::lock_guard lock(records_mutex_);
  std::vector<pid_t> pids;
  const auto found = records_.find(id);
  if (found == records_.end()) return pids;
  for (const Member* member : found->second->members) {
    if (member->group) return member->group->processes();
    pids.push_back(member->process.pid());
  }
  return pids;
}

Nanos Scout::cpu_spent(uint64_t id) {
  const std::lock_guard lock(records_mutex_);
  Nanos spent = 0;
  const auto found = records_.find(id);
  if (found == records_.end()) return 0;
  for (const Member* member : found->second->members) spent += std::max<Nanos>(0, member->cpu() - member->cpu_at_add);
  return spent;
}

void Scout::run() {
  pthread_setname_np(pthread_self(), "hobble-scout");
  favour_thread();
  may_be_prompt_ = options_.lane.realtime != RealtimeMode::kOff;
  // Before anything is hobbled: whoever was left stopped may be what we are asked to hobble.
  recover(visible_runtime_directories(options_.runtime_directory), false);
  while (!stopping_.load()) {
    const Nanos now = monotonic_now();
    const Nanos wake_up = next_wake_up();
    std::array<pollfd, 2> ends{
        {{.fd = event_.get(), .events = POLLIN, .revents = 0}, {.fd = guard_ ? guard_->exit_fd() : -1, .events = POLLIN, .revents = 0}}};
    const timespec timeout = to_timespec(std::max<Nanos>(0, wake_up - now));
    // A look that comes after the SIGCONT comes too late, and a child that is not stopped in time escapes.
    be_prompt(!looks_.empty() || herald_);
    ppoll(ends.data(), ends.size(), wake_up == kNever ? nullptr : &timeout, nullptr);
    look_for_foreign_stops(monotonic_now());
    if (ends[0].revents != 0) {
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = read(event_.get(), &count, sizeof count);
    }
    if (ends[1].revents != 0 || monotonic_now() >= next_guardian_) {
      be_prompt(false);  // not for the guardian to inherit
      replace_guardian();
    }
    handle_births();
    handle_notes();
    handle_requests();
    const Nanos later = monotonic_now();
    read_members(later);
    measure(later);
    dissolve_husks(later);
  }
  if (herald_) herald_->stop();
}

// The lowest of real-time priorities: before all who compete for the CPU, after the lanes. All regular work of this thread is thinned out
// to a tenth of a CPU each.
void Scout::be_prompt(bool prompt) {
  if (prompt == prompt_ || !may_be_prompt_) return;
  may_be_prompt_ = set_prompt(prompt);
  prompt_ = prompt && may_be_prompt_;
}

void Scout::handle_requests() {
  std::vector<Request> requests;
  {
    const std::lock_guard lock(requests_mutex_);
    requests.swap(requests_);
  }
  if (requests.empty()) return;
  // A thousand of them take 50 ms: that is nobody's turn to lose but ours.
  if (requests.size() > kRequestsAtOnce) be_prompt(false);
  protection_ = Protection::current(protected_programs_);
  const UniqueFd claim = neighbours_.claim(options_.runtime_directory);
  read_neighbours(monotonic_now());
  gathering_ = requests.size() > 1;
  for (size_t i = 0; i < requests.size() && !stopping_.load(); ++i) {
    switch (requests[i].kind) {
      case Request::Kind::kAdd:
        add(requests[i]);
        break;
      case Request::Kind::kUpdate:
        update(requests[i]);
        break;
      case Request::Kind::kRelease:
        release(requests[i].target);
        break;
      case Request::Kind::kSetPool:
      case Request::Kind::kEndPool:
        set_pool(requests[i]);
        break;
    }
    if (i % kRequestsAWake == kRequestsAWake - 1) wake_lanes();
    if (i % kRequestsAtOnce == kRequestsAtOnce - 1) handle_notes();
  }
  gathering_ = false;
  wake_lanes();
}

void Scout::wake_lanes() {
  for (const auto& lane : lanes_) {
    if (lane) lane->wake();
  }
}

void Scout::add(const Request& request) {
  Target* const target = find(request.target);
  if (target == nullptr) return;
  if (closing_.load()) {
    fail(request.target, {Code::kClosed, request.spec.identity.pid, "the hobbler was closed before the target was added"});
    return;
  }
  auto owned = std::make_unique<Record>();
  Record& record = *owned;
  record.target = target;
  record.spec = request.spec;
  target->restops_allowed = request.spec.on_evasion != OnEvasion::kReport;
  record.added_ticks = clock_ticks_now();
  auto recruits = recruit(record);
  if (!recruits) {
    fail(request.target, recruits.error());
    return;
  }
  if (!admit(record, request.spec.cycle, recruits->members())) {
    if (recruits->group) dissolve({.lease = std::move(recruits->group_lease), .group = std::move(recruits->group)});
    fail(request.target, {Code::kOverload, request.spec.identity.pid,
                          "hobbling one more target would take more CPU than maxShare allows even with periods four times as long; "
                          "use longer run and stop times, fewer targets, or a higher maxShare"});
    return;
  }
  {
    const std::lock_guard lock(records_mutex_);
    records_.emplace(request.target, std::move(owned));
  }
  record.followed = request.spec.kind != TargetKind::kProcess || recruits->group;
  if (record.followed) ++followed_;
  if (request.spec.kind != TargetKind::kProcess && !recruits->group) hear_of_births();
  use_pool(request.spec.allowance.pool);
  record.lane = request.spec.allowance.pool != nullptr ? kMain : choose_lane(*recruits);
  const auto& processes = recruits->processes;
  target->counts_for_cap =
      recruits->group || std::any_of(processes.begin(), processes.end(), [](const Found& one) { return one.stat.state == 'R'; });
  Member* const chain = recruits->group ? make_group_member(record, {std::move(recruits->group_lease), std::move(recruits->group)})
                                        : make_members(record, std::move(recruits->processes));
  if (chain == nullptr) {
    const Error error{
        Code::kNoDescriptors, request.spec.identity.pid,
        "the kernel would not watch " + name_of(record.spec) +
            " for its exit (epoll watches are used up), the runtime directory is full, or the path of the cgroup is too long"};
    forget(record);
    fail(request.target, error);
    return;
  }
  record.demand_at = monotonic_now();
  record.demand_cpu = demand_of(record);
  // Who was born before it was watched.
  if (record.followed) target->wants_reading.set(true);
  plan_phase(record);
  lanes_[record.lane]->prepare_for(records_.size() + TargetPool::kMost + 1);
  post_to_lane(record, Command::Kind::kAdd, chain);
  if (request.spec.cycle.run > 0 || target->held_members.get() > 0) watch_for_foreign_stops(record, monotonic_now());
}

// A member whose exit has not been handled yet does not take its PID from a successor.
bool Scout::taken(pid_t pid) const {
  const auto found = by_pid_.find(pid);
  return found != by_pid_.end() && !found->second->process.gone();
}

void Scout::update(const Request& request) {
  const auto found = records_.find(request.target);
  if (found == records_.end() || found->second->retired) return;
  Record& record = *found->second;
  const auto refuse = [&](const std::string& message) {
    events_.push({.type = Event::Type::kOverload,
                  .target = request.target,
                  .code = "cpu",
                  .message = message,
                  .stretch = rates_.stretch.get(),
                  .amount = request.revision});
  };
  if (request.spec.allowance.meters() && record.target->frozen_whole.get() && !record.members.empty() && record.members.back()->cpu() < 0) {
    refuse(name_of(record.spec) +
           " is frozen by cgroup v1, where nobody counts its CPU time: it can have no limit, pool or spareIdle; the old terms stay");
    return;
  }
  if (!admit(record, request.spec.cycle, record.members.size())) {
    refuse("the new cycle of " + name_of(record.spec) + " would take more CPU than maxShare allows; the old one stays");
    return;
  }
  record.spec.cycle = request.spec.cycle;
  use_pool(request.spec.allowance.pool);
  TargetPool* const before = std::exchange(record.spec.allowance, request.spec.allowance).pool;
  record.spec.phase_mode = request.spec.phase_mode;
  record.spec.phase = request.spec.phase;
  plan_phase(record);
  if (record.spec.cycle.run > 0 && !record.target->watched.get()) watch_for_foreign_stops(record, monotonic_now());
  if (record.moving) {
    // It has been told to let go of the target, and will be told of the new terms when it gets it back.
  } else if (record.spec.allowance.pool != nullptr && record.lane != kMain) {
    move_to(record, kMain);
  } else {
    post_to_lane(record, Command::Kind::kUpdate);
  }
  // Last: it may be the end of the pool, of which the lane must hear after it has taken this target out of it.
  leave_pool(before);
}

void Scout::release(uint64_t id) {
  const auto found = records_.find(id);
  if (found == records_.end() || found->second->retired) return;
  Record& record = *found->second;
  // What somebody else stopped while we held it stays stopped.
  if (options_.respect_foreign_stops) look_at(record);
  if (record.moving) {
    record.release_asked = true;
  } else {
    post_to_lane(record, Command::Kind::kRemove);
  }
}

void Scout::post_to_lane(Record& record, Command::Kind kind, Member* chain, EndReason reason) {
  auto* const command = new Command{.kind = kind, .target = record.target, .members = chain, .cycle = record.spec.cycle, .reason = reason};
  command->offset = record.placement.offset;
  command->allowance = record.spec.allowance;
  command->may_group = record.spread && record.spec.cycle.run > 0;
  ++record.commands_under_way;
  lanes_[record.lane]->post(command, !gathering_);
}

}  // namespace hobble
