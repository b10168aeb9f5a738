// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/repeat.hpp"

#include <doctest/doctest.h>

#include "harness.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

// The handshake takes 20 ms to B and 10 ms to A, so a full round trip is 30 ms.
TcpExtendedFields of_a(const std::string& behind_handshake, const TcpSettings& settings = extended_settings()) {
  return extended_of("HS\n" + behind_handshake, settings)[0];
}

const std::string kThree = "40 > 1001 5001 1000 A 64000\n41 > 2001 5001 1000 A 64000\n42 > 3001 5001 1000 A 64000\n";
const std::string kThreeDuplicateAcks =
    "62 < 5001 1001 0 A 65000\n63 < 5001 1001 0 A 65000\n64 < 5001 1001 0 A 65000\n";

}  // namespace

TEST_CASE("a repeat after three duplicate ACKs is fast, after two it is neither fast nor a timeout") {
  const auto fast = of_a(kThree + kThreeDuplicateAcks + "70 > 1001 5001 1000 A 64000\n");
  CHECK(fast.retransmit_fast_count == 1);
  CHECK(fast.retransmit_timeout_count == 0);
  CHECK(fast.retransmit_octets == 1000);
  const auto neither =
      of_a(kThree + "62 < 5001 1001 0 A 65000\n63 < 5001 1001 0 A 65000\n70 > 1001 5001 1000 A 64000\n");
  CHECK(neither.retransmit_fast_count == 0);
  CHECK(neither.retransmit_timeout_count == 0);
}

TEST_CASE("one SACK block above a segment makes its repeat fast, a block below does not") {
  const auto above = of_a(kThree + "62 < 5001 1001 0 A 65000 sack=2001-3001\n70 > 1001 5001 1000 A 64000\n");
  CHECK(above.retransmit_fast_count == 1);
  const auto below = of_a(kThree + "62 < 5001 1001 0 A 65000 sack=2001-3001\n70 > 3001 5001 1000 A 64000\n");
  CHECK(below.retransmit_fast_count == 0);
}

TEST_CASE("fast recovery lasts until the highest octet sent before it is acknowledged") {
  const std::string begin = kThree + kThreeDuplicateAcks + "70 > 1001 5001 1000 A 64000\n";
  CHECK(of_a(begin + "90 < 5001 2001 0 A 65000\n91 > 2001 5001 1000 A 64000\n").retransmit_fast_count == 2);
  CHECK(of_a(begin + "90 < 5001 4001 0 A 65000\n91 > 4001 5001 1000 A 64000\n92 > 4001 5001 1000 A 64000\n")
            .retransmit_fast_count == 1);
}

TEST_CASE("a repeat is a timeout after timeout_silence without an ACK that says anything") {
  const std::string one = "40 > 1001 5001 1000 A 64000\n41 > 2001 5001 1000 A 64000\n60 < 5001 1501 0 A 65000\n";
  CHECK(of_a(one + "239.999 > 1001 5001 1000 A 64000\n").retransmit_timeout_count == 0);
  CHECK(of_a(one + "240 > 1001 5001 1000 A 64000\n").retransmit_timeout_count == 1);
  TcpSettings settings = extended_settings();
  settings.timeout_silence = std::chrono::milliseconds{50};
  CHECK(of_a(one + "109.999 > 1001 5001 1000 A 64000\n", settings).retransmit_timeout_count == 0);
  CHECK(of_a(one + "110 > 1001 5001 1000 A 64000\n", settings).retransmit_timeout_count == 1);
}

TEST_CASE("what is sent again after a timeout, now that ACKs come, is neither fast nor another timeout") {
  const auto a =
      of_a(kThree + "300 > 1001 5001 1000 A 64000\n320 < 5001 2001 0 A 65000\n321 > 2001 5001 1000 A 64000\n" +
           "322 > 3001 5001 1000 A 64000\n");
  CHECK(a.retransmit_timeout_count == 1);
  CHECK(a.retransmit_fast_count == 0);
  CHECK(a.retransmit_octets == 3000);
}

TEST_CASE("with evidence of a loss the last segment must be as old too") {
  const std::string begin = kThree + "62 < 5001 1001 0 A 65000 sack=3001-4001\n";
  CHECK(of_a(begin + "200 > 4001 5001 1000 A 64000\n300 > 1001 5001 1000 A 64000\n").retransmit_fast_count == 1);
  CHECK(of_a(begin + "300 > 1001 5001 1000 A 64000\n").retransmit_timeout_count == 1);
}

TEST_CASE("after half an hour of silence a repeat is a timeout, however often 32 bits wrapped meanwhile") {
  for (const char* later : {"1800040", "4295007", "4295108", "8590020"})
    CHECK(of_a("40 > 1001 5001 1000 A 64000\n" + std::string{later} + " > 1001 5001 1000 A 64000\n")
              .retransmit_timeout_count == 1);
}

TEST_CASE("a repeat of what the tap saw acknowledged is spurious, whatever its cause") {
  const auto a = of_a("40 > 1001 5001 1000 A 64000\n60 < 5001 2001 0 A 65000\n300 > 1001 5001 1000 A 64000\n");
  CHECK(a.retransmit_spurious_count == 1);
  CHECK(a.retransmit_timeout_count == 1);
  CHECK(of_a("40 > 1001 5001 1000 A 64000\n60 < 5001 2000 0 A 65000\n300 > 1001 5001 1000 A 64000\n")
            .retransmit_spurious_count == 0);
}

TEST_CASE("a late segment is reordered within three quarters of the full round trip, a repeat behind it") {
  const std::string hole = "40 > 2001 5001 1000 A 64000\n";
  CHECK(of_a(hole + "62.499 > 1001 5001 1000 A 64000\n").out_of_order_count == 1);
  CHECK(of_a(hole + "62.5 > 1001 5001 1000 A 64000\n").out_of_order_count == 0);
}

TEST_CASE("while no round trip is known the limit is reorder_default, and duplicate ACKs overrule it") {
  const auto of = [](const std::string& script, const TcpSettings& settings) {
    return extended_of("0 > 1 1 100 A 64000\n1 > 201 1 100 A 64000\n" + script, settings)[0].out_of_order_count;
  };
  CHECK(of("3.999 > 101 1 100 A 64000\n", extended_settings()) == 1);
  CHECK(of("4 > 101 1 100 A 64000\n", extended_settings()) == 0);
  TcpSettings wide = extended_settings();
  wide.reorder_default = std::chrono::milliseconds{20};
  CHECK(of("20.999 > 101 1 100 A 64000\n", wide) == 1);
  CHECK(of("21 > 101 1 100 A 64000\n", wide) == 0);
  const std::string acks = "2 < 1 101 0 A 9\n2.1 < 1 101 0 A 9\n2.2 < 1 101 0 A 9\n2.3 < 1 101 0 A 9\n";
  CHECK(of(acks + "3 > 101 1 100 A 64000\n", extended_settings()) == 0);
}

TEST_CASE("the sender's clock overrules time: an older TSval is reordered at any age, a newer one never") {
  const std::string hole = "40 > 2001 5001 1000 A 64000 ts=500/7\n";
  CHECK(of_a(hole + "900 > 1001 5001 1000 A 64000 ts=499/7\n").out_of_order_count == 1);
  CHECK(of_a(hole + "40.1 > 1001 5001 1000 A 64000 ts=501/7\n").out_of_order_count == 0);
  CHECK(of_a(hole + "40.1 > 1001 5001 1000 A 64000 ts=500/7\n").out_of_order_count == 1);  // same tick: time decides
}

TEST_CASE("strict takes reordered segments out of field 4, and the reordered count is the same") {
  TcpSettings strict = extended_settings();
  strict.retransmit_mode = RetransmitMode::strict;
  const std::string script = "HS\n40 > 2001 5001 1000 A 64000\n41 > 1001 5001 1000 A 64000\n";
  const auto loose = run_script(script, extended_settings()).back(), exact = run_script(script, strict).back();
  CHECK(loose.fields[0].retransmit_count == 1);
  CHECK(exact.fields[0].retransmit_count == 0);
  CHECK(loose.extended[0].out_of_order_count == 1);
  CHECK(exact.extended[0].out_of_order_count == 1);
}

TEST_CASE("of a repeat that also brings new octets only the old ones are repeated") {
  const auto a = of_a("40 > 1001 5001 100 A 64000\n290 > 1001 5001 300 FA 64000\n");
  CHECK(a.retransmit_octets == 99);  // 200 octets and the FIN lie above what was sent: 201 places
  CHECK(a.unique_octets == 301);
}

TEST_CASE("what fills a hole is unique once") {
  const auto a = of_a(
      "40 > 2001 5001 1000 A 64000\n41 > 1501 5001 200 A 64000\n42 > 1001 5001 1000 A 64000\n43 > 1001 5001 1000 A "
      "64000\n");
  CHECK(a.unique_octets == 2000);
  CHECK(a.out_of_order_count == 2);
}

TEST_CASE("probes and keep-alives are counted apart and are no repeats") {
  const auto idle = of_a("40 > 1001 5001 100 A 64000\n60 < 5001 1101 0 A 65000\n900 > 1100 5001 1 A 64000\n");
  CHECK(idle.keepalive_count == 1);
  CHECK(idle.zero_window_probe_count == 0);
  const auto closed = of_a(
      "40 > 1001 5001 100 A 64000\n60 < 5001 1101 0 A 0\n900 > 1101 5001 1 A 64000\n"
      "901 > 1101 5001 1 A 64000\n");
  CHECK(closed.keepalive_count == 0);
  CHECK(closed.zero_window_probe_count == 2);
  CHECK(closed.unique_octets == 100);
}

TEST_CASE("a probe that is taken is one unique octet") {
  CHECK(of_a("40 > 1001 5001 100 A 64000\n60 < 5001 1101 0 A 0\n900 > 1101 5001 1 A 64000\n920 < 5001 1102 0 A 0\n")
            .unique_octets == 101);
}

TEST_CASE("each SYN and SYN-ACK that comes again is one repeat and one timeout") {
  const auto both = extended_of(
      "0 > 1000 0 0 S 64000\n1000 > 1000 0 0 S 64000\n3000 > 1000 0 0 S 64000\n3020 < 5000 1001 0 SA 65000\n"
      "4020 < 5000 1001 0 SA 65000\n4030 > 1001 5001 0 A 64000\n");
  CHECK(both[0].syn_retransmit_count == 2);
  CHECK(both[0].retransmit_timeout_count == 2);
  CHECK(both[1].syn_retransmit_count == 1);
  CHECK(both[1].retransmit_timeout_count == 1);
}

TEST_CASE("in flight is the most that was not acknowledged after a segment, 0 before the first ACK") {
  CHECK(of_a(kThree).max_in_flight_octets == 3000);
  CHECK(of_a(kThree + "62 < 5001 2001 0 A 65000\n70 > 4001 5001 500 A 64000\n").max_in_flight_octets == 3000);
  CHECK(extended_of("0 > 1 1 100 A 64000\n1 > 101 1 100 A 64000\n")[0].max_in_flight_octets == 0);
}

TEST_CASE("counters stay at the largest value of their type") {
  std::uint16_t small = 0xFFFE;
  count(small);
  CHECK(small == 0xFFFF);
  count(small, 5);
  CHECK(small == 0xFFFF);
  Int48 octets{};
  octets.set((std::int64_t{1} << 47U) - 3);
  octets.count(1000);
  CHECK(octets.get() == (std::int64_t{1} << 47U) - 1);
}
