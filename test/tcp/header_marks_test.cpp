// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/header_marks.hpp"

#include <doctest/doctest.h>

#include "harness.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

TEST_CASE("congestion marks are counted by direction; those of the SYNs negotiate and do not count") {
  const auto both = extended_of(
      "0 > 1000 0 0 SEC 64000\n20 < 5000 1001 0 SAE 65000\n30 > 1001 5001 0 A 64000\n40 > 1001 5001 1000 A 64000 "
      "ce=1\n60 < 5001 2001 0 AE 65000\n70 > 2001 5001 1000 AC 64000\n");
  CHECK(both[0].ecn_ce_count == 1);
  CHECK(both[0].ecn_ece_count == 0);
  CHECK(both[0].ecn_cwr_count == 1);
  CHECK(both[1].ecn_ce_count == 0);
  CHECK(both[1].ecn_ece_count == 1);
  CHECK(both[1].ecn_cwr_count == 0);
}

TEST_CASE("congestion is read from the traffic class of IPv6 too") {
  const auto result = run_script("HS\n40 > 1001 5001 1000 A 64000 ce=1\n", extended_settings(), {.ip_version = 6});
  CHECK(result.back().extended[0].ecn_ce_count == 1);
}

TEST_CASE("option kind k is bit k of tcpOptions (IE 209), and the bits are of the interval") {
  ConversationRun run{extended_settings()};
  run.feed(parse_tcp_script("0 > 1000 0 0 S 64000 mss=1460 ws=7 sok=1 ts=5/0\n"));
  CHECK(run.take().extended[0].tcp_options == ((1U << 1U) | (1U << 2U) | (1U << 3U) | (1U << 4U) | (1U << 8U)));
  run.feed(parse_tcp_script("20 < 5000 1001 0 SA 65000 ts=6/5\n30 > 1001 5001 0 A 64000 ts=7/6\n"));
  auto both = run.take().extended;
  CHECK(both[0].tcp_options == ((1U << 1U) | (1U << 8U)));
  CHECK(both[1].tcp_options == ((1U << 1U) | (1U << 8U)));
  run.feed(parse_tcp_script("40 > 1001 5001 0 A 64000\n41 < 5001 1001 0 A 65000 sack=1-2\n"));
  both = run.take().extended;
  CHECK(both[0].tcp_options == 0);
  CHECK(both[1].tcp_options == ((1U << 1U) | (1U << 5U)));
}

TEST_CASE("the MSS is that of the direction's own SYN, and outlives snapshots") {
  ConversationRun run{extended_settings()};
  run.feed(parse_tcp_script("0 > 1000 0 0 S 64000 mss=1460\n20 < 5000 1001 0 SA 65000 mss=536\n"));
  static_cast<void>(run.take());
  const auto both = run.take().extended;
  CHECK(both[0].tcp_mss == 1460);
  CHECK(both[1].tcp_mss == 536);
}

TEST_CASE("a segment above what the receiver's MSS allows was put together by offloading") {
  const auto super = [](const std::string& offers, const std::string& octets) {
    const std::string syns = offers.empty() ? "" : "0 > 1000 0 0 S 64000 mss=9960\n20 < 5000 1001 0 SA 65000" + offers;
    const auto a = extended_of(syns + "\n30 > 1001 5001 " + octets + " A 64000\n")[0];
    return (a.quality & tcp_quality::kSuperSegments) != 0;
  };
  CHECK(!super(" mss=1460", "1460"));
  CHECK(super(" mss=1460", "1461"));
  CHECK(!super(" ", "9960"));  // the receiver's is not known: the sender's own
  CHECK(super(" ", "9961"));
  CHECK(!super("", "9000"));  // no SYN was seen
  CHECK(super("", "9001"));
}
