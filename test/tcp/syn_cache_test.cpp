// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/syn_cache.hpp"

#include <doctest/doctest.h>

#include <map>

#include "harness.hpp"
#include "random_stream.hpp"

using namespace whiteowl;
using namespace whiteowl::test;
using namespace std::chrono_literals;

namespace {

Segment syn(std::int64_t us, std::uint32_t isn) {
  Segment segment{};
  segment.time_us = us;
  segment.seq = SeqNum{isn};
  return segment;
}

Segment syn_ack(std::int64_t us, std::uint32_t ack) {
  Segment segment{};
  segment.time_us = us;
  segment.ack = SeqNum{ack};
  return segment;
}

struct Fixture {
  explicit Fixture(std::uint32_t capacity) : cache{capacity, 30s, counters} {}
  TcpCounters counters;
  SynCache cache;
};

}  // namespace

TEST_CASE("the eleventh SYN in a cache of ten costs the oldest tenth, and only that (W1)") {
  Fixture f{10};
  for (std::uint32_t i = 0; i < 11; ++i) f.cache.insert(i, syn(i * 1000, 100 * i));
  CHECK(f.cache.size() == 10);
  CHECK(f.counters.syn_cache_evicted.get() == 1);
  CHECK(!f.cache.answer(0, syn_ack(20'000, 1)));
  for (std::uint32_t i = 1; i < 11; ++i) {
    const auto us = f.cache.answer(i, syn_ack(20'000, 100 * i + 1));
    REQUIRE(us);
    CHECK(*us == 20'000 - i * 1000);
  }
  CHECK(f.cache.size() == 0);
  CHECK(f.counters.syn_cache_hits.get() == 10);
  CHECK(f.counters.syn_cache_misses.get() == 1);
}

TEST_CASE("k SYNs over the capacity cost exactly the oldest tenth each time the cache is full") {
  Fixture f{100};
  for (std::uint32_t i = 0; i < 100; ++i) f.cache.insert(i, syn(i, i));
  f.cache.insert(100, syn(100, 100));
  CHECK(f.cache.size() == 91);
  for (std::uint32_t i = 0; i < 10; ++i) CHECK(!f.cache.find(i, SeqNum{i}, 200));
  for (std::uint32_t i = 10; i <= 100; ++i) CHECK(f.cache.find(i, SeqNum{i}, 200));
}

TEST_CASE("a repeated SYN is young again, and ambiguous without time stamps") {
  Fixture f{10};
  for (std::uint32_t i = 0; i < 10; ++i) f.cache.insert(i, syn(i, i));
  f.cache.insert(0, syn(50, 0));
  f.cache.insert(10, syn(60, 10));
  CHECK(f.cache.find(0, SeqNum{0}, 60));
  CHECK(!f.cache.find(1, SeqNum{1}, 60));
  CHECK(!f.cache.answer(0, syn_ack(70, 1)));
}

TEST_CASE("time stamps tell which of two SYNs was answered") {
  for (const auto& [echo, expected] : std::map<std::uint32_t, std::int64_t>{{7, 1020}, {8, 20}, {9, -1}}) {
    Fixture f{10};
    Segment first = syn(0, 1), second = syn(1000, 1), answer = syn_ack(1020, 2);
    first.has_timestamps = second.has_timestamps = answer.has_timestamps = true;
    first.ts_value = 7;
    second.ts_value = 8;
    answer.ts_echo = echo;
    f.cache.insert(1, first);
    f.cache.insert(1, second);
    CHECK(f.cache.answer(1, answer).value_or(-1) == expected);
  }
}

TEST_CASE("nothing older than the time to live is matched, however long the cache was left alone") {
  for (const std::int64_t us :
       {std::int64_t{30'000'001}, std::int64_t{1} << 31, std::int64_t{1} << 32, (std::int64_t{1} << 32) + 5}) {
    Fixture f{10};
    f.cache.insert(1, syn(0, 1));
    CHECK(!f.cache.answer(1, syn_ack(us, 2)));
  }
  Fixture f{10};
  f.cache.insert(1, syn(0, 1));
  CHECK(f.cache.answer(1, syn_ack(30'000'000, 2)));
}

TEST_CASE("each insert clears two expired SYNs at most") {
  Fixture f{10};
  for (std::uint32_t i = 0; i < 5; ++i) f.cache.insert(i, syn(0, i));
  f.cache.insert(9, syn(31'000'000, 9));
  CHECK(f.cache.size() == 4);
  CHECK(f.counters.syn_cache_expired.get() == 2);
}

TEST_CASE("an ACK number outside SYN and its payload answers nothing") {
  Fixture f{10};
  Segment with_data = syn(0, 1000);
  with_data.payload = 100;
  f.cache.insert(1, with_data);
  CHECK(!f.cache.answer(1, syn_ack(10, 1000)));
  CHECK(!f.cache.answer(1, syn_ack(10, 1102)));
  CHECK(f.cache.answer(1, syn_ack(10, 1101)));
}

TEST_CASE("a cache without room remembers nothing") {
  Fixture f{0};
  f.cache.insert(1, syn(0, 1));
  CHECK(!f.cache.answer(1, syn_ack(10, 2)));
  CHECK(f.cache.size() == 0);
}

TEST_CASE("the index finds what the list holds after any mixture of inserts, answers and evictions") {
  Fixture f{64};
  std::map<std::uint64_t, std::uint32_t> last_isn;
  Dice dice{5};
  for (std::int64_t us = 0; us < 200'000; ++us) {
    const std::uint64_t key = dice.below(200) << dice.one_of<unsigned>({0, 7, 20});  // runs in the index
    if (dice.chance(600)) {
      last_isn[key] = static_cast<std::uint32_t>(us);
      f.cache.insert(key, syn(us, last_isn[key]));
      REQUIRE(f.cache.find(key, SeqNum{last_isn[key]}, us));
    } else {
      static_cast<void>(f.cache.answer(key, syn_ack(us, last_isn[key] + 1)));
      REQUIRE(!f.cache.find(key, SeqNum{last_isn[key]}, us));
    }
    REQUIRE(f.cache.size() <= f.cache.capacity());
  }
}

TEST_CASE("a worker has its share of the cache, rounded up") {
  TcpSettings settings;
  settings.syn_cache_max = 100'000;
  const auto one = TcpMeter{settings, 1}.memory_octets(), three = TcpMeter{settings, 3}.memory_octets();
  CHECK(one >= 100'000 * 40);
  CHECK(three >= 33'334 * 40);
  CHECK(three < one / 2);
}

TEST_CASE("the SYN-ACK finds its SYN after the flow entry is gone, and the sample is the initiator's (W2)") {
  for (const bool renumbered : {false, true}) {
    ConversationRun run;
    run.feed(parse_tcp_script("0 > 1000 0 0 S 64000\n"));
    run.expire();
    auto answer = parse_tcp_script("20000 < 5000 1001 0 SA 65000\n").front();
    ScriptFrame frame{answer, {}};
    TcpConversation fresh{};
    fresh.place = 1;
    const unsigned direction = renumbered ? 0 : 1;  // the new entry may number the directions by its first packet
    REQUIRE(run.meter().observe(fresh, direction, frame.packet(), ConversationRun::kTupleHash) == TcpVerdict::counted);
    CHECK(take_from(run.meter(), fresh, direction).standard.min_rtt_us == 0);
    CHECK(take_from(run.meter(), fresh, 1 - direction).standard.min_rtt_us == 20'000'000);
    CHECK(fresh.state == TcpState::syn_ack_seen);
  }
}

TEST_CASE("a flood of SYNs does not touch the round-trip times of an established conversation") {
  ConversationRun run;
  run.feed(parse_tcp_script("HS\n40 > 1001 5001 100 A 64000\n"));
  auto line = parse_tcp_script("50 > 1 0 0 S 64000\n").front();
  for (std::uint32_t i = 0; i < 1'000'000; ++i) {
    TcpConversation other{};
    line.seq = i * 7919;
    ScriptFrame frame{line, {.port = static_cast<std::uint16_t>(i)}};
    REQUIRE(run.meter().observe(other, 0, frame.packet(), i) == TcpVerdict::counted);
  }
  run.feed(parse_tcp_script("62 < 5001 1101 0 A 65000\n"));
  const auto result = run.take();
  CHECK(result.fields[0].min_rtt_us == 20'000);
  CHECK(result.fields[0].max_rtt_us == 22'000);
}
