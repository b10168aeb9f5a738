// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/rtt_estimate.hpp"

#include <doctest/doctest.h>

#include "harness.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

TEST_CASE("SRTT and RTTVAR follow RFC 6298 2, and outlive snapshots") {
  ConversationRun run{extended_settings()};
  run.feed(parse_tcp_script("HS\n"));
  auto a = run.take().extended[0];
  CHECK(a.rtt_sample_count == 1);
  CHECK(a.smoothed_rtt_us == 20'000);
  CHECK(a.rtt_variation_us == 10'000);
  run.feed(parse_tcp_script("40 > 1001 5001 100 A 64000\n68 < 5001 1101 0 A 65000\n"));
  a = run.take().extended[0];
  CHECK(a.rtt_sample_count == 1);
  CHECK(a.smoothed_rtt_us == 21'000);  // 7/8 * 20000 + 1/8 * 28000
  CHECK(a.rtt_variation_us == 9'500);  // 3/4 * 10000 + 1/4 * 8000
  a = run.take().extended[0];
  CHECK(a.rtt_sample_count == 0);
  CHECK(a.smoothed_rtt_us == 21'000);
}

TEST_CASE("each half of the handshake belongs to the record whose destination answered, the sum to both") {
  const auto both = extended_of("HS\n");
  CHECK(both[0].handshake_rtt_us == 20'000);
  CHECK(both[1].handshake_rtt_us == 10'000);
  for (const auto& record : both) CHECK(record.handshake_total_us == 30'000);
}

TEST_CASE("a half that took no time is 1 us, so that 0 means not known") {
  const auto both = extended_of("0 > 1000 0 0 S 1\n0 < 5000 1001 0 SA 1\n0 > 1001 5001 0 A 1\n");
  CHECK(both[0].handshake_rtt_us == 1);
  CHECK(both[1].handshake_rtt_us == 1);
  CHECK(both[0].handshake_total_us == 2);
}

TEST_CASE("where one way passes, SYN to third packet is the whole handshake, unless the SYN was repeated") {
  CHECK(extended_of("0 > 1000 0 0 S 1\n35 > 1001 5001 0 A 1\n")[0].handshake_total_us == 35'000);
  CHECK(extended_of("0 > 1000 0 0 S 1\n35 > 1001 5001 0 A 1\n")[0].handshake_rtt_us == 0);
  CHECK(extended_of("0 > 1000 0 0 S 1\n9 > 1000 0 0 S 1\n35 > 1001 5001 0 A 1\n")[0].handshake_total_us == 0);
  CHECK(extended_of("0 > 1000 0 0 S 1\n35 > 1002 5001 0 A 1\n")[0].handshake_total_us == 0);
  CHECK(extended_of("0 > 1000 0 0 S 1\n30001 > 1001 5001 0 A 1\n")[0].handshake_total_us == 0);
}

TEST_CASE("the smallest echo is also that of pure ACKs, if data brings it") {
  const std::string begin =
      "0 > 1000 0 0 S 1 ts=100/0\n20 < 5000 1001 0 SA 1 ts=900/100\n30 > 1001 5001 0 A 1 ts=130/900\n";
  CHECK(extended_of(begin + "45 < 5001 1001 9 A 1 ts=930/130\n")[0].ts_min_rtt_us == 15'000);
  CHECK(extended_of(begin + "45 < 5001 1001 0 A 1 ts=930/130\n")[0].ts_min_rtt_us == 0);
}

TEST_CASE("the smallest echo is measured whether or not echoes count as samples") {
  const std::string script =
      "HS\n40 > 1001 5001 100 A 64000 ts=100/7\n41 > 1101 5001 100 A 64000 ts=101/7\n63 < 5001 1151 0 A 65000 "
      "ts=9/100\n";
  TcpSettings without = extended_settings();
  without.ts_rtt = false;
  const auto with_echo = run_script(script, extended_settings()).back(), exact = run_script(script, without).back();
  CHECK(with_echo.extended[0].ts_min_rtt_us == 23'000);
  CHECK(exact.extended[0].ts_min_rtt_us == 23'000);
  CHECK(with_echo.extended[0].rtt_sample_count == 2);
  CHECK(exact.extended[0].rtt_sample_count == 1);
  CHECK((with_echo.extended[0].quality & tcp_quality::kTimestampSample) != 0);
  CHECK((exact.extended[0].quality & tcp_quality::kTimestampSample) == 0);
}

TEST_CASE("rtt_side source exchanges what is about the round trip, and nothing else") {
  TcpSettings source = extended_settings();
  source.rtt_side = RttSide::source;
  const std::string script = "HS\n40 > 1001 5001 100 PA 64000\n62 < 5001 1101 500 PA 65000\n72 > 1101 5501 0 A 64000\n";
  const auto straight = extended_of(script), exchanged = extended_of(script, source);
  for (unsigned d = 0; d < 2; ++d) {
    CHECK(exchanged[d].rtt_sample_count == straight[1 - d].rtt_sample_count);
    CHECK(exchanged[d].smoothed_rtt_us == straight[1 - d].smoothed_rtt_us);
    CHECK(exchanged[d].rtt_variation_us == straight[1 - d].rtt_variation_us);
    CHECK(exchanged[d].handshake_rtt_us == straight[1 - d].handshake_rtt_us);
    CHECK(exchanged[d].handshake_total_us == straight[d].handshake_total_us);
    CHECK(exchanged[d].unique_octets == straight[d].unique_octets);
    CHECK(exchanged[d].response_count == straight[d].response_count);
  }
  CHECK(exchanged[0].handshake_rtt_us == 10'000);
}
