// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/window.hpp"

#include <doctest/doctest.h>

#include "harness.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

TEST_CASE("the extremes are those of the interval, and an interval without packets has none") {
  ConversationRun run;
  run.feed(parse_tcp_script("HS\n40 > 1001 5001 0 A 100\n"));
  CHECK(run.take().fields[0].min_tcp_window == 100);
  const auto empty = run.take().fields[0];
  CHECK(empty.min_tcp_window == 0);
  CHECK(empty.max_tcp_window == 0);
  run.feed(parse_tcp_script("50 > 1001 5001 0 A 65535\n"));
  const auto full = run.take().fields[0];
  CHECK(full.min_tcp_window == 65535);
  CHECK(full.max_tcp_window == 65535);
}

TEST_CASE("the window that limits the peer is scaled only if both SYNs offered it, and by 14 if one was not seen") {
  TcpDirection receiver{}, sender{};
  receiver.window = 100;
  CHECK(offered_window(receiver, sender) == 100);
  receiver.window_shift_plus_1 = 8;
  CHECK(offered_window(receiver, sender) == 100);
  sender.window_shift_plus_1 = 1;
  CHECK(offered_window(receiver, sender) == 100U << 7U);
  sender.window_shift_plus_1 = 0;
  sender.flags = direction_flag::kMidstream;
  CHECK(offered_window(receiver, sender) == 100U << 14U);
}

TEST_CASE("a segment is acceptable up to twice the offered window and 64 KiB, or 1 MiB and 64 KiB") {
  const auto invalid = [](const std::string& scale, std::uint32_t ahead) {
    ConversationRun run;
    run.feed(parse_tcp_script("0 > 1000 0 0 S 64000" + scale + "\n20 < 5000 1001 0 SA 65000" + scale +
                              "\n30 > 1001 5001 0 A 64000\n31 < 5001 1001 0 A 65000\n"));
    run.feed(parse_tcp_script("40 > " + std::to_string(1001 + ahead) + " 5001 10 A 64000\n"));
    return run.meter().counters().invalid_segments.get();
  };
  CHECK(invalid("", 1'048'576 + 65'536) == 0);
  CHECK(invalid("", 1'048'576 + 65'537) == 1);
  CHECK(invalid(" ws=5", 2 * 65'000 * 32 + 65'536) == 0);
  CHECK(invalid(" ws=5", 2 * 65'000 * 32 + 65'537) == 1);
}
