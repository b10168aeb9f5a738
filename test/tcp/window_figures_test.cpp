// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/window_figures.hpp"

#include <doctest/doctest.h>

#include "harness.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {
const std::string kScaled = "0 > 1000 0 0 S 64240 ws=7\n20 < 5000 1001 0 SA 65160 ws=9\n30 > 1001 5001 0 A 502\n";
}

TEST_CASE("windows are scaled by their own side's shift, and the SYN's is not counted") {
  const auto both = extended_of(kScaled + "40 > 1001 5001 100 PA 600\n60 < 5001 1101 0 A 128\n");
  CHECK(both[0].min_scaled_window == 502U << 7U);
  CHECK(both[0].max_scaled_window == 600U << 7U);
  CHECK(both[1].min_scaled_window == 128U << 9U);
  CHECK(both[1].max_scaled_window == 128U << 9U);
  CHECK(both[0].tcp_window_scale == 7);
  CHECK(both[1].tcp_window_scale == 9);
}

TEST_CASE("where only one side offered scaling the header's window is the window") {
  const auto both = extended_of("0 > 1000 0 0 S 64240 ws=7\n20 < 5000 1001 0 SA 65160\n30 > 1001 5001 0 A 502\n");
  CHECK(both[0].min_scaled_window == 502);
  CHECK(both[0].tcp_window_scale == 7);
}

TEST_CASE("an extreme keeps the shift that it was read with") {
  // The third packet overtook the SYN-ACK, so its window could not be scaled yet.
  const auto both = extended_of(
      "0 > 1000 0 0 S 64240 ws=7\n19 > 1001 5001 0 A 65535\n20 < 5000 1001 0 SA 65160 ws=9\n30 > 1001 5001 0 A 511\n");
  CHECK(both[0].min_scaled_window == 511U << 7U);
  CHECK(both[0].max_scaled_window == 65'535);
}

TEST_CASE("an interval without a window has no extremes, and a window of zero is one") {
  ConversationRun run{extended_settings()};
  run.feed(parse_tcp_script(kScaled));
  CHECK(run.take().extended[0].max_scaled_window == 502U << 7U);
  CHECK(run.take().extended[0].max_scaled_window == 0);
  run.feed(parse_tcp_script("40 > 1001 5001 0 A 0\n41 > 1001 5001 0 A 9\n"));
  const auto a = run.take().extended[0];
  CHECK(a.min_scaled_window == 0);
  CHECK(a.max_scaled_window == 9U << 7U);
  CHECK(a.zero_window_count == 1);
}

TEST_CASE("a closed window counts once and lasts until it opens") {
  const auto both = extended_of(
      "HS\n40 < 5001 1001 0 A 0\n50 < 5001 1001 0 A 0\n55 < 5001 1001 0 A 7\n60 < 5001 1001 0 A 0\n61 < 5001 1001 0 A "
      "7\n");
  CHECK(both[1].zero_window_count == 2);
  CHECK(both[1].zero_window_us == 16'000);
  CHECK(both[0].zero_window_count == 0);
}

TEST_CASE("a snapshot cuts an open period, and the parts add up") {
  ConversationRun run{extended_settings()};
  const auto at = [](std::int64_t ms) {
    return Timestamp{std::chrono::microseconds{ScriptFrame::Form{}.epoch_us} + std::chrono::milliseconds{ms}};
  };
  run.feed(parse_tcp_script("HS\n40 < 5001 1001 0 A 0\n"));
  auto b = run.take(at(100)).extended[1];
  CHECK(b.zero_window_count == 1);
  CHECK(b.zero_window_us == 60'000);
  CHECK(run.take(at(150)).extended[1].zero_window_us == 50'000);
  run.feed(parse_tcp_script("200 < 5001 1001 0 A 7\n"));
  b = run.take(at(300)).extended[1];
  CHECK(b.zero_window_count == 0);
  CHECK(b.zero_window_us == 50'000);
  CHECK(run.take(at(400)).extended[1].zero_window_us == 0);
}

TEST_CASE("a window closed for hours is measured right, and stays at the largest value if it does not fit") {
  const auto closed_until = [](const char* ms) {
    return extended_of("HS\n40 < 5001 1001 0 A 0\n" + std::string{ms} + " < 5001 1001 0 A 7\n")[1].zero_window_us;
  };
  CHECK(closed_until("4294000") == 4'293'960'000);
  CHECK(closed_until("4295007") == 4'294'967'000);
  CHECK(closed_until("4295008") == 0xFFFF'FFFF);  // 2^32 us are 4294967.296 ms
  CHECK(closed_until("9000000") == 0xFFFF'FFFF);
}

TEST_CASE("time that went back closes no window for less than nothing") {
  CHECK(extended_of("HS\n40 < 5001 1001 0 A 0\n35 < 5001 1001 0 A 7\n")[1].zero_window_us == 0);
}
