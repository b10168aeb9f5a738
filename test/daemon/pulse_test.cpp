// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/pulse.hpp"

#include <doctest/doctest.h>

using namespace whiteowl;

TEST_CASE("a thread whose count stands still is named until it moves again or ends") {
  using Names = std::vector<std::string>;
  Pulse pulse;
  CHECK(pulse.stuck({{"capture-0", 1}, {"export", 9}}).empty());
  CHECK(pulse.stuck({{"capture-0", 1}, {"export", 10}}) == Names{"capture-0"});
  CHECK(pulse.stuck({{"capture-0", 1}, {"export", 10}}) == Names{"capture-0", "export"});
  CHECK(pulse.stuck({{"capture-0", 2}, {"export", 10}}) == Names{"export"});
  CHECK(pulse.stuck({{"capture-0", 3}, {"export", 10, true}}).empty());
}

TEST_CASE("a thread that never made a round is stuck from the start") {
  Pulse pulse;
  CHECK(pulse.stuck({{"capture-0", 0}}).size() == 1);
}
