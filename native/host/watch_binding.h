// The class ProcessWatcher of the host addon, as part of addon.cc. Declared for TypeScript in src/native.ts.
#pragma once

#include <napi.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/process_watch.h"

namespace hobble {

class ProcessWatcher : public Napi::ObjectWrap<ProcessWatcher> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "ProcessWatcher", {InstanceMethod<&ProcessWatcher::Stop>("stop")});
  }

  explicit ProcessWatcher(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    const Napi::Env env = info.Env();
    if (!info[0].IsFunction()) {
      Napi::TypeError::New(env, "a function is needed").ThrowAsJavaScriptException();
      return;
    }
    // Some batches may wait for JavaScript; when it does not come round to them, the next scan finds everything anyway.
    constexpr size_t kMostWaiting = 16;
    calls_ = Napi::ThreadSafeFunction::New(env, info[0].As<Napi::Function>(), "hobble process events", kMostWaiting, 1);
    calls_.Unref(env);
    std::string why;
    watch_ = ProcessWatch::start([calls = calls_](std::vector<pid_t> pids, bool lost) { tell(calls, std::move(pids), lost); }, why);
    if (watch_) return;
    calls_.Release();
    Napi::Error::New(env, why).ThrowAsJavaScriptException();
  }

  void Stop(const Napi::CallbackInfo& /*info*/) { stop(); }
  void Finalize(Napi::Env /*env*/) override { stop(); }

 private:
  struct Batch {
    std::vector<pid_t> pids;
    bool lost;
  };

  static void tell(const Napi::ThreadSafeFunction& calls, std::vector<pid_t> pids, bool lost) {
    const auto call = [](Napi::Env env, Napi::Function listener, Batch* told) {
      const std::unique_ptr<Batch> batch(told);
      Napi::Int32Array array = Napi::Int32Array::New(env, batch->pids.size());
      memcpy(array.Data(), batch->pids.data(), batch->pids.size() * sizeof(pid_t));
      listener.Call({array, Napi::Boolean::New(env, batch->lost)});
    };
    auto batch = std::make_unique<Batch>(Batch{std::move(pids), lost});
    if (calls.NonBlockingCall(batch.get(), call) == napi_ok) static_cast<void>(batch.release());
  }

  void stop() {
    if (!watch_) return;
    watch_.reset();  // joins its thread, which calls no more after that
    calls_.Release();
  }

  Napi::ThreadSafeFunction calls_;
  std::unique_ptr<ProcessWatch> watch_;
};

}  // namespace hobble
