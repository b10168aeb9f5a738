// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/seq_num.hpp"

#include <doctest/doctest.h>

#include "whiteowl/tcp/us_stamp.hpp"

using namespace whiteowl;

TEST_CASE("sequence numbers go round the circle") {
  CHECK(SeqNum{5} - SeqNum{0xFFFFFFFB} == 10);
  CHECK(SeqNum{0xFFFFFFFB} - SeqNum{5} == -10);
  CHECK(SeqNum{0xFFFFFFFB}.before(SeqNum{5}));
  CHECK(SeqNum{5}.after(SeqNum{0xFFFFFFFB}));
  CHECK(SeqNum{0xFFFFFFFF} + 1U == SeqNum{0});
  CHECK(!SeqNum{7}.before(SeqNum{7}));
  CHECK(!SeqNum{7}.after(SeqNum{7}));
}

TEST_CASE("stamps keep differences over the 32-bit wrap and below zero") {
  constexpr std::int64_t wrap = std::int64_t{1} << 32;
  CHECK(UsStamp{wrap + 5} - UsStamp{wrap - 5} == 10);
  CHECK(UsStamp{-5} - UsStamp{5} == -10);
  CHECK(UsStamp{1'000} - (UsStamp{1'000} - 2'000U) == 2'000);
}

TEST_CASE("an old stamp stays old for 53 minutes, and a clock that steps back makes none old") {
  constexpr std::int64_t minute = 60'000'000;
  const UsStamp seen{minute};
  CHECK(!seen.older_than(1'000'000, UsStamp{minute + 999'999}));
  CHECK(seen.older_than(1'000'000, UsStamp{minute + 1'000'000}));
  CHECK(seen.older_than(1'000'000, UsStamp{54 * minute}));
  CHECK(!seen.older_than(1'000'000, UsStamp{-16 * minute}));
}
