// SPDX-License-Identifier: Apache-2.0
// TCP figures as they come out of decoding, table and expiry: vectors of the definition (tcp/vectors.hpp) as frames,
// and the cases that lie outside a single conversation.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "support/memory.hpp"
#include "support/tcp_script.hpp"
#include "tcp/vectors.hpp"
#include "whiteowl/flow/key.hpp"
#include "whiteowl/flow/meter.hpp"
#include "whiteowl/packet/decode.hpp"

using namespace whiteowl;
using namespace whiteowl::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kV01 = 0, kV05 = 4, kV07 = 6, kV12 = 11, kV15 = 14;

std::vector<StoredFrame> frames_of(std::string_view script, const ScriptFrame::Form& form = {}) {
  std::vector<StoredFrame> frames;
  for (const ScriptPacket& line : parse_tcp_script(script)) {
    ScriptFrame made{line, form};
    const Frame& frame = made.frame();
    StoredFrame stored;
    stored.bytes.assign(frame.data, frame.data + frame.captured_octets);
    stored.time = frame.time;
    stored.wire_octets = frame.wire_octets;
    frames.push_back(std::move(stored));
  }
  return frames;
}
std::vector<StoredFrame> vector_frames(std::size_t number, const ScriptFrame::Form& form = {}) {
  return frames_of(kTcpVectors[number].script, form);
}

TcpSettings extended() {
  TcpSettings settings;
  settings.extended = true;
  return settings;
}

struct Street {
  explicit Street(const FlowSettings& flow = {}, const TcpSettings& tcp = extended()) {
    FlowSettings small = flow;
    small.max_flows = 64;
    meter = std::make_unique<Meter>(small, tcp, DecodeSettings{}, 1, sink);
  }
  void see(const std::vector<StoredFrame>& frames, std::size_t batch = 1) {
    MemorySource source{frames, batch};
    for (bool end = frames.empty(); !end;) {
      const FrameBatch& read = source.read();
      meter->observe(read);
      end = read.end;
    }
  }
  void wait_until(Duration since_start) {
    FrameBatch nothing;
    nothing.watermark = Timestamp{std::chrono::microseconds{ScriptFrame::Form{}.epoch_us}} + since_start;
    nothing.has_watermark = true;
    meter->observe(nothing);
  }
  // Of the side with this port, in the order of their export.
  [[nodiscard]] std::vector<FlowRecord> records(std::uint16_t source_port) {
    std::vector<FlowRecord> some;
    std::copy_if(sink.records.begin(), sink.records.end(), std::back_inserter(some),
                 [&](const FlowRecord& r) { return r.source_port == source_port; });
    return some;
  }
  MemorySink sink;
  std::unique_ptr<Meter> meter;
};

std::vector<FlowRecord> run(const std::vector<StoredFrame>& frames, const TcpSettings& tcp = extended()) {
  Street street{{}, tcp};
  street.see(frames);
  street.meter->flush(FlowEndReason::forced_end);
  return street.sink.records;
}

// What TCP metering says of a side, as bytes in an order of its own.
std::string tcp_of(const FlowRecord& record) {
  std::string text{reinterpret_cast<const char*>(&record.source_port), 2};
  text.append(reinterpret_cast<const char*>(&record.tcp), sizeof record.tcp);
  text.append(reinterpret_cast<const char*>(&record.tcp_extended), sizeof record.tcp_extended);
  return text;
}
std::vector<std::string> tcp_of(const std::vector<FlowRecord>& records) {
  std::vector<std::string> all;
  for (const auto& record : records) all.push_back(tcp_of(record));
  std::sort(all.begin(), all.end());
  return all;
}

void tag(StoredFrame& frame, std::initializer_list<std::uint8_t> tags) {
  frame.bytes.insert(frame.bytes.begin() + 12, tags);
  frame.wire_octets += static_cast<std::uint32_t>(tags.size());
}

}  // namespace

TEST_CASE("a SYN-ACK long after the flow of its SYN expired still times the opening (W2)") {
  Street street;
  street.see(frames_of("0 > 1000 0 0 S 64000\n"));
  street.wait_until(16s);
  REQUIRE(street.sink.records.size() == 1);
  CHECK(street.sink.records[0].tcp.max_rtt_us == 0);
  street.see(frames_of("20000 < 5000 1001 0 SA 65000\n20010 > 1001 5001 0 A 64000\n"));
  street.meter->flush(FlowEndReason::forced_end);
  const auto a = street.records(40000);
  REQUIRE(a.size() == 2);
  CHECK(a[1].tcp.min_rtt_us == 20'000'000);
  CHECK(a[1].tcp_extended.handshake_rtt_us == 20'000'000);
  CHECK(a[1].tcp_extended.rtt_sample_count == 1);
}

TEST_CASE("an active timeout in a recovery leaves each repeat and duplicate ACK in its own part (W3)") {
  FlowSettings flow;
  flow.active_timeout = 63'500us;  // of A's record, which begins with the first packet
  Street a{flow};
  a.see(vector_frames(kV07));
  a.meter->flush(FlowEndReason::forced_end);
  const auto of_a = a.records(40000);
  REQUIRE(of_a.size() == 2);
  CHECK(of_a[0].tcp.retransmit_count == 0);
  CHECK(of_a[0].tcp_extended.retransmit_fast_count == 0);
  CHECK(of_a[1].tcp.retransmit_count == 1);
  CHECK(of_a[1].tcp_extended.retransmit_fast_count == 1);
  flow.active_timeout = 43'500us;  // of B's record, which begins 20 ms later
  Street b{flow};
  b.see(vector_frames(kV07));
  b.meter->flush(FlowEndReason::forced_end);
  const auto of_b = b.records(80);
  REQUIRE(of_b.size() >= 2);
  CHECK(of_b[0].tcp_extended.duplicate_ack_count == 2);
  CHECK(of_b[1].tcp_extended.duplicate_ack_count == 1);
}

TEST_CASE("an active timeout cuts an open period of zero window where it falls, whoever looks when (W4)") {
  for (const std::size_t batch : {1U, 64U}) {
    FlowSettings flow;
    flow.active_timeout = 380ms;  // of B's record, which begins at 20 ms
    Street street{flow};
    street.see(vector_frames(kV15), batch);
    street.meter->flush(FlowEndReason::forced_end);
    const auto b = street.records(80);
    REQUIRE(b.size() == 2);
    CHECK(b[0].tcp_extended.zero_window_count == 1);
    CHECK(b[1].tcp_extended.zero_window_count == 0);
    CHECK(b[0].tcp_extended.zero_window_us == 340'000);
    CHECK(b[1].tcp_extended.zero_window_us == 300'000);
  }
}

TEST_CASE("a window that never opens again is closed until the flow's idle timeout, or the capture's end") {
  const std::string script = "HS\n40 < 5001 1001 0 A 0\n";
  Street idle;
  idle.see(frames_of(script));
  idle.wait_until(20s);
  REQUIRE(idle.records(80).size() == 1);
  CHECK(idle.records(80)[0].tcp_extended.zero_window_us == 15'000'000);
  Street ended;
  ended.see(frames_of(script));
  ended.wait_until(5s);
  ended.meter->flush(FlowEndReason::forced_end);
  CHECK(ended.records(80)[0].tcp_extended.zero_window_us == 4'960'000);
}

TEST_CASE("a capture cut to 54 octets gives the same figures (W5)") {
  CHECK(tcp_of(run(vector_frames(kV05))) == tcp_of(run(vector_frames(kV05, {.snap_octets = 54}))));
}

TEST_CASE("IPv6, a VLAN tag and two VLAN tags give the same figures (W6)") {
  const auto plain = tcp_of(run(vector_frames(kV05)));
  CHECK(plain == tcp_of(run(vector_frames(kV05, {.ip_version = 6}))));
  auto tagged = vector_frames(kV05), twice = vector_frames(kV05);
  for (auto& frame : tagged) tag(frame, {0x81, 0x00, 0x00, 0x05});
  for (auto& frame : twice) tag(frame, {0x88, 0xA8, 0x00, 0x07, 0x81, 0x00, 0x00, 0x05});
  CHECK(plain == tcp_of(run(tagged)));
  CHECK(plain == tcp_of(run(twice)));
}

TEST_CASE("one, two and eight workers give the same figures (W7)") {
  std::vector<StoredFrame> all;
  for (std::uint16_t port = 40000; port < 40016; ++port) {
    const auto some = vector_frames(port % 2 == 0 ? kV07 : kV15, {.port = port});
    all.insert(all.end(), some.begin(), some.end());
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  const auto by = [&](std::uint32_t workers) {
    std::vector<FlowRecord> records;
    for (std::uint32_t worker = 0; worker < workers; ++worker) {
      std::vector<StoredFrame> share;
      Decoder decoder{DecodeSettings{}};
      for (const auto& frame : all) {
        Packet packet;
        const Frame read = frame.frame();
        REQUIRE(decoder.decode(read, packet) == Discard::none);
        if (directed_key(packet, false).key.hash(HashKey{1, 2, 3, 4, 5, 6, 7, 8}) % workers == worker)
          share.push_back(frame);
      }
      const auto some = run(share);
      records.insert(records.end(), some.begin(), some.end());
    }
    return tcp_of(records);
  };
  const auto one = by(1);
  CHECK(one.size() == 32);
  CHECK(one == by(2));
  CHECK(one == by(8));
}

TEST_CASE("interleaved conversations leave each other's figures alone (W8)") {
  auto mixed = vector_frames(kV12), other = vector_frames(kV15, {.port = 40001});
  auto apart = tcp_of(run(mixed));
  const auto second = tcp_of(run(other));
  apart.insert(apart.end(), second.begin(), second.end());
  std::sort(apart.begin(), apart.end());
  mixed.insert(mixed.end(), other.begin(), other.end());
  std::stable_sort(mixed.begin(), mixed.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  CHECK(apart == tcp_of(run(mixed)));
}

TEST_CASE("a fragmented segment is no repeat, no gap and no loss (W9)") {
  auto frames = frames_of(
      "HS\n40 > 1001 5001 476 A 64000\n41 > 0 0 0 - 0\n42 > 1977 5001 100 A 64000\n62 < 5001 2077 0 A 65000\n");
  frames[3].bytes[20] = 0x20;  // more fragments: TCP header and 476 octets
  auto& rest = frames[4].bytes;
  rest[16] = 520 >> 8;  // 500 octets of payload behind the IP header alone
  rest[17] = 520 & 0xFF;
  rest[18] = frames[3].bytes[18];  // the same identification
  rest[19] = frames[3].bytes[19];
  rest[20] = 0;
  rest[21] = (20 + 476) / 8;
  const auto records = run(frames);
  const auto a = std::find_if(records.begin(), records.end(), [](const auto& r) { return r.source_port == 40000; });
  REQUIRE(a != records.end());
  CHECK(a->packets == 5);
  CHECK(a->tcp.retransmit_count == 0);
  CHECK(a->tcp.max_rtt_us == 20'000);
  CHECK(a->tcp_extended.unseen_octets == 0);
  CHECK(a->tcp_extended.rtt_sample_count == 2);  // the handshake's and the whole segment's
  CHECK(a->tcp_extended.unique_octets == 100);
}

TEST_CASE("rtt_side source exchanges the round trips of the two records (W10)") {
  TcpSettings source = extended();
  source.rtt_side = RttSide::source;
  for (const FlowRecord& record : run(vector_frames(kV01), source)) {
    CHECK(record.tcp.min_rtt_us == (record.source_port == 80 ? 20'000 : 10'000));
    CHECK(record.tcp_extended.handshake_rtt_us == (record.source_port == 80 ? 20'000 : 10'000));
    CHECK(record.tcp_extended.rtt_sample_count == 3);
  }
}

TEST_CASE("a record without the extended set has none of it") {
  for (const FlowRecord& record : run(vector_frames(kV07), TcpSettings{})) {
    const TcpExtendedFields none{};
    CHECK(std::memcmp(&record.tcp_extended, &none, sizeof none) == 0);
  }
}
