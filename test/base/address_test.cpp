// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/address.hpp"

#include <doctest/doctest.h>

using namespace whiteowl;

TEST_CASE("addresses read as engineers write them") {
  CHECK(to_string(MacAddress{{0x02, 0, 0, 0, 0, 0xFE}}) == "02:00:00:00:00:fe");
  CHECK(to_string(Ipv4Address{{192, 0, 2, 1}}) == "192.0.2.1");
  CHECK(to_string(Ipv6Address{{0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}) == "2001:db8::1");
}
