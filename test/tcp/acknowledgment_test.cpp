// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/acknowledgment.hpp"

#include <doctest/doctest.h>

#include "harness.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {
std::array<TcpExtendedFields, 2> both(const std::string& behind_handshake) {
  return extended_of("HS\n40 > 1001 5001 1000 A 64000\n41 > 2001 5001 1000 A 64000\n" + behind_handshake);
}
}  // namespace

TEST_CASE("a duplicate ACK repeats number and window, carries nothing, and something is outstanding") {
  CHECK(both("62 < 5001 1001 0 A 65000\n")[1].duplicate_ack_count == 1);
  CHECK(both("62 < 5001 1001 0 A 64999\n")[1].duplicate_ack_count == 0);
  CHECK(both("62 < 5001 1001 9 A 65000\n")[1].duplicate_ack_count == 0);
  CHECK(both("62 < 5001 3001 0 A 65000\n63 < 5001 3001 0 A 65000\n")[1].duplicate_ack_count == 0);
}

TEST_CASE("a lone D-SACK is counted for the data's sender and is no duplicate ACK (RFC 2883)") {
  const auto below = both("62 < 5001 2001 0 A 65000\n63 < 5001 2001 0 A 65000 sack=1001-2001\n");
  CHECK(below[0].dsack_count == 1);
  CHECK(below[1].duplicate_ack_count == 0);
  const auto inside = both("62 < 5001 1001 0 A 65000 sack=2101-2201,2001-3001\n");
  CHECK(inside[0].dsack_count == 1);
  CHECK(inside[1].duplicate_ack_count == 1);
  CHECK(both("62 < 5001 1001 0 A 65000 sack=2001-3001\n")[0].dsack_count == 0);
}

TEST_CASE("octets acknowledged beyond everything seen, or in a hole, were not seen") {
  CHECK(both("62 < 5001 4001 0 A 65000\n")[0].unseen_octets == 1000);
  CHECK(both("42 > 4001 5001 1000 A 64000\n62 < 5001 5001 0 A 65000\n")[0].unseen_octets == 1000);
  CHECK(both("42 > 4001 5001 1000 A 64000\n62 < 5001 3501 0 A 65000\n")[0].unseen_octets == 500);
  CHECK((both("62 < 5001 4001 0 A 65000\n")[0].quality & tcp_quality::kCaptureLoss) != 0);
  CHECK((both("62 < 5001 3001 0 A 65000\n")[0].quality & tcp_quality::kCaptureLoss) == 0);
}

TEST_CASE("an ACK more than 2^30 ahead is not believed") {
  CHECK(both("62 < 5001 1073744826 0 A 65000\n")[0].unseen_octets == 0);  // 3001 + 2^30 + 1
  CHECK(both("62 < 5001 1073744825 0 A 65000\n")[0].unseen_octets == 1U << 30U);
}

TEST_CASE("what passed in fragments is not looked into, and is not unseen") {
  ConversationRun run{extended_settings()};
  run.feed(parse_tcp_script("HS\n40 > 1001 5001 100 A 64000\n"));
  run.feed_fragment(0);
  run.feed(parse_tcp_script("60 < 5001 2561 0 A 65000\n"));
  CHECK(run.take().extended[0].unseen_octets == 0);
}
