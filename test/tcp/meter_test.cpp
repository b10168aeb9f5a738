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

std::vector<ConversationResult> run(const std::vector<ScriptPacket>& packets,
                                    const TcpSettings& settings = extended_settings()) {
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

// Section 7's rule for records of one flow: counters add up, extremes are extremes of both, of the rest the last is
// kept.
TcpExtendedFields merged(const TcpExtendedFields& a, const TcpExtendedFields& b) {
  using F = TcpExtendedFields;
  TcpExtendedFields sum = b;
  for (const auto member : {&F::retransmit_octets, &F::response_sum_us, &F::unseen_octets, &F::unique_octets})
    sum.*member += a.*member;
  for (const auto member : {&F::rtt_sample_count, &F::retransmit_fast_count, &F::retransmit_timeout_count,
                            &F::out_of_order_count, &F::duplicate_packet_count, &F::duplicate_ack_count,
                            &F::zero_window_us, &F::ecn_ce_count, &F::ecn_ece_count, &F::response_count})
    sum.*member += a.*member;
  for (const auto member : {&F::retransmit_spurious_count, &F::dsack_count, &F::syn_retransmit_count,
                            &F::keepalive_count, &F::zero_window_count, &F::zero_window_probe_count, &F::ecn_cwr_count})
    sum.*member = static_cast<std::uint16_t>(sum.*member + a.*member);
  for (const auto member : {&F::max_scaled_window, &F::response_max_us, &F::max_in_flight_octets})
    sum.*member = std::max(a.*member, b.*member);
  sum.tcp_options |= a.tcp_options;
  if (b.ts_min_rtt_us == 0 || (a.ts_min_rtt_us != 0 && a.ts_min_rtt_us < b.ts_min_rtt_us))
    sum.ts_min_rtt_us = a.ts_min_rtt_us;
  return sum;
}

// Whether the clock goes forward only, and not so far that a closed window lasts for more than 32 bits of microseconds.
bool plain_clock(const std::vector<ScriptPacket>& lines) {
  const auto back = [](const ScriptPacket& a, const ScriptPacket& b) { return b.us < a.us; };
  return std::adjacent_find(lines.begin(), lines.end(), back) == lines.end() &&
         lines.back().us - lines.front().us < 4'000'000'000;
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
    for (auto& result : swapped) {
      std::swap(result.fields[0], result.fields[1]);
      std::swap(result.extended[0], result.extended[1]);
    }
    INFO("seed " << seed);
    CHECK(straight == swapped);
  }
}

TEST_CASE("snapshots anywhere add up to the whole") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const auto lines = stream(seed);
    if (lines.empty()) continue;
    const auto whole = run(lines);
    Dice dice{seed};
    ConversationRun parts{extended_settings()};
    std::array<TcpFields, 2> sum{}, expected{};
    std::array<TcpExtendedFields, 2> extended_sum{}, extended_expected{};
    const auto add = [](const ConversationResult& part, auto& fields, auto& extended) {
      for (unsigned d = 0; d < 2; ++d) {
        fields[d] = merged(fields[d], part.fields[d]);
        extended[d] = merged(extended[d], part.extended[d]);
      }
    };
    std::size_t incarnations = 0;
    for (const auto& line : lines) {
      if (dice.chance(200)) add(parts.take(), sum, extended_sum);
      if (parts.feed(line) == TcpVerdict::restart) ++incarnations;
    }
    for (const auto& result : parts.results()) add(result, sum, extended_sum);
    for (const auto& result : whole) add(result, expected, extended_expected);
    INFO("seed " << seed);
    CHECK(incarnations + 1 == whole.size());
    for (unsigned d = 0; d < 2; ++d) {
      sum[d].min_tcp_window = expected[d].min_tcp_window = 0;
      extended_sum[d].min_scaled_window = extended_expected[d].min_scaled_window = 0;
      if (!plain_clock(lines)) extended_sum[d].zero_window_us = extended_expected[d].zero_window_us = 0;
      CHECK(sum[d] == expected[d]);
      CHECK(extended_sum[d] == extended_expected[d]);
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

TEST_CASE("a capture that holds every packet twice counts the copies, and nothing else moves") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    auto lines = stream(seed);
    std::uint16_t id = 0;
    for (auto& line : lines) line.ip_id = ++id;  // distinct, so that only the copies are copies
    const auto once = run(lines);
    std::vector<ScriptPacket> doubled;
    for (const auto& line : lines) doubled.insert(doubled.end(), 2, line);
    auto twice = run(doubled);
    INFO("seed " << seed);
    REQUIRE(once.size() == twice.size());
    std::uint64_t copies = 0;
    for (auto& result : twice) {
      for (auto& e : result.extended) {
        copies += e.duplicate_packet_count;
        e.duplicate_packet_count = 0;
        e.quality &= static_cast<std::uint16_t>(~tcp_quality::kCapturedTwice);
      }
    }
    CHECK(copies == lines.size());
    CHECK(once == twice);
  }
}

TEST_CASE("the fields keep their order and their bounds") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const auto lines = stream(seed);
    std::array<std::uint64_t, 2> payload{}, unique{}, more{};
    for (const auto& line : lines) {
      payload[line.direction] += line.payload;
      if ((line.flags & tcp_flag::kFin) != 0) ++more[line.direction];  // its place in a segment that is partly old
    }
    for (const auto& result : run(lines)) {
      for (unsigned d = 0; d < 2; ++d) {
        const TcpFields& f = result.fields[d];
        const TcpExtendedFields& e = result.extended[d];
        INFO("seed " << seed);
        CHECK(f.min_rtt_us <= f.avg_rtt_us);
        CHECK(f.avg_rtt_us <= f.max_rtt_us);
        CHECK((f.min_rtt_us == 0) == (f.max_rtt_us == 0));
        CHECK((f.min_rtt_us == 0) == (e.rtt_sample_count == 0));
        CHECK(f.min_tcp_window <= f.max_tcp_window);
        CHECK(e.min_scaled_window <= e.max_scaled_window);
        CHECK(f.retransmit_count + e.duplicate_packet_count <= result.packets[d]);
        REQUIRE(e.out_of_order_count <= f.retransmit_count);
        const std::uint32_t repeats = f.retransmit_count - e.out_of_order_count;
        CHECK(e.retransmit_fast_count + e.retransmit_timeout_count <= repeats);
        CHECK(e.retransmit_spurious_count <= repeats);
        CHECK(e.syn_retransmit_count <= repeats);
        CHECK(e.response_max_us <= e.response_sum_us);
        CHECK(e.tcp_state == static_cast<std::uint8_t>(result.state));
        unique[d] += e.unique_octets;
        more[d] += e.zero_window_probe_count;
      }
    }
    for (unsigned d = 0; d < 2; ++d) CHECK(unique[d] <= payload[d] + more[d]);
  }
}

TEST_CASE("octets seen and octets missed are the stream, whatever the capture lost between opening and close") {
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    Dice dice{seed};
    const auto whole = clean_stream(seed, 20 + seed % 100);
    std::array<std::uint64_t, 2> octets{};
    for (const auto& line : whole) octets[line.direction] += line.payload;
    const unsigned loss = dice.one_of<unsigned>({0, 20, 100, 400});
    std::vector<ScriptPacket> thin;
    for (std::size_t i = 0; i < whole.size(); ++i)
      if (i < 3 || i + 2 >= whole.size() || !dice.chance(loss)) thin.push_back(whole[i]);
    const auto results = run(thin);
    INFO("seed " << seed);
    REQUIRE(results.size() == 1);
    for (unsigned d = 0; d < 2; ++d) {
      const TcpExtendedFields& e = results[0].extended[d];
      CHECK(e.out_of_order_count == 0);
      CHECK(results[0].fields[d].retransmit_count == 0);
      CHECK(e.unseen_octets + e.unique_octets <= octets[d] + 1);  // an unseen FIN
      if ((e.quality & tcp_quality::kHoleOverflow) == 0) CHECK(e.unseen_octets + e.unique_octets >= octets[d]);
      CHECK(((e.quality & tcp_quality::kCaptureLoss) != 0) == (e.unseen_octets != 0));
    }
  }
}

TEST_CASE("any merge of conversations that keeps each one's order gives the same records") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Dice dice{seed};
    std::array<std::vector<ScriptPacket>, 3> lines;
    for (std::size_t i = 0; i < lines.size(); ++i) lines[i] = bulk_stream(seed * 3 + i, 40);
    TcpSettings settings = extended_settings();
    settings.syn_cache_max = 64;
    TcpMeter meter{settings, 1, 3};
    std::array<TcpConversation, 3> conversations{};
    std::array<std::size_t, 3> at{};
    for (std::uint32_t i = 0; i < 3; ++i) conversations[i].place = i + 1;
    for (std::size_t left = 120; left > 0;) {
      const auto which = static_cast<std::size_t>(dice.below(3));
      if (at[which] == lines[which].size()) continue;
      const ScriptPacket& line = lines[which][at[which]++];
      ScriptFrame frame{line, {.port = static_cast<std::uint16_t>(40000 + which)}};
      REQUIRE(meter.observe(conversations[which], line.direction, frame.packet(), 77 + which) != TcpVerdict::restart);
      --left;
    }
    for (std::size_t i = 0; i < 3; ++i) {
      const auto alone = run(lines[i]);
      const Timestamp end{std::chrono::microseconds{ScriptFrame::Form{}.epoch_us + lines[i].back().us}};
      for (unsigned d = 0; d < 2; ++d) {
        const auto merged_in = take_from(meter, conversations[i], d, end);
        INFO("seed " << seed);
        CHECK(merged_in.standard == alone[0].fields[d]);
        CHECK(merged_in.extended == alone[0].extended[d]);
      }
    }
  }
}

TEST_CASE("a whole conversation of random bytes does no harm") {
  Dice dice{4711};
  TcpSettings settings;
  settings.syn_cache_max = 16;
  settings.extended = true;
  TcpMeter meter{settings, 1, 4};
  std::array<TcpConversation, 4> conversations{};
  for (std::uint32_t i = 0; i < 4; ++i) conversations[i].place = i < 3 ? i + 1 : 1000;  // the last one has none
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
    const auto direction = static_cast<unsigned>(dice.below(2));
    if (meter.observe(conversations[which], direction, packet, which) == TcpVerdict::restart)
      meter.restart(conversations[which], direction, packet, which);
    const TcpDirection& d = meter.directions(conversations[which]).of[direction];
    REQUIRE(d.outstanding_count <= TcpDirection::kOutstanding);
    REQUIRE(d.timestamp_count <= TcpDirection::kTimestamps);
    if (!dice.chance(10)) continue;
    const auto taken = take_from(meter, conversations[which], direction, frame.time);
    const TcpExtendedFields& e = taken.extended;
    repeats += taken.standard.retransmit_count;
    const std::uint32_t counted[] = {e.retransmit_fast_count,
                                     e.retransmit_timeout_count,
                                     e.out_of_order_count,
                                     e.duplicate_packet_count,
                                     e.duplicate_ack_count,
                                     e.ecn_ce_count,
                                     e.ecn_ece_count,
                                     e.response_count,
                                     e.rtt_sample_count,
                                     e.keepalive_count,
                                     e.dsack_count};
    for (const std::uint32_t number : counted) REQUIRE(number <= packets);
    REQUIRE(e.min_scaled_window <= e.max_scaled_window);
    REQUIRE(e.tcp_state <= static_cast<std::uint8_t>(TcpState::closed));
    REQUIRE(e.tcp_window_scale <= 14);
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
  TcpMeter meter{TcpSettings{}, 1, 2};
  std::array<TcpConversation, 2> conversations{};
  for (std::uint32_t i = 0; i < 2; ++i) conversations[i].place = i + 1;
  std::size_t at[2] = {0, 0};
  const std::vector<ScriptPacket>* streams[2] = {&first, &second};
  for (std::size_t step = 0; at[0] < first.size() || at[1] < second.size(); ++step) {
    const std::size_t which = step % 2;
    if (at[which] == streams[which]->size()) continue;
    const ScriptPacket& line = (*streams[which])[at[which]++];
    ScriptFrame frame{line, {.port = static_cast<std::uint16_t>(40000 + which)}};
    REQUIRE(meter.observe(conversations[which], line.direction, frame.packet(), 77 + which) != TcpVerdict::restart);
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
  CHECK((conversation.direction(0).flags & direction_flag::kResync) != 0);
  conversation.feed(parse_tcp_script("80 > 2561 5001 100 A 64000\n 100 < 5001 2661 0 A 65000\n"));
  CHECK((conversation.direction(0).flags & direction_flag::kResync) == 0);
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
