#include "engine/procfs.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>
#include <vector>

using namespace hobble;  // NOLINT(google-build-using-namespace)

namespace {
const std::string kRest = " S 7 8 9 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 12 0 987654 1 2 3\n";
}

TEST_CASE("stat: fields are counted after the last parenthesis, whatever the name holds") {
  for (const std::string& name : std::vector<std::string>{"sh", "a b", "x) S 1 (y", ") R 1 1", "((", ""}) {
    const auto stat = parse_stat("42 (" + name + ")" + kRest);
    REQUIRE(stat);
    CHECK(stat->pid == 42);
    CHECK(stat->name == name);
    CHECK(stat->state == 'S');
    CHECK(stat->parent == 7);
    CHECK(stat->group == 8);
    CHECK(stat->session == 9);
    CHECK(stat->threads == 12);
    CHECK(stat->start_ticks == 987654);
  }
}

TEST_CASE("stat: rubbish gives nothing") {
  for (const std::string& line : std::vector<std::string>{"", "42", "42 (sh", "42 )sh(", "x (sh)" + kRest, "42 (sh) S 7 8",
                                                          "42 (sh) S a b c d e f g h", "(sh)" + kRest}) {
    CHECK_FALSE(parse_stat(line));
  }
}

TEST_CASE("stat: of ourselves") {
  const auto stat = read_stat(getpid());
  REQUIRE(stat);
  CHECK(stat->parent == getppid());
  CHECK_FALSE(stat->kernel_thread());
  CHECK(thread_group_of(gettid()) == getpid());
}

TEST_CASE("stat: of nobody") {
  CHECK_FALSE(read_stat(4'194'305));
  CHECK(thread_group_of(4'194'305) == 0);
}
