// SPDX-License-Identifier: Apache-2.0
// Properties of the whole meter, against the slow reference and against itself under changes that must not matter.
#include "whiteowl/tcp/meter.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "harness.hpp"
#include "random_stream.hpp"
#include "support/reference_tcp.hpp"
#include "vectors.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

std::vector<ConversationResult> run(const std::vector<ScriptPacket>& packets, const TcpSettings& settings = {}) {
  ConversationRun conversation{settings};
  conversation.feed(packets);
  return conversation.results();
}

std::vector<ConversationResult> reference(const std::vector<ScriptPacket>& packets, const TcpSettings& settings) {
  ReferenceTcp meter{settings};
  for (const auto& p : packets) meter.feed(p);
  std::vector<ConversationResult> results;
  for (const auto& old : meter.finished()) {
    results.emplace_back();
    results.back().fields = {old.fields[0], old.fields[1]};
    results.back().extended = {old.extended[0], old.extended[1]};
    results.back().state = old.state;
  }
  results.emplace_back();
  results.back().extended = {meter.take_extended(0, meter.newest()), meter.take_extended(1, meter.newest())};
  results.back().fields = {meter.take(0), meter.take(1)};
  results.back().state = meter.state();
  return results;
}

// The streams that the properties are tried on.
std::vector<ScriptPacket> two_way_stream(std::uint64_t seed) {
  if (seed % 3 == 0) return wild_stream(seed, 4 + seed % 60);
  if (seed % 4 == 1) return bulk_stream(seed, 10 + seed % 150);
  const auto packets = parse_tcp_script(kTcpVectors[seed % kTcpVectors.size()].script);
  return seed < kTcpVectors.size() ? packets : mutated_stream(packets, seed);
}

// Every ninth as if the other way did not pass the tap.
std::vector<ScriptPacket> stream(std::uint64_t seed) {
  auto packets = two_way_stream(seed);
  if (seed % 9 == 4) std::erase_if(packets, [](const ScriptPacket& p) { return p.direction == 1; });
  return packets;
}

TcpSettings settings_for(std::uint64_t seed) {
  TcpSettings settings;
  if (seed % 5 == 1) settings.retransmit_mode = RetransmitMode::strict;
  if (seed % 7 == 1) settings.rtt_side = RttSide::source;
  if (seed % 11 == 1) settings.ts_rtt = false;
  if (seed % 13 == 1) settings.dedup = false;
  if (seed % 17 == 1) settings.dup_window = Duration::zero();
  if (seed % 19 == 1) settings.timeout_silence = std::chrono::milliseconds{20};
  if (seed % 23 == 1) settings.reorder_default = std::chrono::milliseconds{20};
  settings.extended = seed % 4 != 0;
  return settings;
}

std::string first_difference(const std::vector<ConversationResult>& a, const std::vector<ConversationResult>& b) {
  if (a.size() != b.size()) return "number of incarnations";
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (unsigned d = 0; d < 2; ++d) {
      const auto left = values_of(a[i].fields[d], a[i].extended[d]),
                 right = values_of(b[i].fields[d], b[i].extended[d]);
      for (const auto& [name, value] : left)
        if (value != right.at(name))
          return name + " " + std::to_string(value) + ", slow " + std::to_string(right.at(name)) + ", incarnation " +
                 std::to_string(i) + ", direction " + std::to_string(d);
    }
  }
  return "state";
}

TcpFields merged(const TcpFields& a, const TcpFields& b) {
  TcpFields sum = a.min_rtt_us == 0 ? b : a;
  if (a.min_rtt_us != 0 && b.min_rtt_us != 0) sum.min_rtt_us = std::min(a.min_rtt_us, b.min_rtt_us);
  sum.max_rtt_us = std::max(a.max_rtt_us, b.max_rtt_us);
  sum.avg_rtt_us = 0;
  sum.retransmit_count = a.retransmit_count + b.retransmit_count;
  sum.max_tcp_window = std::max(a.max_tcp_window, b.max_tcp_window);
  return sum;
}

}  // namespace

TEST_CASE("the meter equals the slow reference on whole, spoilt and random conversations") {
  std::size_t packets = 0;
  for (std::uint64_t seed = 0; packets < 400'000; ++seed) {
    const auto lines = stream(seed);
    const auto settings = settings_for(seed);
    packets += lines.size();
    const auto fast = run(lines, settings);
    auto slow = reference(lines, settings);
    if (!settings.extended)
      for (auto& result : slow) result.extended = {};
    const bool same = fast == slow;
    if (!same) {
      INFO("seed " << seed << ": " << first_difference(fast, slow));
      REQUIRE(same);
    }
  }
}

TEST_CASE("swapping the directions swaps the records") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    auto lines = stream(seed);
    const auto straight = run(lines);
    for (auto& line : lines) line.direction = 1 - line.direction;
    auto swapped = run(lines);
    for (auto& result : swapped) std::swap(result.fields[0], result.fields[1]);
    INFO("seed " << seed);
    CHECK(straight == swapped);
  }
}

TEST_CASE("snapshots anywhere add up to the whole") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const auto lines = stream(seed);
    const auto whole = run(lines);
    Dice dice{seed};
    ConversationRun parts;
    std::array<TcpFields, 2> sum{};
    std::size_t incarnations = 0;
    for (const auto& line : lines) {
      if (dice.chance(200)) {
        const auto part = parts.take();
        for (unsigned d = 0; d < 2; ++d) sum[d] = merged(sum[d], part.fields[d]);
      }
      if (parts.feed(line) == TcpVerdict::restart) ++incarnations;
    }
    for (const auto& result : parts.results())
      for (unsigned d = 0; d < 2; ++d) sum[d] = merged(sum[d], result.fields[d]);
    std::array<TcpFields, 2> expected{};
    for (const auto& result : whole)
      for (unsigned d = 0; d < 2; ++d) expected[d] = merged(expected[d], result.fields[d]);
    INFO("seed " << seed);
    CHECK(incarnations + 1 == whole.size());
    for (unsigned d = 0; d < 2; ++d) {
      sum[d].min_tcp_window = expected[d].min_tcp_window = 0;
      CHECK(sum[d] == expected[d]);
    }
  }
}

TEST_CASE("numbers and times may begin anywhere, the wrap included") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    auto lines = stream(seed);
    const auto base = run(lines);
    const std::uint32_t offsets[2] = {0xFFFFF000, 0x7FFFFF00};
    for (auto& line : lines) {
      line.us += 4'294'900'000;
      line.seq += offsets[line.direction];
      const std::uint32_t other = offsets[1 - line.direction];
      if ((line.flags & tcp_flag::kAck) != 0) line.ack += other;
      for (auto& block : line.sack) block = {block.left + other, block.right + other};
    }
    INFO("seed " << seed);
    CHECK(base == run(lines));
  }
}

TEST_CASE("a capture that holds every packet twice gives the same records") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    auto lines = stream(seed);
    std::uint16_t id = 0;
    for (auto& line : lines) line.ip_id = ++id;  // distinct, so that only the copies are copies
    const auto once = run(lines);
    std::vector<ScriptPacket> doubled;
    for (const auto& line : lines) doubled.insert(doubled.end(), 2, line);
    INFO("seed " << seed);
    CHECK(once == run(doubled));
  }
}

TEST_CASE("the fields keep their order and their bounds") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    for (const auto& result : run(stream(seed))) {
      for (unsigned d = 0; d < 2; ++d) {
        const TcpFields& f = result.fields[d];
        INFO("seed " << seed);
        CHECK(f.min_rtt_us <= f.avg_rtt_us);
        CHECK(f.avg_rtt_us <= f.max_rtt_us);
        CHECK((f.min_rtt_us == 0) == (f.max_rtt_us == 0));
        CHECK(f.min_tcp_window <= f.max_tcp_window);
        CHECK(f.retransmit_count <= result.packets[d]);
      }
    }
  }
}

TEST_CASE("a whole conversation of random bytes does no harm") {
  Dice dice{4711};
  TcpSettings settings;
  settings.syn_cache_max = 16;
  settings.retransmit_mode = RetransmitMode::strict;
  TcpMeter meter{settings, 1, 4};
  std::array<TcpConversation, 4> conversations{};
  std::array<std::uint8_t, 96> bytes{};
  std::uint64_t packets = 0, repeats = 0;
  for (; packets < 300'000; ++packets) {
    for (auto& octet : bytes) octet = static_cast<std::uint8_t>(dice.next());
    Frame frame;
    frame.time = Timestamp{std::chrono::nanoseconds{static_cast<std::int64_t>(dice.next() >> (dice.below(40)))}};
    Packet packet;
    packet.frame = &frame;
    packet.ip_version = dice.chance(500) ? 4 : 6;
    packet.source_address = bytes.data();
    packet.destination_address = bytes.data() + 16;
    packet.tcp = reinterpret_cast<const TcpHeader*>(bytes.data() + 32);
    packet.tcp_header_captured = 20 + static_cast<std::uint32_t>(dice.below(41));
    packet.payload_octets = static_cast<std::uint32_t>(dice.next() >> dice.below(64));
    packet.ip_id = static_cast<std::uint16_t>(dice.next());
    const auto which = dice.below(4);
    conversations[which].cold = static_cast<std::uint32_t>(which) + (dice.chance(900) ? 1U : 1000U);
    const auto direction = static_cast<unsigned>(dice.below(2));
    if (meter.observe(conversations[which], direction, packet, which) == TcpVerdict::restart)
      meter.restart(conversations[which], direction, packet, which);
    const TcpDirection& d = conversations[which].direction[direction];
    REQUIRE(d.outstanding_count <= TcpDirection::kOutstanding);
    REQUIRE(d.timestamp_count <= TcpDirection::kTimestamps);
    if (dice.chance(10)) repeats += take_from(meter, conversations[which], direction).standard.retransmit_count;
  }
  CHECK(repeats <= packets);
}

TEST_CASE("cut-off options are absent options, and lengths come from the IP header (W5)") {
  const auto whole = run_script(kTcpVectors[4].script);
  CHECK(whole == run_script(kTcpVectors[4].script, {}, {.snap_octets = 54}));
}

TEST_CASE("the records over IPv6 are those over IPv4 (W6)") {
  const auto v4 = run_script(kTcpVectors[4].script);
  CHECK(v4 == run_script(kTcpVectors[4].script, {}, {.ip_version = 6}));
}

TEST_CASE("interleaved conversations do not see each other (W8)") {
  const auto first = parse_tcp_script(kTcpVectors[11].script), second = parse_tcp_script(kTcpVectors[14].script);
  TcpMeter meter{TcpSettings{}, 1};
  std::array<TcpConversation, 2> conversations{};
  std::size_t at[2] = {0, 0};
  const std::vector<ScriptPacket>* streams[2] = {&first, &second};
  for (std::size_t step = 0; at[0] < first.size() || at[1] < second.size(); ++step) {
    const std::size_t which = step % 2;
    if (at[which] == streams[which]->size()) continue;
    const ScriptPacket& line = (*streams[which])[at[which]++];
    ScriptFrame frame{line, {.port = static_cast<std::uint16_t>(40000 + which)}};
    REQUIRE(meter.observe(conversations[which], line.direction, frame.packet(), 77 + which) == TcpVerdict::counted);
  }
  const auto alone_first = run(first), alone_second = run(second);
  for (unsigned d = 0; d < 2; ++d) {
    CHECK(take_from(meter, conversations[0], d).standard == alone_first[0].fields[d]);
    CHECK(take_from(meter, conversations[1], d).standard == alone_second[0].fields[d]);
  }
}

TEST_CASE("fragments are no gap and no repeat, and the next whole segment is where analysis goes on (W9)") {
  ConversationRun conversation;
  conversation.feed(parse_tcp_script("HS\n 40 > 1001 5001 100 A 64000\n 60 < 5001 1101 0 A 65000\n"));
  static_cast<void>(conversation.take());
  conversation.feed_fragment(0);  // 1101 to 2561, in two fragments
  conversation.feed_fragment(0);
  CHECK((conversation.conversation().direction[0].flags & direction_flag::kResync) != 0);
  conversation.feed(parse_tcp_script("80 > 2561 5001 100 A 64000\n 100 < 5001 2661 0 A 65000\n"));
  CHECK((conversation.conversation().direction[0].flags & direction_flag::kResync) == 0);
  const auto result = conversation.take();
  CHECK(result.packets[0] == 3);
  CHECK(result.fields[0].retransmit_count == 0);
  CHECK(result.fields[0].min_rtt_us == 20000);  // the hold of a gap would have taken this sample
  conversation.feed_fragment(0);
  conversation.feed(parse_tcp_script("120 > 2561 5001 100 A 64000 id=7\n 121 > 2661 5001 100 A 64000 id=8\n"));
  CHECK(conversation.take().fields[0].retransmit_count ==
        1);  // a repeat is one, whatever passed in fragments before it
}

TEST_CASE("rtt_side source gives each record the round trip of its source's side (W10)") {
  TcpSettings settings;
  settings.rtt_side = RttSide::source;
  const auto result = run_script(kTcpVectors[0].script, settings).back();
  CHECK(result.fields[0].min_rtt_us == 10000);
  CHECK(result.fields[1].min_rtt_us == 20000);
}

TEST_CASE("after half an hour of silence nothing old is matched, however often 32 bits wrapped meanwhile") {
  for (const char* later : {"1800040", "4295007", "4295008", "8590020"}) {  // ms; 2^32 us are 4294967.296 ms
    ConversationRun conversation;
    conversation.feed(parse_tcp_script("HS\n 40 > 1001 5001 100 A 64000 id=9\n"));
    static_cast<void>(conversation.take());
    conversation.feed(parse_tcp_script(std::string{later} + " < 5001 1101 0 A 65000\n"));
    CHECK(conversation.take().fields[0].max_rtt_us == 0);
  }
}

TEST_CASE("a copy is recognised over any silence below half an hour, and forgotten with it") {
  TcpSettings settings;
  settings.dup_id_window = std::chrono::hours{1};
  for (const auto& [ms, verdict] :
       {std::pair{"1800039.999", TcpVerdict::duplicate}, std::pair{"1800040", TcpVerdict::counted}}) {
    ConversationRun conversation{settings};
    conversation.feed(parse_tcp_script("HS\n40 > 1001 5001 100 A 64000 id=9\n"));
    CHECK(conversation.feed(parse_tcp_script(std::string{ms} + " > 1001 5001 100 A 64000 id=9\n").front()) == verdict);
  }
}

TEST_CASE("a restart is announced before anything of the old records has changed") {
  ConversationRun conversation;
  conversation.feed(parse_tcp_script(kTcpVectors[26].script));
  const auto results = conversation.results();
  REQUIRE(results.size() == 2);
  CHECK(results[0].state == TcpState::established);
  CHECK(results[0].packets[0] == 4);  // the SYN that its SYN-ACK proved stays where it was counted
  CHECK(results[0].packets[1] == 2);
  CHECK(results[1].packets[0] == 1);
  CHECK(results[1].fields[0].min_rtt_us == 20000);
  CHECK(results[0].fields[0].max_tcp_window == 64000);
}

TEST_CASE("strict leaves out what the sender's clock or the time shows to be reordered") {
  TcpSettings strict;
  strict.retransmit_mode = RetransmitMode::strict;
  CHECK(run_script(kTcpVectors[8].script, strict).back().fields[0].retransmit_count == 0);  // V09, by time
  CHECK(run_script(kTcpVectors[9].script, strict).back().fields[0].retransmit_count == 0);  // V10, by clock
  CHECK(run_script(kTcpVectors[7].script, strict).back().fields[0].retransmit_count == 1);  // V08, a repeat
}
