#include "engine/histogram.h"

#include <algorithm>

namespace hobble {

Quantiles quantiles_of(std::span<const uint64_t> totals, double (*value_of)(size_t), Nanos sum, Nanos max) {
  Quantiles result;
  for (const uint64_t count : totals) result.count += count;
  if (result.count == 0) return result;
  const auto total = static_cast<double>(result.count);
  const auto largest = static_cast<double>(max);
  result.mean = static_cast<double>(sum) / total;
  result.max = largest;

  struct Wanted {
    double share;
    double* value;
  };
  const std::array<Wanted, 4> wanted{{{0.5, &result.p50}, {0.9, &result.p90}, {0.99, &result.p99}, {0.999, &result.p999}}};
  auto next = wanted.begin();
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < totals.size() && next != wanted.end(); ++bucket) {
    seen += totals[bucket];
    while (next != wanted.end() && static_cast<double>(seen) >= next->share * total) *(next++)->value = std::min(value_of(bucket), largest);
  }
  return result;
}

}  // namespace hobble
