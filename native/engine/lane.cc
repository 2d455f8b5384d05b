#include "engine/lane.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <array>
#include <utility>

#include "engine/bell.h"

namespace hobble {
namespace {

#ifdef __SANITIZE_THREAD__
constexpr size_t kStackBytes = 1024UL * 1024;  // ThreadSanitizer's own data lies there too
#else
constexpr size_t kStackBytes = 256UL * 1024;
#endif
constexpr size_t kMostTargets = 1UL << 20;
constexpr int kEventsAtOnce = 64;
// Commands between two looks at the deadlines: 16 first SIGSTOPs take about 100 us.
constexpr int kCommandsAtOnce = 16;

// What an epoll event is about: these two, or the address of a member.
constexpr uint64_t kTimerEvent = 1;
constexpr uint64_t kCommandEvent = 2;

void sleep_briefly() {
  const timespec pause = to_timespec(50 * kMicrosecond);
  nanosleep(&pause, nullptr);
}

}  // namespace

Lane::Lane(const LaneOptions& options)
    : options_(options),
      stack_(kStackBytes),
      heap_memory_(kMostTargets * sizeof(Heap::Entry)),
      heap_(reinterpret_cast<Heap::Entry*>(heap_memory_.base())),
      margin_(options.precision),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      command_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Lane::~Lane() {
  request(Mode::kClosed);
  join();
}

bool Lane::start() {
  if (!stack_.valid() || !heap_memory_.valid() || !epoll_ || !timer_ || !command_event_) return false;
  memory_locked_ = stack_.prepare(kStackBytes);
  memory_locked_ = prepare_for(1) && memory_locked_;
  // Edge-triggered: neither descriptor is ever read, which saves a system call for each wake-up.
  epoll_event timer_event{.events = EPOLLIN | EPOLLET, .data = {.u64 = kTimerEvent}};
  epoll_event command_event{.events = EPOLLIN | EPOLLET, .data = {.u64 = kCommandEvent}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &timer_event) != 0) return false;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, command_event_.get(), &command_event) != 0) return false;

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, stack_.base(), kStackBytes);
  // Signals of the program are for its own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  joinable_ = pthread_create(&thread_, &attributes, run_thread, this) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (!joinable_) return false;
  pthread_getcpuclockid(thread_, &thread_clock_);
  while (!started_.load(std::memory_order_acquire)) sleep_briefly();
  return true;
}

void Lane::join() {
  if (joinable_) pthread_join(thread_, nullptr);
  joinable_ = false;
}

void Lane::post(Command* command, bool wakes) {
  if (commands_.push(command) && wakes) ring(command_event_.get());
}

void Lane::wake() {
  if (!commands_.empty()) ring(command_event_.get());
}

void Lane::request(Mode mode) {
  // Closing is final.
  Mode before = mode_requested_.load();
  while (before != Mode::kClosed && !mode_requested_.compare_exchange_weak(before, mode)) {
  }
  ring(command_event_.get());
}

bool Lane::wait_for_mode(Nanos patience) const {
  const Nanos until = monotonic_now() + patience;
  while (started_.load(std::memory_order_acquire) && mode_reached_.load(std::memory_order_acquire) != mode_requested_.load()) {
    if (monotonic_now() > until) return false;
    sleep_briefly();
  }
  return true;
}

bool Lane::watch_exit(Member* member) const {
  if (member->process.exit_fd() < 0) return true;
  epoll_event event{.events = EPOLLIN | EPOLLONESHOT, .data = {.u64 = reinterpret_cast<uint64_t>(member)}};
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, member->process.exit_fd(), &event) == 0;
}

Nanos Lane::thread_cpu_time() const { return std::max(read_clock(thread_clock_), final_cpu_.get()); }

void* Lane::run_thread(void* lane) {
  static_cast<Lane*>(lane)->run();
  return nullptr;
}

void Lane::run() {
  pthread_setname_np(pthread_self(), "hobble-timer");
  if (options_.cpus != nullptr) sched_setaffinity(0, sizeof(cpu_set_t), options_.cpus);
  scheduling_ = schedule_thread(options_.realtime, options_.priority, options_.cpu);
  // Without real-time rights a thousand busy targets starve this thread, so few may run at once: those that use the CPU.
  // A cap that was asked for counts every target.
  cap_spares_idle_ = options_.concurrency == 0;
  if (options_.concurrency > 0) cap_ = options_.concurrency;
  if (options_.concurrency == 0 && !scheduling_.fifo) cap_ = usable_cpus() > 2 ? usable_cpus() - 1 : 1;
  cpus_ = host_cpus();
  tick_ = kernel_tick();
  counters_.signal_cost.set(5 * kMicrosecond);
  // Held to the end: the kernel tells the guardian when this thread dies with it.
  if (options_.mark != nullptr) pthread_mutex_lock(&options_.mark->alive);
  started_.store(true, std::memory_order_release);

  for (;;) {
    obey_mode();
    if (mode_reached_.load(std::memory_order_relaxed) == Mode::kClosed) break;
    const Nanos awake = monotonic_now();
    if (awake - kGuardianPatience > promised_) take_back(awake);
    // While it is awake too, and if it had nothing to wake for: what is stopped from now on must not be forgotten if we are suspended.
    promise_to_wake(awake + kGuardianPatience);
    obey_commands(kCommandsAtOnce);
    // Not where the turn was given back: there we may be in the middle of something with another target.
    if (std::exchange(turn_free_, false)) admit_waiting(monotonic_now());
    const Nanos now = serve_due(monotonic_now());
    if (now >= options_.finish_at && !finished_) {
      finished_ = true;
      leave_all(EndReason::kFinished);
      send_note(finished_note_, this);
    }
    if (!has_commands() && !mode_wanted() && !turn_free_) wait(now);
  }
  promise_to_wake(kNever);
  if (options_.mark != nullptr) pthread_mutex_unlock(&options_.mark->alive);
}

void Lane::wait(Nanos now) {
  // What waits, or was handed over stopped, is in no heap.
  const bool others = waits_ > 0 || now < seized_until_;
  const Nanos deadline = others ? std::min(heap_.next_deadline(), now + kWaitingPatience) : heap_.next_deadline();
  // While targets sleep nobody notices, and the spinning would be a quarter of what they cost. Limits are kept by CPU clocks: how punctual
  // a look is makes no difference to them.
  const bool punctual = !heap_.empty() && heap_.top()->sort == Timed::Sort::kTarget && static_cast<Target*>(heap_.top())->cyclic();
  const Nanos margin = punctual && grouped_rate_.load(std::memory_order_relaxed) <= 0 ? margin_.margin() : 0;
  Nanos moment = deadline == kNever ? kNever : deadline - margin;
  // Too near to wake early, and nothing left to spin with: sleep until the deadline itself.
  const bool wakes_early = moment > now;
  if (!wakes_early) moment = deadline;
  moment = std::min(moment, finished_ ? kNever : options_.finish_at);
  arm(moment);
  promise_to_wake(moment);

  std::array<epoll_event, kEventsAtOnce> events;
  const int count = epoll_wait(epoll_.get(), events.data(), kEventsAtOnce, -1);
  now = monotonic_now();
  counters_.wakeups.add(1);
  wake_began_ = 0;
  spin_left_ = margin_.spin_allowance(now);
  for (int i = 0; i < count; ++i) {
    const uint64_t about = events[static_cast<size_t>(i)].data.u64;
    if (about == kTimerEvent) {
      const Nanos late = now - armed_for_;
      armed_for_ = kNever;
      if (wakes_early) margin_.learn(late);
      counters_.wake_latency.record(late);
    } else if (about != kCommandEvent) {
      Member& member = *reinterpret_cast<Member*>(about);
      member.exit_seen = true;
      if (!member.attached) continue;
      Target& target = *member.target;
      drop(member);
      if (target.members.empty()) end_if_alone(target);
    }
  }
}

void Lane::arm(Nanos moment) {
  if (moment == armed_for_) return;
  armed_for_ = moment;
  itimerspec setting{};
  // A moment that is past goes off at once; zero would disarm.
  if (moment != kNever) setting.it_value = to_timespec(std::max<Nanos>(moment, 1));
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &setting, nullptr);
}

// A lane that does not keep it hangs, or was suspended: the guardian then resumes what is overdue.
void Lane::promise_to_wake(Nanos moment) {
  promised_ = moment;
  if (options_.mark != nullptr) options_.mark->awake_by.store(moment, std::memory_order_relaxed);
}

void Lane::obey_mode() {
  const Mode wanted = mode_requested_.load();
  const Mode reached = mode_reached_.load(std::memory_order_relaxed);
  if (wanted == reached) return;
  if (wanted == Mode::kClosed) {
    leave_all(EndReason::kClosed);
    send_note(closed_note_, this);
    mode_reached_.store(Mode::kClosed, std::memory_order_release);
    return;
  }
  const Nanos now = monotonic_now();
  for (Target* target = targets_.first(); target != nullptr;) {
    Target* const next = decltype(targets_)::next(target);  // it may end
    if (wanted == Mode::kPaused) {
      yield_to_others(*target);
      pause(*target);
      if (target->members.empty()) end_if_alone(*target);
    } else {
      unpause(*target, now);
    }
    target = next;
  }
  mode_reached_.store(wanted, std::memory_order_release);
}

void Lane::obey_commands(int most) {
  // The chain taken from the mailbox is kept between calls, so that a burst of ten thousand never delays a deadline.
  while (most-- > 0) {
    if (pending_ == nullptr) pending_ = commands_.take_all();
    if (pending_ == nullptr) return;
    Command* const command = pending_;
    pending_ = command->mailbox_next;
    command->mailbox_next = nullptr;
    obey(*command);
    send_note(command->done, command);
  }
}

void Lane::obey(Command& command) {
  if (command.kind == Command::Kind::kSetPool) {
    set_pool(*command.pool, command.pool_terms, monotonic_now());
    return;
  }
  if (command.kind == Command::Kind::kEndPool) {
    if (command.pool->queued()) heap_.remove(command.pool);
    return;
  }
  Target& target = *command.target;
  switch (command.kind) {
    case Command::Kind::kAdd:
      target.cycle = command.cycle;
      target.offset = command.offset;
      target.may_group = command.may_group;
      target.allowance = command.allowance;
      target.rate.set(command.allowance.limit.rate);
      attach(target, command.members);
      add(target, monotonic_now());
      break;
    case Command::Kind::kAppend:
      attach(target, command.members);
      if (target.retiring) break;
      if (target.members.empty()) {
        end_if_alone(target);
      } else {
        note_ready(target);
      }
      break;
    case Command::Kind::kUpdate:
      if (!target.retiring) update(target, command, monotonic_now());
      break;
    case Command::Kind::kRemove:
      if (!target.retiring) leave(target, Note::Kind::kTargetRetired, command.reason);
      break;
    case Command::Kind::kDetach:
      if (!target.retiring) leave(target, Note::Kind::kTargetDetached, command.reason);
      break;
    case Command::Kind::kSeize:
      if (!target.retiring) seize(target, monotonic_now());
      break;
    default:
      break;
  }
}

Command* Lane::abandoned() {
  Command* const rest = commands_.take_all();
  if (pending_ == nullptr) return rest;
  Command* last = pending_;
  while (last->mailbox_next != nullptr) last = last->mailbox_next;
  last->mailbox_next = rest;
  return std::exchange(pending_, nullptr);
}

void Lane::send_note(Note& note, void* about) {
  if (note.under_way.exchange(true, std::memory_order_acq_rel)) return;
  note.about = about;
  if (options_.notes->push(&note)) ring_scout();
}

void Lane::ring_scout() const { ring(options_.notes_event_fd); }

}  // namespace hobble
