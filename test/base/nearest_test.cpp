// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/nearest.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace whiteowl;

TEST_CASE("the nearest name is found, a far one is not offered") {
  constexpr std::array<std::string_view, 3> names{"interface", "promiscuous", "snap_len"};
  CHECK(nearest("interfce", names) == "interface");
  CHECK(nearest("snaplen", names) == "snap_len");
  CHECK(nearest("promicsuous", names) == "promiscuous");
  CHECK(nearest("collector", names).empty());
}
