// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/loss.hpp"

#include <doctest/doctest.h>

#include "harness.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

std::uint32_t repeats_of_a(const std::string& behind_handshake, const TcpSettings& settings = {}) {
  return run_script("HS\n" + behind_handshake, settings).back().fields[0].retransmit_count;
}

TcpSettings strict() {
  TcpSettings settings;
  settings.retransmit_mode = RetransmitMode::strict;
  return settings;
}

}  // namespace

TEST_CASE("below the highest end counts, at it does not, and a pure ACK never does") {
  CHECK(repeats_of_a("40 > 1001 5001 100 A 64000\n41 > 1101 5001 100 A 64000\n") == 0);
  CHECK(repeats_of_a("40 > 1001 5001 100 A 64000\n41 > 1100 5001 100 A 64000\n") == 1);
  CHECK(repeats_of_a("40 > 1001 5001 100 A 64000\n41 > 1001 5001 0 A 64000\n") == 0);
}

TEST_CASE("two segments far outside the window change nothing, the third moves the window") {
  const std::string far = "50 > 500000000 5001 100 PA 64000\n51 > 500000100 5001 100 PA 64000\n";
  const std::string begin = "40 > 1001 5001 100 PA 64000\n45 < 5001 1101 0 A 65000\n";
  CHECK(repeats_of_a(begin + far + "60 > 1101 5001 100 PA 64000\n") == 0);
  CHECK(repeats_of_a(begin + far + "52 > 500000200 5001 100 PA 64000\n53 > 500000200 5001 100 PA 64000\n") == 1);
}

TEST_CASE("a segment outside the window says nothing about windows and does not close") {
  ConversationRun run;
  run.feed(parse_tcp_script("HS\n40 > 1001 5001 100 PA 64000\n60 < 5001 1101 0 A 65000\n70 > 500000000 5001 0 FA 0\n"));
  CHECK(run.conversation().state == TcpState::established);
  CHECK(run.direction(0).window == 64000);
  CHECK(run.meter().counters().invalid_segments.get() == 1);
}

TEST_CASE("strict draws the line between reordered and repeated at three quarters of the full round trip") {
  // Full round trip 20 + 10 ms, so the line is at 22.5 ms after the hole.
  const std::string hole = "40 > 2001 5001 1000 A 64000\n";
  CHECK(repeats_of_a(hole + "62.499 > 1001 5001 1000 A 64000\n", strict()) == 0);
  CHECK(repeats_of_a(hole + "62.5 > 1001 5001 1000 A 64000\n", strict()) == 1);
  CHECK(repeats_of_a(hole + "62.499 > 1001 5001 1000 A 64000\n") == 1);
}

TEST_CASE("strict remembers three holes, oldest forgotten first") {
  const std::string holes =
      "40 > 2001 5001 1000 A 64000\n40 > 4001 5001 1000 A 64000\n40 > 6001 5001 1000 A 64000\n40 > 8001 5001 1000 A "
      "64000\n";
  CHECK(repeats_of_a(holes + "41 > 1001 5001 1000 A 64000\n", strict()) == 1);
  CHECK(repeats_of_a(holes + "41 > 3001 5001 1000 A 64000\n", strict()) == 0);
  CHECK(repeats_of_a(holes + "41 > 7001 5001 1000 A 64000\n", strict()) == 0);
}

TEST_CASE("what is filled or acknowledged is no hole any more") {
  const std::string hole = "40 > 3001 5001 1000 A 64000\n";  // 1001 to 3001
  CHECK(repeats_of_a(hole + "41 > 1501 5001 500 A 64000\n42 > 1501 5001 500 A 64000\n", strict()) == 1);
  CHECK(repeats_of_a(hole + "41 > 1501 5001 500 A 64000\n42 > 1001 5001 500 A 64000\n43 > 2001 5001 1000 A 64000\n",
                     strict()) == 0);
  CHECK(repeats_of_a(hole + "41 < 5001 2001 0 A 65000\n42 > 1001 5001 500 A 64000\n43 > 2001 5001 1000 A 64000\n",
                     strict()) == 1);
}

TEST_CASE("where the other way does not pass the tap, a keep-alive is one after a second without anything sent") {
  const auto repeats = [](const std::string& before_probe, const std::string& probe_ms) {
    const std::string begin = "0 > 1001 5001 100 A 64000 ts=100/7\n" + before_probe;
    return run_script(begin + probe_ms + " > 1100 5001 1 A 64000 ts=900/7\n").back().fields[0].retransmit_count;
  };
  CHECK(repeats("", "999.999") == 1);
  CHECK(repeats("", "1000") == 0);
  CHECK(repeats("500 > 1001 5001 100 A 64000 ts=600/7\n", "1499.999") == 2);
  CHECK(repeats("500 > 1001 5001 100 A 64000 ts=600/7\n", "1500") == 1);
  CHECK(repeats("500 > 1001 5001 100 A 64000 ts=99/7\n", "1000") ==
        1);  // sent before all that, so nothing new was sent
}
