// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/handshake.hpp"

#include <doctest/doctest.h>

#include "harness.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

TEST_CASE("a SYN-ACK repeated after its sample gives no second one") {
  const auto a =
      run_script("0 > 1000 0 0 S 64000\n20 < 5000 1001 0 SA 65000\n21 > 1000 0 0 S 64000\n50 < 5000 1001 0 SA 65000\n")
          .back();
  CHECK(a.fields[0].max_rtt_us == 20'000);
  CHECK(a.fields[0].retransmit_count == 1);
  CHECK(a.fields[1].retransmit_count == 1);
}

TEST_CASE("a stray SYN that came twice proves its successor without a handshake time (Karn)") {
  const auto results = run_script(
      "HS\n1000 > 777000 0 0 S 64000\n2000 > 777000 0 0 S 64000\n2020 < 888000 777001 0 SA 65000\n2030 > 777001 888001 "
      "0 A 64000\n");
  REQUIRE(results.size() == 2);
  CHECK(results[1].fields[0].max_rtt_us == 0);
  CHECK(results[1].fields[1].max_rtt_us == 10'000);
  CHECK(results[1].state == TcpState::established);
}

TEST_CASE("a proven SYN hands its window scale on to the new conversation") {
  ConversationRun run;
  run.feed(parse_tcp_script("HS\n1000 > 777000 0 0 S 64000 ws=9\n1020 < 888000 777001 0 SA 65000 ws=7\n"));
  CHECK(run.direction(0).window_shift_plus_1 == 10);
  CHECK(run.direction(1).window_shift_plus_1 == 8);
  CHECK(run.conversation().client == 1);
}

TEST_CASE("the copy of the packet that restarted a tuple is recognised in the new conversation") {
  ConversationRun run;
  run.feed(parse_tcp_script("HS\n40 > 1001 5001 0 RA 0\n500 > 200 0 0 S 64000 id=777\n"));
  const auto copy = parse_tcp_script("500.005 > 200 0 0 S 64000 id=777\n");
  CHECK(run.feed(copy.front()) == TcpVerdict::duplicate);
  CHECK(run.results().back().fields[0].retransmit_count == 0);
}

TEST_CASE("the key of a tuple in the SYN cache does not depend on how the directions are numbered") {
  for (const unsigned version : {4U, 6U}) {
    ConversationRun run{{}, {.ip_version = version}};
    run.feed(
        parse_tcp_script("0 > 1000 0 0 S 64000\n5 < 5000 0 0 S 65000\n"));  // simultaneous open: two SYNs, one tuple
    run.feed(parse_tcp_script("15 > 1000 5001 0 SA 64000\n20 < 5000 1001 0 SA 65000\n"));
    const auto result = run.take();
    CHECK(result.fields[0].min_rtt_us == 20'000);
    CHECK(result.fields[1].min_rtt_us == 10'000);
  }
}
