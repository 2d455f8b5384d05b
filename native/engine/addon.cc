// The only file of the engine that knows Node-API: checks arguments, throws, calls the engine. The names are those of src/native.ts.
#include <napi.h>

#include <cmath>

#include "engine/emergency.h"
#include "engine/engine.h"

namespace {

using hobble::Nanos;
using hobble::Quantiles;

// Set as the `code` of what is thrown; src/ makes a HobbleError of it.
Napi::Error coded_error(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", code);
  return error;
}

double checked_number(const Napi::Value& value, const char* name, double least, double most) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (number >= least && number <= most) return number;
  if (!value.Env().IsExceptionPending()) {
    coded_error(value.Env(), "EINVAL",
                std::string(name) + " must be a number from " + std::to_string(least) + " to " + std::to_string(most))
        .ThrowAsJavaScriptException();
  }
  return least;
}

double number_at(const Napi::Object& object, const char* key, double least, double most) {
  return checked_number(object.Get(key), key, least, most);
}

bool flag_at(const Napi::Object& object, const char* key) { return object.Get(key).ToBoolean().Value(); }

std::string string_at(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
}

hobble::EngineOptions engine_options(const Napi::Object& from) {
  hobble::EngineOptions options;
  options.realtime = static_cast<hobble::RealtimeMode>(number_at(from, "realtime", 0, 2));
  options.priority = static_cast<int>(number_at(from, "priority", 1, 98));
  options.cpu = static_cast<int>(number_at(from, "cpu", -1, CPU_SETSIZE - 1));
  options.precision = static_cast<hobble::Precision>(number_at(from, "precision", 0, 2));
  options.concurrency = static_cast<int>(number_at(from, "concurrency", -1, 1 << 20));
  options.most_share = number_at(from, "maxShare", 0, 1);
  options.finish_after = static_cast<Nanos>(number_at(from, "forNs", 0, 1e18));
  options.force_kill = flag_at(from, "forceKill");
  options.runtime_directory = string_at(from, "runtimeDirectory");
  options.guardian = static_cast<hobble::GuardMode>(number_at(from, "guardian", 0, 2));
  options.respect_foreign_stops = flag_at(from, "respectForeignStops");
  options.process_events = flag_at(from, "processEvents");
  options.most_members = static_cast<size_t>(number_at(from, "maxMembers", 1, 1 << 20));
  options.protect_usual = flag_at(from, "protectUsual");
  const Napi::Value programs = from.Get("protectedPrograms");
  if (programs.IsArray()) {
    const auto array = programs.As<Napi::Array>();
    for (uint32_t i = 0; i < array.Length(); ++i) options.protected_programs.push_back(array.Get(i).ToString().Utf8Value());
  }
  options.guardian_program = string_at(from, "guardianProgram");
  return options;
}

// As TermsField in src/native.ts numbers them: an array, because reading ten properties of an object would take longer than everything
// else that `add` does on this thread.
constexpr size_t kTermsFields = 10;

void read_terms(hobble::Engine& engine, const Napi::Value& from, hobble::TargetSpec& spec) {
  const bool given = from.IsTypedArray() && from.As<Napi::TypedArray>().TypedArrayType() == napi_float64_array;
  const auto array = given ? from.As<Napi::Float64Array>() : Napi::Float64Array();
  const double* const fields = given && array.ElementLength() == kTermsFields ? array.Data() : nullptr;
  const auto in_range = [](double value, double least, double most) { return value >= least && value <= most; };
  bool valid = fields != nullptr && in_range(fields[0], 0, 1e13) && in_range(fields[1], 0, 1e13) && in_range(fields[2], 0, 2) &&
               in_range(fields[3], 0, 2.0 * hobble::kLongestWindow) && in_range(fields[4], 0, hobble::kMostRate) &&
               in_range(fields[5], 0, 1e13) && in_range(fields[6], 0, 1e13) && in_range(fields[8], 0, 9e15) &&
               in_range(fields[9], 1e-3, 1e3);
  if (valid) {
    spec.cycle = {.run = static_cast<Nanos>(fields[0]), .stop = static_cast<Nanos>(fields[1])};
    spec.phase_mode = static_cast<hobble::PhaseMode>(fields[2]);
    spec.phase = static_cast<Nanos>(fields[3]);
    hobble::Limit& limit = spec.allowance.limit;
    limit = {.rate = fields[4], .burst = static_cast<Nanos>(fields[5]), .min_run = static_cast<Nanos>(fields[6])};
    spec.allowance.spare_idle = fields[7] != 0;
    spec.allowance.pool = engine.find_pool(static_cast<uint64_t>(fields[8]));
    spec.allowance.weight = fields[9];
    const bool cyclic = spec.cycle.run != 0 || spec.cycle.stop != 0;
    valid = (!cyclic || hobble::valid(spec.cycle)) && (limit.rate == 0 || hobble::valid(limit)) &&
            (cyclic || limit.rate > 0 || spec.allowance.pool != nullptr) && (fields[8] == 0 || spec.allowance.pool != nullptr);
  }
  if (!valid) coded_error(from.Env(), "EINVAL", "the cycle or the limit is out of range").ThrowAsJavaScriptException();
}

// By position and not as an object: see above.
hobble::TargetSpec target_spec(hobble::Engine& engine, const Napi::CallbackInfo& info) {
  hobble::TargetSpec spec;
  spec.kind = static_cast<hobble::TargetKind>(checked_number(info[0], "kind", 0, 3));
  spec.identity.pid = static_cast<pid_t>(checked_number(info[1], "pid", spec.kind == hobble::TargetKind::kCgroup ? 0 : 1, 1 << 22));
  const double ticks = checked_number(info[2], "startTime", -1, 9e15);
  if (ticks >= 0) spec.identity.start_ticks = static_cast<uint64_t>(ticks);
  bool lossless = false;
  if (info[3].IsBigInt()) spec.identity.inode = info[3].As<Napi::BigInt>().Uint64Value(&lossless);
  spec.adopt_orphans = info[4].ToBoolean().Value();
  read_terms(engine, info[5], spec);
  if (spec.kind == hobble::TargetKind::kCgroup && info[6].IsString()) spec.cgroup = info[6].As<Napi::String>().Utf8Value();
  spec.via = static_cast<hobble::Via>(checked_number(info[7], "via", 0, 2));
  spec.on_evasion = static_cast<hobble::OnEvasion>(checked_number(info[8], "onEvasion", 0, 3));
  return spec;
}

const char* type_name(hobble::Event::Type type) {
  constexpr const char* kNames[] = {"ready",    "exit", "error",  "released", "overload", "finished", "closed",
                                    "guardian", "held", "unheld", "unfrozen", "crowded",  "evasion"};
  return kNames[static_cast<size_t>(type)];
}

Napi::Object quantiles_object(Napi::Env env, const Quantiles& quantiles) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("count", static_cast<double>(quantiles.count));
  object.Set("mean", quantiles.mean);
  object.Set("p50", quantiles.p50);
  object.Set("p90", quantiles.p90);
  object.Set("p99", quantiles.p99);
  object.Set("p999", quantiles.p999);
  object.Set("max", quantiles.max);
  return object;
}

template <class Number>
Napi::Array number_array(Napi::Env env, const std::vector<Number>& numbers) {
  Napi::Array array = Napi::Array::New(env, numbers.size());
  for (uint32_t i = 0; i < numbers.size(); ++i) array.Set(i, static_cast<double>(numbers[i]));
  return array;
}

Napi::Array figures_array(Napi::Env env, const hobble::HistogramFigures& figures) {
  Napi::Array array = number_array(env, figures.below);
  array.Set(array.Length(), static_cast<double>(figures.count));
  array.Set(array.Length(), figures.sum);
  return array;
}

// As TargetField in src/native.ts numbers them.
constexpr size_t kTargetFields = 35;
// A state that no lane knows: none of its members is ours to signal.
constexpr double kHeldState = 6;

void fill_fields(const hobble::Target& target, uint64_t id, double* out) {
  const hobble::Summary run = target.run_error.summary();
  const hobble::Summary stop = target.stop_error.summary();
  // A stop window that the cap has made long counts while it lasts, or the duty would look better than it is.
  const Nanos waiting_since = target.waiting_since.get();
  const Nanos waiting = waiting_since == 0 ? 0 : hobble::monotonic_now() - waiting_since;
  const Nanos stopped_since = target.stopped_since.get();
  const uint32_t held = target.held_members.get();
  const bool all_held = held > 0 && held >= target.member_count.get();
  const double fields[] = {
      static_cast<double>(id),
      static_cast<double>(target.kind.get()),
      static_cast<double>(target.pid.get()),
      all_held ? kHeldState : static_cast<double>(target.state.get()),
      static_cast<double>(target.frozen_whole.get() ? target.group_processes.get() : target.member_count.get()),
      static_cast<double>(target.cycles.get()),
      static_cast<double>(target.signals.get()),
      static_cast<double>(target.skipped_windows.get()),
      static_cast<double>(target.deferred_windows.get()),
      static_cast<double>(target.ran.get()),
      static_cast<double>(target.stopped.get() + waiting),
      run.mean,
      run.p50,
      run.p99,
      run.max,
      stop.mean,
      stop.p50,
      stop.p99,
      stop.max,
      static_cast<double>(target.run_length.get()),
      static_cast<double>(target.stop_length.get()),
      static_cast<double>(target.phase.get()),
      NAN,
      static_cast<double>(held),
      target.rate.get(),
      static_cast<double>(target.metered.get()),
      static_cast<double>(target.spent.get()),
      static_cast<double>(target.stopped.get() + (stopped_since == 0 ? 0 : hobble::monotonic_now() - stopped_since)),
      static_cast<double>(target.spared_windows.get()),
      static_cast<double>(target.throttled_windows.get()),
      target.frozen_whole.get() ? 1.0 : 0.0,
      static_cast<double>(target.evasions.get()),
      static_cast<double>(target.evaded.get()),
      static_cast<double>(target.restops.get()),
      target.suspected.get() ? 1.0 : 0.0,
  };
  static_assert(std::size(fields) == kTargetFields);
  std::copy(std::begin(fields), std::end(fields), out);
}

// On JavaScript's thread. An environment that is being torn down still empties its queues, but runs no JavaScript any more: the call fails
// then, and there is nobody left to tell. (Napi::Function::Call would make a fatal error of it.)
void call_listener(Napi::Env env, Napi::Function listener, std::nullptr_t* /*context*/, void* /*data*/) {
  if (env != nullptr && !listener.IsEmpty()) napi_call_function(env, env.Undefined(), listener, 0, nullptr, nullptr);
}
using Bell = Napi::TypedThreadSafeFunction<std::nullptr_t, void, call_listener>;

class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Engine",
                       {
                           InstanceMethod<&EngineObject::add>("add"),
                           InstanceMethod<&EngineObject::update>("update"),
                           InstanceMethod<&EngineObject::release>("release"),
                           InstanceMethod<&EngineObject::add_pool>("addPool"),
                           InstanceMethod<&EngineObject::update_pool>("updatePool"),
                           InstanceMethod<&EngineObject::end_pool>("endPool"),
                           InstanceMethod<&EngineObject::pool_stats>("poolStats"),
                           InstanceMethod<&EngineObject::pause>("pause"),
                           InstanceMethod<&EngineObject::resume>("resume"),
                           InstanceMethod<&EngineObject::drain>("drain"),
                           InstanceMethod<&EngineObject::stats>("stats"),
                           InstanceMethod<&EngineObject::histograms>("histograms"),
                           InstanceMethod<&EngineObject::target_stats>("targetStats"),
                           InstanceMethod<&EngineObject::members>("members"),
                           InstanceMethod<&EngineObject::close>("close"),
                           InstanceMethod<&EngineObject::close_now>("closeNow"),
                           InstanceMethod<&EngineObject::ref>("ref"),
                           InstanceMethod<&EngineObject::unref>("unref"),
                       });
  }

  explicit EngineObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EngineObject>(info), env_(info.Env()) {
    if (!info[0].IsObject() || !info[1].IsFunction()) {
      coded_error(env_, "EINVAL", "Engine needs options and a function").ThrowAsJavaScriptException();
      return;
    }
    const hobble::EngineOptions options = engine_options(info[0].As<Napi::Object>());
    if (env_.IsExceptionPending()) return;
    bell_ = Bell::New(env_, info[1].As<Napi::Function>(), "hobble events", 1, 1);
    bell_.Unref(env_);
    bell_open_ = true;
    auto engine = std::make_unique<hobble::Engine>(options, [bell = bell_]() mutable { bell.NonBlockingCall(); });
    if (const auto error = engine->start()) {
      engine.reset();
      shut_bell();
      coded_error(env_, hobble::code_name(error->code), error->message).ThrowAsJavaScriptException();
      return;
    }
    engine_ = std::move(engine);
    // Runs when a worker ends or is terminated, and at the natural end of the main thread.
    napi_add_env_cleanup_hook(env_, clean_up, this);
  }

  ~EngineObject() override {
    if (!engine_) return;
    napi_remove_env_cleanup_hook(env_, clean_up, this);
    shut();
  }

 private:
  static void clean_up(void* self) {
    auto* const object = static_cast<EngineObject*>(self);
    object->engine_->close_now();
    object->engine_.reset();
  }

  void shut() {
    engine_->close_now();
    shut_bell();
  }
  void shut_bell() {
    if (std::exchange(bell_open_, false)) bell_.Release();
  }

  uint64_t id_of(const Napi::CallbackInfo& info) { return static_cast<uint64_t>(info[0].ToNumber().DoubleValue()); }

  Napi::Value add(const Napi::CallbackInfo& info) {
    const hobble::TargetSpec spec = target_spec(*engine_, info);
    if (env_.IsExceptionPending()) return env_.Undefined();
    const uint64_t id = engine_->add(spec);
    if (id == 0) coded_error(env_, "ERR_OVERLOAD", "an engine holds at most 262144 targets").ThrowAsJavaScriptException();
    return Napi::Number::New(env_, static_cast<double>(id));
  }

  void update(const Napi::CallbackInfo& info) {
    hobble::TargetSpec spec;
    read_terms(*engine_, info[1], spec);
    if (!env_.IsExceptionPending()) engine_->update(id_of(info), spec, checked_number(info[2], "revision", 0, 1e15));
  }

  void release(const Napi::CallbackInfo& info) { engine_->release(id_of(info)); }

  // limit, burstNs, minRunNs, concurrency, from the argument `first` on.
  hobble::PoolTerms pool_terms(const Napi::CallbackInfo& info, size_t first) {
    hobble::PoolTerms terms;
    terms.limit.rate = checked_number(info[first], "limit", hobble::kLeastRate, hobble::kMostRate);
    terms.limit.burst = static_cast<Nanos>(checked_number(info[first + 1], "burstNs", hobble::kShortestBurst, hobble::kLongestBurst));
    terms.limit.min_run = static_cast<Nanos>(checked_number(info[first + 2], "minRunNs", 1e5, hobble::kSecond));
    terms.concurrency = static_cast<int>(checked_number(info[first + 3], "concurrency", 0, 1 << 20));
    return terms;
  }

  Napi::Value add_pool(const Napi::CallbackInfo& info) {
    const hobble::PoolTerms terms = pool_terms(info, 0);
    if (env_.IsExceptionPending()) return env_.Undefined();
    const uint64_t id = engine_->add_pool(terms);
    if (id == 0) coded_error(env_, "ERR_OVERLOAD", "an engine holds at most 1024 pools").ThrowAsJavaScriptException();
    return Napi::Number::New(env_, static_cast<double>(id));
  }

  void update_pool(const Napi::CallbackInfo& info) {
    const hobble::PoolTerms terms = pool_terms(info, 1);
    if (!env_.IsExceptionPending()) engine_->update_pool(id_of(info), terms);
  }

  void end_pool(const Napi::CallbackInfo& info) { engine_->end_pool(id_of(info)); }

  Napi::Value pool_stats(const Napi::CallbackInfo& info) {
    const hobble::TargetPool* const pool = engine_->find_pool(id_of(info));
    if (pool == nullptr) return env_.Undefined();
    Napi::Object object = Napi::Object::New(env_);
    object.Set("limit", pool->rate.get());
    object.Set("targets", pool->targets.get());
    object.Set("waiting", pool->waiting.get());
    object.Set("inTurn", pool->running.get());
    object.Set("turns", static_cast<double>(pool->turns.get()));
    object.Set("meteredNs", static_cast<double>(pool->metered.get()));
    object.Set("spentNs", static_cast<double>(pool->spent.get()));
    return object;
  }

  void pause(const Napi::CallbackInfo&) { engine_->pause(); }
  void resume(const Napi::CallbackInfo&) { engine_->resume(); }
  void ref(const Napi::CallbackInfo&) {
    if (bell_open_) bell_.Ref(env_);
  }
  void unref(const Napi::CallbackInfo&) {
    if (bell_open_) bell_.Unref(env_);
  }
  void close(const Napi::CallbackInfo&) { engine_->close(); }
  void close_now(const Napi::CallbackInfo&) { shut(); }

  Napi::Value drain(const Napi::CallbackInfo&) {
    const std::vector<hobble::Event> events = engine_->take_events();
    Napi::Array array = Napi::Array::New(env_, events.size());
    for (uint32_t i = 0; i < events.size(); ++i) {
      const hobble::Event& event = events[i];
      // Ten thousand of these come at once: a bare number takes a tenth of the time and of the memory.
      if (event.type == hobble::Event::Type::kReady) {
        array.Set(i, static_cast<double>(event.target));
        continue;
      }
      Napi::Object object = Napi::Object::New(env_);
      object.Set("type", type_name(event.type));
      object.Set("id", static_cast<double>(event.target));
      object.Set("pid", event.pid);
      object.Set("code", event.code);
      object.Set("message", event.message);
      object.Set("stretch", event.stretch);
      object.Set("amount", event.amount);
      object.Set("share", event.share);
      array.Set(i, object);
    }
    return array;
  }

  Napi::Value stats(const Napi::CallbackInfo&) {
    const hobble::EngineStats stats = engine_->stats();
    const hobble::Scheduling& scheduling = stats.scheduling;
    Napi::Object object = Napi::Object::New(env_);
    object.Set("scheduler", scheduling.fifo ? "fifo" : scheduling.slice > 0 ? "slice" : "other");
    object.Set("priority", scheduling.priority);
    object.Set("sliceNs", static_cast<double>(scheduling.slice));
    object.Set("lockedMemory", Napi::Boolean::New(env_, stats.memory_locked));
    object.Set("cpu", scheduling.cpu);
    object.Set("realtimeError", scheduling.error);
    object.Set("signalMethod", stats.method == hobble::SignalMethod::kPidfd ? "pidfd" : "kill");
    object.Set("concurrency", stats.concurrency);
    object.Set("guardian", stats.guardian);
    object.Set("processEvents", Napi::Boolean::New(env_, stats.process_events));
    object.Set("birthDelay", quantiles_object(env_, stats.birth_delay));
    object.Set("foreignLooks", static_cast<double>(stats.foreign_looks));
    object.Set("targets", static_cast<double>(stats.targets));
    object.Set("members", static_cast<double>(stats.members));
    object.Set("signals", static_cast<double>(stats.signals));
    object.Set("wakeups", static_cast<double>(stats.wakeups));
    object.Set("skippedWindows", static_cast<double>(stats.skipped_windows));
    object.Set("deferredWindows", static_cast<double>(stats.deferred_windows));
    object.Set("ranNs", static_cast<double>(stats.ran));
    object.Set("stoppedNs", static_cast<double>(stats.stopped));
    object.Set("meteredNs", static_cast<double>(stats.metered));
    object.Set("spentNs", static_cast<double>(stats.spent));
    object.Set("elapsedNs", static_cast<double>(stats.elapsed));
    object.Set("cpuNs", static_cast<double>(stats.cpu));
    object.Set("scoutCpuNs", static_cast<double>(stats.scout_cpu));
    object.Set("spinNs", static_cast<double>(stats.spun));
    object.Set("signalsPerSecond", stats.signals_per_second);
    object.Set("wakeupsPerSecond", stats.wakeups_per_second);
    object.Set("share", stats.share);
    object.Set("signalCostNs", static_cast<double>(stats.signal_cost));
    object.Set("stretch", stats.stretch);
    object.Set("lateness", quantiles_object(env_, stats.lateness));
    object.Set("runError", quantiles_object(env_, stats.run_error));
    object.Set("stopError", quantiles_object(env_, stats.stop_error));
    object.Set("wakeLatency", quantiles_object(env_, stats.wake_latency));
    return object;
  }

  Napi::Value histograms(const Napi::CallbackInfo&) {
    const hobble::EngineHistograms histograms = engine_->histograms();
    Napi::Object object = Napi::Object::New(env_);
    object.Set("boundsNs", number_array(env_, histograms.bounds));
    object.Set("lateness", figures_array(env_, histograms.lateness));
    object.Set("runError", figures_array(env_, histograms.run_error));
    object.Set("stopError", figures_array(env_, histograms.stop_error));
    return object;
  }

  void target_stats(const Napi::CallbackInfo& info) {
    if (!info[0].IsTypedArray() || !info[1].IsTypedArray()) {
      coded_error(env_, "EINVAL", "targetStats needs two Float64Arrays").ThrowAsJavaScriptException();
      return;
    }
    const auto ids = info[0].As<Napi::Float64Array>();
    auto out = info[1].As<Napi::Float64Array>();
    const bool with_cpu = info[2].ToBoolean().Value();
    const size_t count = std::min(ids.ElementLength(), out.ElementLength() / kTargetFields);
    for (size_t i = 0; i < count; ++i) {
      double* const fields = out.Data() + i * kTargetFields;
      const auto id = static_cast<uint64_t>(ids.Data()[i]);
      const hobble::Target* const target = engine_->find(id);
      if (target != nullptr) {
        fill_fields(*target, id, fields);
        if (with_cpu) fields[22] = static_cast<double>(engine_->cpu_spent(id));
      }
      // The slot may have got another tenant meanwhile.
      if (engine_->find(id) == nullptr) fields[0] = NAN;
    }
  }

  Napi::Value members(const Napi::CallbackInfo& info) {
    const std::vector<pid_t> pids = engine_->members_of(id_of(info));
    Napi::Array array = Napi::Array::New(env_, pids.size());
    for (uint32_t i = 0; i < pids.size(); ++i) array.Set(i, pids[i]);
    return array;
  }

  Napi::Env env_;
  Bell bell_;
  bool bell_open_ = false;
  std::unique_ptr<hobble::Engine> engine_;
};

void pause_on_signal(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int number = static_cast<int>(checked_number(info[0], "signal", 1, 64));
  if (env.IsExceptionPending()) return;
  auto bell = Bell::New(env, info[1].As<Napi::Function>(), "hobble emergency", 0, 1);
  bell.Unref(env);
  if (!hobble::pause_engines_on(number, [bell] { bell.NonBlockingCall(); }))
    coded_error(env, "ERR_UNSUPPORTED", "a signal pauses this process's hobblers already, or no thread is left")
        .ThrowAsJavaScriptException();
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("Engine", EngineObject::define(env));
  exports.Set("pauseOnSignal", Napi::Function::New(env, pause_on_signal, "pauseOnSignal"));
  return exports;
}

}  // namespace

NODE_API_MODULE(hobble_engine, initialize)
