// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/rtt.hpp"

#include <doctest/doctest.h>

#include "harness.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

TEST_CASE("four segments wait for their ACK, and the newest gives way to a newer one") {
  // 1001, 2001, 3001, 4001 are remembered; 5001 takes 4001's place, so the ACK of 5001's start hits nothing.
  const auto a = run_script(
                     "HS\n"
                     "40 > 1001 5001 1000 A 64000\n41 > 2001 5001 1000 A 64000\n42 > 3001 5001 1000 A 64000\n"
                     "43 > 4001 5001 1000 A 64000\n44 > 5001 5001 1000 A 64000\n"
                     "65 < 5001 5001 0 A 65000\n"  // 22 ms after its segment, which is forgotten
                     "69 < 5001 6001 0 A 65000\n")
                     .back()
                     .fields[0];
  CHECK(a.max_rtt_us == 25'000);
  CHECK(a.min_rtt_us == 20'000);
  CHECK(a.avg_rtt_us == 22'500);
}

TEST_CASE("a repeat takes its own sample and those behind it, not those before it (Karn)") {
  const auto a = run_script(
                     "HS\n"
                     "40 > 1001 5001 1000 A 64000\n41 > 2001 5001 1000 A 64000\n42 > 3001 5001 1000 A 64000\n"
                     "50 > 2001 5001 1000 A 64000\n"
                     "65 < 5001 2001 0 A 65000\n66 < 5001 3001 0 A 65000\n67 < 5001 4001 0 A 65000\n")
                     .back()
                     .fields[0];
  CHECK(a.max_rtt_us == 25'000);
  CHECK(a.avg_rtt_us == 22'500);
  CHECK(a.retransmit_count == 1);
}

TEST_CASE("a segment that waits for more than a minute is not timed") {
  CHECK(run_script("HS\n40 > 1001 5001 100 A 64000\n60040 < 5001 1101 0 A 65000\n").back().fields[0].max_rtt_us ==
        60'000'000);
  CHECK(run_script("HS\n40 > 1001 5001 100 A 64000\n60041 < 5001 1101 0 A 65000\n").back().fields[0].max_rtt_us ==
        20'000);
}

TEST_CASE("time stamps time an ACK that hits no segment end, unless switched off") {
  constexpr std::string_view script =
      "0  > 1000 0 0 S 64000 ts=100/0\n20 < 5000 1001 0 SA 65000 ts=900/100\n30 > 1001 5001 0 A 64000 ts=130/900\n"
      "40 > 1001 5001 3000 A 64000 ts=140/900\n65 < 5001 2501 0 A 65000 ts=950/140\n";
  CHECK(run_script(script).back().fields[0].max_rtt_us == 25'000);
  TcpSettings off;
  off.ts_rtt = false;
  CHECK(run_script(script, off).back().fields[0].max_rtt_us == 20'000);
}

TEST_CASE("an echo that acknowledges nothing is used up: its stamp does not time the sender's silence later") {
  const auto a =
      run_script(
          "0  > 1000 0 0 S 64000 ts=100/0\n20 < 5000 1001 0 SA 65000 ts=900/100\n30 > 1001 5001 0 A 64000 ts=130/900\n"
          "40 > 1001 5001 3000 A 64000 ts=140/900\n60 < 5001 1001 100 A 65000 ts=950/140\n"
          "900 < 5101 2501 0 A 65000 ts=1790/140\n")
          .back()
          .fields[0];
  CHECK(a.max_rtt_us == 20'000);
}
