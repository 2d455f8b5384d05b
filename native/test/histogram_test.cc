#include "engine/histogram.h"

#include <doctest/doctest.h>

#include <memory>

using namespace hobble;  // NOLINT(google-build-using-namespace)

TEST_CASE("histogram: every value falls into a bucket whose middle is near it") {
  for (Nanos value = 2048; value < 30 * kSecond; value += value / 7 + 1) {
    const double middle = EngineHistogram::value_of(EngineHistogram::bucket_of(value));
    REQUIRE(middle == doctest::Approx(static_cast<double>(value)).epsilon(0.04));
    const double coarse = TargetHistogram::value_of(TargetHistogram::bucket_of(value));
    if (value > 1024 && value < 2 * kSecond) REQUIRE(coarse == doctest::Approx(static_cast<double>(value)).epsilon(0.26));
  }
}

TEST_CASE("histogram: too large a value goes into the last bucket, and the maximum tells it") {
  auto histogram = std::make_unique<TargetHistogram>();
  histogram->record(3600 * kSecond);
  CHECK(TargetHistogram::bucket_of(3600 * kSecond) == TargetHistogram::kBuckets - 1);
  CHECK(quantiles_of(*histogram).max == 3600e9);
}

TEST_CASE("histogram: quantiles of absolute values, mean of signed ones") {
  auto histogram = std::make_unique<EngineHistogram>();
  for (Nanos value = 1; value <= 1000; ++value) histogram->record(value % 2 == 0 ? value * 1000 : -value * 1000);
  const Quantiles quantiles = quantiles_of(*histogram);
  CHECK(quantiles.count == 1000);
  CHECK(quantiles.p50 == doctest::Approx(500e3).epsilon(0.04));
  CHECK(quantiles.p99 == doctest::Approx(990e3).epsilon(0.04));
  CHECK(quantiles.max == 1e6);
  CHECK(quantiles.mean == doctest::Approx(500));
}

TEST_CASE("histogram: empty, all zero") {
  auto histogram = std::make_unique<EngineHistogram>();
  CHECK(quantiles_of(*histogram).count == 0);
  CHECK(quantiles_of(*histogram).p99 == 0);
}

TEST_CASE("histogram: the summary of a target agrees with the quantiles") {
  auto histogram = std::make_unique<TargetHistogram>();
  CHECK(histogram->summary().max == 0);
  for (Nanos value = 1; value <= 1000; ++value) histogram->record(value % 3 == 0 ? -value * 1000 : value * 1000);
  const Quantiles quantiles = quantiles_of(*histogram);
  const Summary summary = histogram->summary();
  CHECK(summary.p50 == quantiles.p50);
  CHECK(summary.p99 == quantiles.p99);
  CHECK(summary.max == quantiles.max);
  CHECK(summary.mean == quantiles.mean);
}

TEST_CASE("histogram: full buckets are halved, which moves no quantile by much, and count and mean not at all") {
  auto histogram = std::make_unique<TargetHistogram>();
  constexpr int kRounds = 300'000;
  for (int i = 0; i < kRounds; ++i) histogram->record(i % 50 == 0 ? 10 * kMillisecond : 10 * kMicrosecond);
  const Summary summary = histogram->summary();
  CHECK(summary.p50 == doctest::Approx(10e3).epsilon(0.26));
  CHECK(summary.p99 == doctest::Approx(10e6).epsilon(0.26));
  CHECK(summary.max == 10e6);
  CHECK(summary.mean == doctest::Approx(0.98 * 10e3 + 0.02 * 10e6));
}
