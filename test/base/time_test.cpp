// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/time.hpp"

#include <doctest/doctest.h>

using namespace whiteowl;
using namespace std::chrono_literals;

TEST_CASE("milliseconds are floored, before 1970 too") {
  CHECK(floor_milliseconds(Timestamp{1'999'999ns}) == 1);
  CHECK(floor_milliseconds(Timestamp{-1ns}) == -1);
  CHECK(floor_milliseconds(Timestamp{-1'000'000ns}) == -1);
  CHECK(floor_microseconds(Timestamp{-1ns}) == -1);
}

TEST_CASE("age follows stamps forward, waits out small steps back and follows a clock that was set back") {
  AgeClock clock;
  clock.advance(Timestamp{1000s});
  CHECK(clock.now() == 0s);
  clock.advance(Timestamp{1005s});
  clock.advance(Timestamp{1004500ms});
  CHECK(clock.now() == 5s);
  clock.advance(Timestamp{1006s});
  CHECK(clock.now() == 6s);
  CHECK(clock.steps_back() == 0);
  clock.advance(Timestamp{400s});
  CHECK(clock.now() == 6s);
  CHECK(clock.steps_back() == 1);
  clock.advance(Timestamp{403s});
  CHECK(clock.now() == 9s);
}
