// The class ProcessScanner of the host addon, as part of addon.cc: passes over /proc on a thread of libuv's pool, and results as blocks of
// numbers and one text, which cost JavaScript's thread a copy. Declared for TypeScript in src/native.ts.
#pragma once

#include <napi.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "host/process_scan.h"

namespace hobble {

// Numbers of a row, in this order (`ProcessField` in src/native.ts).
constexpr size_t kRowNumbers = 16;

inline void fill_row(const ProcessRow& row, double* out) {
  const double numbers[kRowNumbers] = {
      static_cast<double>(row.pid),         row.first ? 1.0 : 0.0,
      static_cast<double>(row.start_ticks), static_cast<double>(row.inode),
      static_cast<double>(row.parent),      static_cast<double>(row.group),
      static_cast<double>(row.session),     static_cast<double>(row.uid),
      static_cast<double>(row.state),       static_cast<double>(row.threads),
      static_cast<double>(row.nice),        static_cast<double>(row.resident_bytes),
      static_cast<double>(row.cpu_ns),      static_cast<double>(row.waited_ns),
      static_cast<double>(row.read_at),     static_cast<double>(row.texts),
  };
  memcpy(out, numbers, sizeof numbers);
}

class ScanWorker : public Napi::AsyncWorker {
 public:
  ScanWorker(Napi::Env env, std::shared_ptr<ProcessScan> scan, std::shared_ptr<bool> busy, bool all, std::vector<pid_t> pids)
      : AsyncWorker(env, "hobble scan"),
        deferred_(Napi::Promise::Deferred::New(env)),
        scan_(std::move(scan)),
        busy_(std::move(busy)),
        all_(all),
        pids_(std::move(pids)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    result_ = all_ ? scan_->scan() : scan_->look(pids_);
    numbers_.resize(result_.rows.size() * kRowNumbers);
    for (size_t i = 0; i < result_.rows.size(); ++i) fill_row(result_.rows[i], &numbers_[i * kRowNumbers]);
  }

  void OnOK() override {
    *busy_ = false;
    const Napi::Env env = Env();
    Napi::Object object = Napi::Object::New(env);
    Napi::Float64Array rows = Napi::Float64Array::New(env, numbers_.size());
    memcpy(rows.Data(), numbers_.data(), numbers_.size() * sizeof(double));
    Napi::Uint32Array lengths = Napi::Uint32Array::New(env, result_.lengths.size());
    memcpy(lengths.Data(), result_.lengths.data(), result_.lengths.size() * sizeof(uint32_t));
    Napi::Int32Array gone = Napi::Int32Array::New(env, result_.gone.size());
    memcpy(gone.Data(), result_.gone.data(), result_.gone.size() * sizeof(pid_t));
    object.Set("complete", result_.complete);
    object.Set("rows", rows);
    object.Set("lengths", lengths);
    object.Set("gone", gone);
    object.Set("text", Napi::Buffer<char>::Copy(env, result_.text.data(), result_.text.size()));
    object.Set("processes", result_.processes);
    object.Set("kernelThreads", result_.kernel_threads);
    object.Set("hidden", result_.hidden);
    object.Set("unreadable", result_.unreadable);
    object.Set("read", result_.read);
    object.Set("takenAtNs", static_cast<double>(result_.taken_at));
    object.Set("cpuNs", static_cast<double>(result_.cpu_ns));
    deferred_.Resolve(object);
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<ProcessScan> scan_;
  std::shared_ptr<bool> busy_;
  bool all_;
  std::vector<pid_t> pids_;
  ScanResult result_;
  std::vector<double> numbers_;
};

class ProcessScanner : public Napi::ObjectWrap<ProcessScanner> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "ProcessScanner",
                       {InstanceMethod<&ProcessScanner::Scan>("scan"), InstanceMethod<&ProcessScanner::Look>("look")});
  }

  explicit ProcessScanner(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    const uint32_t texts = info[0].IsNumber() ? info[0].As<Napi::Number>().Uint32Value() : 0;
    scan_ = std::make_shared<ProcessScan>(texts);
  }

  Napi::Value Scan(const Napi::CallbackInfo& info) { return begin(info.Env(), true, {}); }

  Napi::Value Look(const Napi::CallbackInfo& info) {
    std::vector<pid_t> pids;
    if (info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_int32_array) {
      const auto given = info[0].As<Napi::Int32Array>();
      pids.assign(given.Data(), given.Data() + given.ElementLength());
    }
    return begin(info.Env(), false, std::move(pids));
  }

 private:
  Napi::Value begin(Napi::Env env, bool all, std::vector<pid_t> pids) {
    if (*busy_) {
      Napi::Error::New(env, "a scan is under way").ThrowAsJavaScriptException();
      return env.Undefined();
    }
    *busy_ = true;
    // It deletes itself when it is done. The scan is shared with it: the wrapper may be collected meanwhile.
    auto* const worker = new ScanWorker(env, scan_, busy_, all, std::move(pids));
    worker->Queue();
    return worker->promise();
  }

  std::shared_ptr<ProcessScan> scan_;
  std::shared_ptr<bool> busy_ = std::make_shared<bool>(false);  // JavaScript's thread only
};

}  // namespace hobble
