// Log-linear histograms of durations: fixed memory, written by one thread, readable at any time without stopping it.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "engine/clock.h"
#include "engine/counter.h"

namespace hobble {

struct Quantiles {
  uint64_t count = 0;
  double mean = 0;  // of the signed values
  double p50 = 0, p90 = 0, p99 = 0, p999 = 0, max = 0;
};

// What is told of one target. Ten thousand are asked for at once, so it stops at the bucket that holds the last quantile.
struct Summary {
  double mean = 0, p50 = 0, p99 = 0, max = 0;
};

// Buckets as HdrHistogram has them: each power of two is cut into 2^SubBits equal parts, so a value is known to 1 / 2^SubBits of itself.
// Values below `1 << UnitBits` ns share the first bucket, values too large the last. It keeps |value|, and the sum with its sign.
// When a bucket is full, all are halved: what quantiles are made of then weighs what is recent twice as much.
template <unsigned SubBits, unsigned UnitBits, unsigned Octaves, class Count>
class Histogram {
 public:
  static constexpr unsigned kSub = 1U << SubBits;
  static constexpr size_t kBuckets = static_cast<size_t>(Octaves + 1) * kSub;

  static constexpr size_t bucket_of(Nanos magnitude) {
    const uint64_t units = static_cast<uint64_t>(magnitude) >> UnitBits;
    if (units < kSub) return static_cast<size_t>(units);
    const unsigned octave = static_cast<unsigned>(std::bit_width(units)) - SubBits;  // 1 for the first octave above the linear part
    const size_t bucket = static_cast<size_t>(octave) * kSub + ((units >> (octave - 1)) - kSub);
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }

  // The middle of a bucket, ns.
  static constexpr double value_of(size_t bucket) {
    const auto octave = static_cast<unsigned>(bucket / kSub);
    const uint64_t part = bucket % kSub;
    const uint64_t low = octave == 0 ? part : (kSub + part) << (octave - 1);
    const uint64_t width = octave == 0 ? 1 : uint64_t{1} << (octave - 1);
    return (static_cast<double>(low) + static_cast<double>(width) / 2) * (uint64_t{1} << UnitBits);
  }

  void record(Nanos value) {
    const Nanos magnitude = value < 0 ? -value : value;
    Counter<Count>& bucket = buckets_[bucket_of(magnitude)];
    Count seen = bucket.get();
    if (seen == std::numeric_limits<Count>::max()) [[unlikely]] {
      halve();
      seen = bucket.get();
    }
    bucket.set(static_cast<Count>(seen + 1));
    in_buckets_.add(1);
    sum_.add(value);
    if (magnitude > max_.get()) max_.set(magnitude);
  }

  Summary summary() const {
    Summary summary;
    const uint64_t in_buckets = in_buckets_.get();
    if (in_buckets == 0) return summary;
    const auto total = static_cast<double>(in_buckets);
    summary.max = static_cast<double>(max_.get());
    summary.mean = static_cast<double>(sum_.get()) / static_cast<double>(in_buckets + halved_away_.get());
    summary.p50 = summary.p99 = summary.max;  // while a value is being recorded the buckets may lag behind the count
    uint64_t seen = 0;
    bool half = false;
    for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
      seen += buckets_[bucket].get();
      if (!half && static_cast<double>(seen) >= 0.5 * total) {
        half = true;
        summary.p50 = std::min(value_of(bucket), summary.max);
      }
      if (static_cast<double>(seen) >= 0.99 * total) {
        summary.p99 = std::min(value_of(bucket), summary.max);
        break;
      }
    }
    return summary;
  }

  // Adds this histogram to `totals` (kBuckets numbers), for quantiles over several.
  void add_to(std::span<uint64_t> totals) const {
    for (size_t i = 0; i < kBuckets; ++i) totals[i] += buckets_[i].get();
  }
  Nanos sum() const { return sum_.get(); }
  Nanos max() const { return max_.get(); }

 private:
  // Some 60 ns, once in 65,535 values of a bucket of 16 bits. What is not 0 stays so: the farthest bucket is what p99 may come from.
  void halve() {
    uint64_t left = 0;
    for (Counter<Count>& bucket : buckets_) {
      bucket.set(static_cast<Count>(bucket.get() - bucket.get() / 2));
      left += bucket.get();
    }
    halved_away_.add(in_buckets_.get() - left);
    in_buckets_.set(left);
  }

  Counter<uint64_t> in_buckets_;
  Counter<uint64_t> halved_away_;  // recorded, but no longer in the buckets
  Counter<Nanos> sum_;
  Counter<Nanos> max_;
  std::array<Counter<Count>, kBuckets> buckets_{};
};

// One for each engine: 3 % resolution, 64 ns to 34 s.
using EngineHistogram = Histogram<5, 6, 24, uint64_t>;
// Two for each target, so small: 25 % resolution in 216 bytes, 0.5 us to 4 s. Good enough to find the target that suffers.
using TargetHistogram = Histogram<2, 9, 22, uint16_t>;

// Quantiles of bucket counts; the maximum is exact, the others are middles of buckets and never above it.
Quantiles quantiles_of(std::span<const uint64_t> totals, double (*value_of)(size_t), Nanos sum, Nanos max);

template <class H>
Quantiles quantiles_of(const H& histogram) {
  std::array<uint64_t, H::kBuckets> totals{};
  histogram.add_to(totals);
  return quantiles_of(totals, &H::value_of, histogram.sum(), histogram.max());
}

}  // namespace hobble
