// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/extended.hpp"

#include <doctest/doctest.h>

#include "harness.hpp"
#include "random_stream.hpp"
#include "vectors.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

TEST_CASE("the six fields are the same with the extended set and without") {
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    const auto lines = seed % 2 == 0
                           ? wild_stream(seed, 4 + seed % 60)
                           : mutated_stream(parse_tcp_script(kTcpVectors[seed % kTcpVectors.size()].script), seed);
    ConversationRun plain, extended{extended_settings()};
    plain.feed(lines);
    extended.feed(lines);
    const auto a = plain.results(), b = extended.results();
    INFO("seed " << seed);
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i)
      for (unsigned d = 0; d < 2; ++d) CHECK(a[i].fields[d] == b[i].fields[d]);
  }
}

TEST_CASE("without the extended set its figures are all zero, in strict mode too") {
  for (const RetransmitMode mode : {RetransmitMode::seed, RetransmitMode::strict}) {
    TcpSettings settings;
    settings.retransmit_mode = mode;
    for (const auto& e : extended_of(kTcpVectors[6].script, settings)) {
      CHECK(e == TcpExtendedFields{});
    }
  }
}

TEST_CASE("a segment outside the window moves nothing but the marks in its headers") {
  const std::string begin = "HS\n40 > 1001 5001 100 PA 64000\n60 < 5001 1101 0 A 65000\n";
  auto with = extended_of(begin + "70 > 500000000 5001 100 PA 0 ce=1\n")[0];
  const auto without = extended_of(begin)[0];
  CHECK(with.ecn_ce_count == 1);
  with.ecn_ce_count = 0;
  CHECK(with == without);
}

TEST_CASE("a tuple used again begins anew in everything that outlives snapshots") {
  ConversationRun run{extended_settings()};
  run.feed(
      parse_tcp_script("0 > 1000 0 0 S 9 mss=1460 sok=1\n20 < 5000 1001 0 SA 9 mss=1460\n30 > 1001 5001 0 A 9\n"
                       "40 > 1001 5001 0 RA 9\n90 > 9000 0 0 S 9\n"));
  const auto results = run.results();
  REQUIRE(results.size() == 2);
  CHECK(results[0].extended[0].tcp_mss == 1460);
  CHECK(results[0].extended[0].smoothed_rtt_us == 20'000);
  const auto& fresh = results[1].extended[0];
  CHECK(fresh.tcp_mss == 0);
  CHECK(fresh.smoothed_rtt_us == 0);
  CHECK(fresh.handshake_total_us == 0);
  CHECK(fresh.quality == (tcp_quality::kSynSeen | tcp_quality::kOneWay | tcp_quality::kSourceIsInitiator));
}

TEST_CASE("a direction takes 176 octets more, a conversation 360") {
  CHECK(sizeof(TcpColdDirection) <= 176);
  TcpSettings plain;
  plain.syn_cache_max = 10;
  TcpSettings extended = plain;
  extended.extended = true;
  const auto more = TcpMeter{extended, 1, 1000}.memory_octets() - TcpMeter{plain, 1, 1000}.memory_octets();
  CHECK(more >= 360'000);
  CHECK(more < 370'000);
}
