// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/seed.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "tcp/harness.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

bool has_seed(const ConversationRun& run) { return run.conversation().seed.marks != 0; }
bool is_spread(const ConversationRun& run) { return (run.conversation().flags & conversation_flag::kSpread) != 0; }

}  // namespace

TEST_CASE("a lone SYN is a seed, and what follows finds the directions as they were") {
  for (const char* syn : {"0 > 1000 0 0 S 64000\n", "0 > 1000 0 0 S 0\n", "0 > 1000 0 0 S 65535 ts=7,0\n",
                          "0 > 4294967295 0 0 S 64000 ws=14\n", "0 > 1000 0 100 S 64000 ws=0 ts=4294967295,0\n"}) {
    INFO(syn);
    ConversationRun run;
    run.feed(parse_tcp_script(syn));
    CHECK(has_seed(run));
    CHECK_FALSE(is_spread(run));
    TcpDirections grown;
    grow(run.conversation(), grown);
    CHECK(std::memcmp(&grown.of[0], &run.direction(0), sizeof(TcpDirection)) == 0);
    CHECK(grown.of[0].has(direction_flag::kSeen | direction_flag::kSynSent));
    run.feed(parse_tcp_script("20000 < 5000 1001 0 SA 65000 ts=9,7\n"));
    CHECK_FALSE(has_seed(run));
    CHECK(is_spread(run));
    CHECK(run.direction(0).snd_max == grown.of[0].snd_max);
    CHECK(run.direction(0).fingerprints[0] == grown.of[0].fingerprints[0]);
  }
}

TEST_CASE("what is more than one SYN is no seed") {
  for (const char* first : {"0 > 1000 0 0 SF 64000\n", "0 < 5000 1001 0 SA 65000\n", "0 > 1000 5000 10 A 64000\n",
                            "0 > 1000 0 0 S 64000\n30000000 > 1000 0 0 S 64000\n", "0 > 1000 0 0 R 0\n"}) {
    INFO(first);
    ConversationRun run;
    run.feed(parse_tcp_script(first));
    CHECK_FALSE(has_seed(run));
    CHECK(is_spread(run));
  }
}

TEST_CASE("a record of a seed tells its window once, and the seed stays") {
  ConversationRun run;
  run.feed(parse_tcp_script("0 > 1000 0 0 S 64000\n"));
  const auto first = run.take();
  CHECK(first.fields[0].min_tcp_window == 64000);
  CHECK(first.fields[0].max_tcp_window == 64000);
  CHECK(has_seed(run));
  const auto second = run.take();
  CHECK(second.fields[0].max_tcp_window == 0);
  CHECK(has_seed(run));
  run.feed(parse_tcp_script("20000 < 5000 1001 0 SA 65000\n"));
  CHECK(run.take().fields[0].min_rtt_us == 20'000'000);
}

TEST_CASE("a fragment in front of everything is remembered") {
  ConversationRun run;
  run.feed_fragment(1);
  CHECK(is_spread(run));
  CHECK(run.direction(1).has(direction_flag::kResync));
}

TEST_CASE("without a place nothing but a SYN is remembered, and nothing breaks") {
  TcpMeter meter{TcpSettings{}, 1, 0};
  TcpConversation conversation{};
  for (const auto& line : parse_tcp_script("0 > 1000 0 0 S 64000\n20 < 5000 1001 0 SA 65000\n40 > 1001 5001 9 A 9\n")) {
    ScriptFrame frame{line, {}};
    CHECK(meter.observe(conversation, line.direction, frame.packet(), 7) != TcpVerdict::restart);
  }
  CHECK(conversation.state == TcpState::established);
  CHECK((conversation.flags & conversation_flag::kSpread) == 0);
}
