// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/quality.hpp"

#include <doctest/doctest.h>

#include "harness.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

bool has(const TcpExtendedFields& record, std::uint16_t bits) { return (record.quality & bits) == bits; }

}  // namespace

TEST_CASE("an ordinary conversation: both SYNs seen, A opened it, nothing is doubted") {
  const auto both = extended_of("HS\n");
  CHECK(both[0].quality == (tcp_quality::kSynSeen | tcp_quality::kSourceIsInitiator));
  CHECK(both[1].quality == tcp_quality::kSynSeen);
  CHECK(both[0].tcp_state == static_cast<std::uint8_t>(TcpState::established));
}

TEST_CASE("begun in the middle, and one way only") {
  const auto both = extended_of("0 > 1 1 100 A 9\n");
  CHECK(both[0].quality == (tcp_quality::kMidstream | tcp_quality::kOneWay));
  const auto two_way = extended_of("0 > 1 1 100 A 9\n1 < 1 101 0 A 9\n");
  CHECK(two_way[0].quality == tcp_quality::kMidstream);
  CHECK(two_way[1].quality == tcp_quality::kMidstream);
}

TEST_CASE("who closed and who reset is said from each record's side") {
  const auto fins = extended_of("HS\n40 > 1001 5001 0 FA 9\n");
  CHECK(has(fins[0], tcp_quality::kFinBySource));
  CHECK(has(fins[1], tcp_quality::kFinByDestination));
  CHECK(!has(fins[1], tcp_quality::kFinBySource));
  CHECK(fins[0].tcp_state == static_cast<std::uint8_t>(TcpState::fin_wait));
  const auto reset = extended_of("HS\n40 < 5001 1001 0 RA 9\n41 > 1001 5001 0 R 9\n");  // the first one counts
  CHECK(has(reset[0], tcp_quality::kResetByDestination));
  CHECK(has(reset[1], tcp_quality::kResetBySource));
  CHECK(!has(reset[0], tcp_quality::kResetBySource));
  CHECK(reset[0].tcp_state == static_cast<std::uint8_t>(TcpState::closed));
}

TEST_CASE("a handshake is ambiguous where a repeated SYN or SYN-ACK was answered and time stamps do not help") {
  const std::string twice = "0 > 1000 0 0 S 9\n1000 > 1000 0 0 S 9\n";
  CHECK(!has(extended_of(twice)[0], tcp_quality::kHandshakeAmbiguous));  // not answered yet
  const auto both = extended_of(twice + "1020 < 5000 1001 0 SA 9\n1030 > 1001 5001 0 A 9\n");
  CHECK(has(both[0], tcp_quality::kHandshakeAmbiguous));
  CHECK(has(both[1], tcp_quality::kHandshakeAmbiguous));
  CHECK(!has(extended_of("0 > 1000 0 0 S 9 ts=1/0\n1000 > 1000 0 0 S 9 ts=2/0\n1020 < 5000 1001 0 SA 9 ts=7/2\n")[0],
             tcp_quality::kHandshakeAmbiguous));
  CHECK(
      has(extended_of("0 > 1000 0 0 S 9\n20 < 5000 1001 0 SA 9\n1020 < 5000 1001 0 SA 9\n1030 > 1001 5001 0 A 9\n")[0],
          tcp_quality::kHandshakeAmbiguous));
}

TEST_CASE("offers and copies") {
  const auto both = extended_of("0 > 1000 0 0 S 9 sok=1 ts=5/0\n20 < 5000 1001 0 SA 9\n20 < 5000 1001 0 SA 9 id==\n");
  CHECK(has(both[0], tcp_quality::kSackOffered | tcp_quality::kTimestamps | tcp_quality::kCapturedTwice));
  CHECK(!has(both[1], tcp_quality::kSackOffered));
  CHECK(!has(both[1], tcp_quality::kTimestamps));
  CHECK(has(both[1], tcp_quality::kCapturedTwice));
  CHECK(both[1].duplicate_packet_count == 1);
}

TEST_CASE("more holes at once than are remembered are said") {
  std::string script = "HS\n";
  for (int i = 0; i < 4; ++i)
    script += std::to_string(40 + i) + " > " + std::to_string(2001 + 2000 * i) + " 5001 1000 A 9\n";
  CHECK(has(extended_of(script)[0], tcp_quality::kHoleOverflow));
  CHECK(!has(extended_of(script.substr(0, script.rfind("43")))[0], tcp_quality::kHoleOverflow));
}
