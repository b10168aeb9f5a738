// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/flow/meter.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <vector>

#include "support/memory.hpp"

using namespace whiteowl;
using namespace whiteowl::test;
using namespace std::chrono_literals;

namespace {

// A minimal Ethernet/IPv4 frame between hosts 10.0.x.y, octet by octet (RFC 791, 768, 9293).
struct Says {
  std::uint32_t from, to;
  std::uint8_t protocol = 17;
  std::uint16_t source_port = 1000, destination_port = 2000;
  std::uint8_t tcp_flags = 0;
  std::uint32_t seq = 0, ack = 0;
  std::uint8_t ttl = 64;
  std::uint8_t mac = 1;
};

StoredFrame at(Duration time, const Says& s) {
  StoredFrame frame;
  frame.time = Timestamp{1'700'000'000s} + time;
  auto& b = frame.bytes;
  const auto put = [&b](std::uint64_t value, unsigned octets) {
    while (octets-- > 0) b.push_back(static_cast<std::uint8_t>(value >> (8 * octets)));
  };
  put(0x0200'0000'0000 | s.to, 6);
  put(0x0200'0000'0000 | std::uint64_t{s.mac} << 32U | s.from, 6);
  put(0x0800, 2);
  put(0x4500, 2);
  put(s.protocol == 6 ? 40U : 28U, 2);
  put(0, 4);
  put(s.ttl, 1);
  put(s.protocol, 1);
  put(0, 2);
  put(0x0A000000U + s.from, 4);
  put(0x0A000000U + s.to, 4);
  if (s.protocol == 1) {
    put(s.source_port, 2);  // type and code
    put(0, 6);
    return frame;
  }
  put(s.source_port, 2);
  put(s.destination_port, 2);
  if (s.protocol == 6) {
    put(s.seq, 4);
    put(s.ack, 4);
    put(0x5000U | s.tcp_flags, 2);
    put(1000, 2);
  } else {
    put(8, 2);
    put(0, 2);
  }
  put(0, s.protocol == 6 ? 4 : 0);
  return frame;
}

Says back(Says s) {
  std::swap(s.from, s.to);
  std::swap(s.source_port, s.destination_port);
  return s;
}

struct Bench {
  explicit Bench(std::uint32_t max_flows = 100, const TcpSettings& tcp = {}, const HashKey& key = random_hash_key()) {
    settings.max_flows = max_flows;
    meter = std::make_unique<Meter>(settings, tcp, DecodeSettings{}, 1, sink, key);
  }
  void see(Duration time, const Says& s, std::uint8_t interface = 0, bool outgoing = false) {
    const StoredFrame frame = at(time, s);
    batch.frames[0] = frame.frame();
    batch.frames[0].interface = interface;
    batch.frames[0].outgoing = outgoing;
    batch.size = 1;
    batch.watermark = frame.time;
    batch.has_watermark = true;
    meter->observe(batch);
  }
  // Time goes by without a packet.
  void wait_until(Duration time) {
    batch.size = 0;
    batch.watermark = Timestamp{1'700'000'000s} + time;
    batch.has_watermark = true;
    meter->observe(batch);
  }
  MemorySink sink;
  FlowSettings settings;
  FrameBatch batch;
  std::unique_ptr<Meter> meter;
};

const Says kUdp{.from = 1, .to = 2};

Says tcp(std::uint32_t from, std::uint8_t flags, std::uint32_t seq, std::uint32_t ack) {
  return {.from = from,
          .to = 2,
          .protocol = 6,
          .source_port = 4000,
          .destination_port = 80,
          .tcp_flags = flags,
          .seq = seq,
          .ack = ack};
}
Says server(std::uint32_t to, std::uint8_t flags, std::uint32_t seq, std::uint32_t ack) {
  Says s = back(tcp(to, flags, 0, 0));
  s.seq = seq;
  s.ack = ack;
  return s;
}
void handshake(Bench& bench, Duration time, std::uint32_t from) {
  bench.see(time, tcp(from, 0x02, 100, 0));
  bench.see(time + 1ms, server(from, 0x12, 500, 101));
  bench.see(time + 2ms, tcp(from, 0x10, 101, 501));
}

}  // namespace

TEST_CASE("a flow idle for the inactive timeout is exported with reason 1, not before") {
  Bench bench;
  bench.see(0s, kUdp);
  bench.see(3s, kUdp);
  bench.wait_until(17'999ms);
  CHECK(bench.sink.records.empty());
  bench.wait_until(18'200ms);
  REQUIRE(bench.sink.records.size() == 1);
  const FlowRecord& r = bench.sink.records[0];
  CHECK(r.end_reason == FlowEndReason::idle_timeout);
  CHECK(r.packets == 2);
  CHECK(r.octets == 56);
  CHECK(r.end - r.start == 3s);
  CHECK(to_string(Ipv4Address{{r.source_address.octets[0], r.source_address.octets[1], r.source_address.octets[2],
                               r.source_address.octets[3]}}) == "10.0.0.1");
  CHECK(r.source_port == 1000);
  CHECK(r.destination_port == 2000);
  CHECK(bench.meter->counters().conversations.get() == 0);
}

TEST_CASE("a packet exactly one inactive timeout later begins a new record, one nanosecond earlier does not") {
  Bench late;
  late.see(0s, kUdp);
  late.see(15s, kUdp);
  CHECK(late.sink.records.size() == 1);
  Bench early;
  early.see(0s, kUdp);
  early.see(15s - 1ns, kUdp);
  CHECK(early.sink.records.empty());
}

TEST_CASE("a busy flow gives a snapshot each active timeout, keeps its id and starts its counts anew") {
  Bench bench;
  for (Duration t = 0s; t <= 130s; t += 10s) bench.see(t, kUdp);
  REQUIRE(bench.sink.records.size() == 2);
  CHECK(bench.sink.records[0].end_reason == FlowEndReason::active_timeout);
  CHECK(bench.sink.records[0].packets == 6);  // 0 .. 50 s
  CHECK(bench.sink.records[1].packets == 6);  // 60 .. 110 s
  CHECK(bench.sink.records[0].flow_id == bench.sink.records[1].flow_id);
  bench.meter->flush(FlowEndReason::forced_end);
  REQUIRE(bench.sink.records.size() == 3);
  CHECK(bench.sink.records[2].end_reason == FlowEndReason::forced_end);
  CHECK(bench.sink.records[2].packets == 2);
}

TEST_CASE("who opened a connection and the number of each direction are the same in every snapshot") {
  Bench bench;
  handshake(bench, 0s, 1);
  for (Duration t = 10s; t <= 200s; t += 10s) {
    bench.see(t, tcp(1, 0x18, 101, 501));
    bench.see(t + 1ms, server(1, 0x10, 501, 101));
  }
  bench.meter->flush(FlowEndReason::forced_end);
  std::map<std::uint64_t, std::uint32_t> snapshots;
  for (const FlowRecord& r : bench.sink.records) {
    ++snapshots[r.flow_id];
    CHECK(r.biflow_direction ==
          (r.source_port == 4000 ? BiflowDirection::initiator : BiflowDirection::reverse_initiator));
  }
  REQUIRE(snapshots.size() == 2);
  for (const auto& [id, count] : snapshots) CHECK(count == 4);
}

TEST_CASE("what a record has said of the initiator is not said otherwise later") {
  Bench bench;
  // In the middle of a connection the server is heard first, so it is taken for the one who began.
  bench.see(0s, server(1, 0x10, 501, 101));
  bench.see(1s, tcp(1, 0x10, 101, 501));
  for (Duration t = 10s; t <= 70s; t += 10s) bench.see(t, server(1, 0x10, 501, 101));
  bench.see(71s, tcp(1, 0x10, 101, 501));
  REQUIRE_FALSE(bench.sink.records.empty());
  bench.see(72s, server(1, 0x12, 500, 101));  // now a SYN-ACK says who the server is
  bench.meter->flush(FlowEndReason::forced_end);
  for (const FlowRecord& r : bench.sink.records)
    CHECK(r.biflow_direction ==
          (r.source_port == 80 ? BiflowDirection::initiator : BiflowDirection::reverse_initiator));
}

TEST_CASE("the two legs of a tap: packets leave by the interface on which their answers come in") {
  Bench bench;
  bench.settings.interface_index = {7, 9};
  bench.meter = std::make_unique<Meter>(bench.settings, TcpSettings{}, DecodeSettings{}, 1, bench.sink);
  bench.see(0s, kUdp, 0);
  bench.see(1ms, back(kUdp), 1);
  bench.see(2ms, {.from = 5, .to = 6}, 1);  // no answer: not known
  bench.meter->flush(FlowEndReason::forced_end);
  REQUIRE(bench.sink.records.size() == 3);
  for (const FlowRecord& r : bench.sink.records) {
    CAPTURE(r.source_port);
    CHECK(r.flow_direction == 0);
    const bool answered = r.source_address.octets[3] < 5;
    CHECK(r.ingress_interface == (answered && r.source_port == 1000 ? 7 : 9));
    CHECK(r.egress_interface == (!answered ? 0 : r.source_port == 1000 ? 9 : 7));
  }
}

TEST_CASE("what the host itself sends is egress and leaves by the interface that saw it") {
  Bench bench;
  bench.settings.interface_index = {3};
  bench.meter = std::make_unique<Meter>(bench.settings, TcpSettings{}, DecodeSettings{}, 1, bench.sink);
  bench.see(0s, kUdp, 0, true);
  bench.see(1ms, back(kUdp), 0, false);
  bench.meter->flush(FlowEndReason::forced_end);
  REQUIRE(bench.sink.records.size() == 2);
  for (const FlowRecord& r : bench.sink.records) {
    CHECK(r.flow_direction == (r.source_port == 1000 ? 1 : 0));
    CHECK(r.egress_interface == (r.source_port == 1000 ? 3 : 0));
    CHECK(r.ingress_interface == 3);
  }
}

TEST_CASE("of a Biflow both directions are exported together, the initiator's first") {
  Bench bench;
  bench.settings.biflow = true;
  bench.meter = std::make_unique<Meter>(bench.settings, TcpSettings{}, DecodeSettings{}, 1, bench.sink);
  bench.see(0s, back(kUdp));
  for (Duration t = 1s; t < 30s; t += 2s) bench.see(t, kUdp);  // the first speaker is silent, the conversation is not
  bench.see(29'500ms, back(kUdp));
  CHECK(bench.sink.records.empty());
  for (Duration t = 31s; t < 62s; t += 2s) bench.see(t, kUdp);
  REQUIRE(bench.sink.records.size() == 2);
  bench.see(70s, {.from = 5, .to = 6});
  bench.meter->flush(FlowEndReason::forced_end);
  const auto& records = bench.sink.records;
  REQUIRE(records.size() == 4);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(records[i].end_reason == FlowEndReason::active_timeout);
    CHECK(records[i].source_port == (i == 0 ? 2000 : 1000));
    CHECK(records[i].mate_follows == (i == 0));
  }
  CHECK(records[0].packets == 2);
  CHECK((records[0].flow_id ^ records[1].flow_id) == 1);
  // No answer came after the snapshot: records of one direction alone.
  for (std::size_t i = 2; i < 4; ++i) CHECK_FALSE(records[i].mate_follows);
}

TEST_CASE("each direction has a record and timeouts of its own") {
  Bench bench;
  bench.see(0s, kUdp);
  bench.see(1s, back(kUdp));
  for (Duration t = 2s; t < 25s; t += 2s) bench.see(t, kUdp);
  REQUIRE(bench.sink.records.size() == 1);
  CHECK(bench.sink.records[0].source_port == 2000);
  CHECK(bench.sink.records[0].end_reason == FlowEndReason::idle_timeout);
  CHECK(bench.sink.records[0].biflow_direction == BiflowDirection::reverse_initiator);
  bench.meter->flush(FlowEndReason::forced_end);
  REQUIRE(bench.sink.records.size() == 2);
  CHECK(bench.sink.records[1].packets == 13);
  CHECK(bench.sink.records[1].biflow_direction == BiflowDirection::initiator);
  CHECK(bench.sink.records[0].flow_id != bench.sink.records[1].flow_id);
}

TEST_CASE("start is the smallest stamp, end the largest, MAC addresses are the first packet's") {
  Bench bench;
  Says other = kUdp;
  other.mac = 9;
  other.ttl = 10;
  bench.see(500ms, kUdp);
  bench.see(200ms, other);
  bench.see(900ms, kUdp);
  bench.see(700ms, kUdp);
  bench.meter->flush(FlowEndReason::forced_end);
  REQUIRE(bench.sink.records.size() == 1);
  const FlowRecord& r = bench.sink.records[0];
  CHECK(r.start == Timestamp{1'700'000'000s} + 200ms);
  CHECK(r.end == Timestamp{1'700'000'000s} + 900ms);
  CHECK(r.source_mac.octets[1] == 1);
  CHECK(r.min_ttl == 10);
  CHECK(r.max_ttl == 64);
}

TEST_CASE("a closed connection is exported with reason 3 after the linger, a reset one too") {
  Bench bench;
  handshake(bench, 0s, 1);
  bench.see(10ms, tcp(1, 0x11, 101, 501));
  bench.see(11ms, server(1, 0x11, 501, 102));
  bench.see(12ms, tcp(1, 0x10, 102, 502));
  handshake(bench, 20ms, 3);
  bench.see(30ms, server(3, 0x14, 501, 101));
  bench.wait_until(4900ms);
  CHECK(bench.sink.records.empty());
  bench.wait_until(5200ms);
  CHECK(bench.sink.records.size() == 4);
  for (const FlowRecord& r : bench.sink.records) CHECK(r.end_reason == FlowEndReason::end_of_flow);
  CHECK(bench.meter->counters().conversations.get() == 0);
}

TEST_CASE("a port used again begins new records and ends the old ones with reason 3") {
  Bench bench;
  handshake(bench, 0s, 1);
  bench.see(10ms, tcp(1, 0x11, 101, 501));
  bench.see(11ms, server(1, 0x11, 501, 102));
  bench.see(12ms, tcp(1, 0x10, 102, 502));
  bench.see(1s, tcp(1, 0x02, 90'000, 0));
  REQUIRE(bench.sink.records.size() == 2);
  CHECK(bench.sink.records[0].end_reason == FlowEndReason::end_of_flow);
  bench.meter->flush(FlowEndReason::forced_end);
  REQUIRE(bench.sink.records.size() == 3);
  CHECK(bench.sink.records[2].packets == 1);
  CHECK(bench.sink.records[2].flow_id != bench.sink.records[0].flow_id);
}

TEST_CASE("ICMP directions stand alone and carry type and code in the destination port") {
  Bench bench;
  bench.see(0s, {.from = 1, .to = 2, .protocol = 1, .source_port = 0x0800});
  bench.see(1ms, {.from = 2, .to = 1, .protocol = 1, .source_port = 0x0000});
  bench.meter->flush(FlowEndReason::forced_end);
  REQUIRE(bench.sink.records.size() == 2);
  CHECK(bench.sink.records[0].destination_port == 0x0800);
  CHECK(bench.sink.records[1].destination_port == 0);
  CHECK(bench.sink.records[0].source_port == 0);
}

TEST_CASE("a flood of SYNs evicts itself, not the established connections, and says so") {
  Bench bench{64};
  for (std::uint32_t host = 10; host < 50; ++host) handshake(bench, 1ms * host, host);
  for (std::uint32_t i = 0; i < 5000; ++i) bench.see(100ms + 1us * i, tcp(0x10000 + i, 0x02, i, 0));
  std::uint64_t evicted = 0;
  for (const FlowRecord& r : bench.sink.records) {
    CHECK(r.end_reason == FlowEndReason::lack_of_resources);
    CHECK(r.tcp_control_bits == 0x02);
    evicted += r.packets;
  }
  CHECK(evicted == 5000 - 24);
  CHECK(bench.meter->counters().evictions_half_open.get() == 5000 - 24);
  CHECK(bench.meter->counters().evictions.get() == 0);
  CHECK(bench.meter->counters().conversations.get() == 64);
  bench.meter->flush(FlowEndReason::forced_end);
  std::uint64_t established = 0;
  for (const FlowRecord& r : bench.sink.records)
    established += r.end_reason == FlowEndReason::forced_end && r.tcp_control_bits == 0x12 ? 1 : 0;
  CHECK(established == 80);  // both directions of 40
}

TEST_CASE("without half-open ones the longest idle conversation goes") {
  Bench bench{8};
  for (std::uint32_t host = 10; host < 18; ++host) handshake(bench, 1s * (host - 10), host);
  bench.see(8s, tcp(10, 0x18, 101, 501));  // the oldest speaks again
  handshake(bench, 9s, 30);
  REQUIRE(bench.sink.records.size() == 2);
  CHECK(bench.sink.records[0].end_reason == FlowEndReason::lack_of_resources);
  CHECK((bench.sink.records[0].source_address.octets[3] == 11 ||
         bench.sink.records[0].destination_address.octets[3] == 11));
  CHECK(bench.meter->counters().evictions.get() == 1);
}

TEST_CASE("one-packet flows make room for each other before an answered conversation goes") {
  Bench bench{16};
  for (std::uint32_t host = 10; host < 20; ++host) {
    bench.see(1ms * host, {.from = host, .to = 2});
    bench.see(1ms * host + 100us, back({.from = host, .to = 2}));
  }
  for (std::uint32_t i = 0; i < 1000; ++i) bench.see(100ms + 1us * i, {.from = 0x10000 + i, .to = 2});
  CHECK(bench.meter->counters().evictions_half_open.get() == 1000 - 6);
  CHECK(bench.meter->counters().evictions.get() == 0);
}

TEST_CASE("whatever one-way packets a stranger sends, in whatever numbers, answered conversations stay") {
  struct Flood {
    const char* name;
    std::uint8_t protocol, flags;
    unsigned copies;
    Duration apart;
  };
  for (const bool track : {true, false}) {
    for (const Flood& flood :
         {Flood{"SYN", 6, 0x02, 1, 0s}, Flood{"SYN twice", 6, 0x02, 2, 1us}, Flood{"ACK", 6, 0x10, 1, 0s},
          Flood{"ACK three times", 6, 0x10, 3, 30ms}, Flood{"data", 6, 0x18, 1, 0s}, Flood{"SYN-ACK", 6, 0x12, 1, 0s},
          Flood{"RST", 6, 0x04, 1, 0s}, Flood{"FIN", 6, 0x11, 2, 1us}, Flood{"UDP", 17, 0, 1, 0s},
          Flood{"UDP twice", 17, 0, 2, 1us}, Flood{"UDP later", 17, 0, 4, 30ms}, Flood{"ICMP", 1, 0, 1, 0s}}) {
      CAPTURE(track);
      CAPTURE(flood.name);
      TcpSettings settings;
      settings.track = track;
      Bench bench{64, settings};
      for (std::uint32_t host = 10; host < 30; ++host) {
        handshake(bench, 1ms * host, host);
        bench.see(1ms * host, {.from = host, .to = 2});
        bench.see(1ms * host, back({.from = host, .to = 2}));
      }
      // Ten seconds; each living conversation speaks once in one.
      for (std::uint32_t i = 0; i < 10'000; ++i) {
        const Duration now = 100ms + 1ms * i;
        for (unsigned copy = 0; copy < flood.copies; ++copy) {
          if (flood.apart * copy > 1ms * i) continue;
          const auto stranger = 0x10000 + i - static_cast<std::uint32_t>(flood.apart * copy / 1ms);
          Says says = tcp(stranger, flood.flags, i, 77);
          says.protocol = flood.protocol;
          bench.see(now, says);
        }
        if (i % 1000 >= 20) continue;
        const std::uint32_t host = 10 + i % 1000;
        bench.see(now, tcp(host, 0x18, 101 + i, 501));
        bench.see(now, back({.from = host, .to = 2}));
      }
      for (const FlowRecord& r : bench.sink.records) {
        const auto one = r.source_address.octets[1], other = r.destination_address.octets[1];
        CHECK_MESSAGE((one != 0 || other != 0), "a record of a living conversation");
      }
      CHECK(bench.meter->counters().evictions.get() == 0);
      CHECK(bench.meter->counters().evictions_half_open.get() >= 9'000);
      bench.meter->flush(FlowEndReason::forced_end);
    }
  }
}

TEST_CASE("handshakes that somebody answers and nobody completes leave before open conversations") {
  for (const bool track : {true, false}) {
    CAPTURE(track);
    TcpSettings settings;
    settings.track = track;
    Bench bench{64, settings};
    for (std::uint32_t host = 10; host < 50; ++host) handshake(bench, 1ms * host, host);
    for (std::uint32_t i = 0; i < 5000; ++i) {
      bench.see(100ms + 1us * i, tcp(0x10000 + i, 0x02, i, 0));
      bench.see(100ms + 1us * i, server(0x10000 + i, 0x12, 500, i + 1));
    }
    CHECK(bench.meter->counters().evictions.get() == 0);
    CHECK(bench.meter->counters().evictions_half_open.get() == 5000 - 24);
  }
}

TEST_CASE("places for the unanswered are theirs alone, and beside those of the answered") {
  FlowSettings settings;
  settings.max_flows = 32;
  settings.unanswered_room = 500;
  Bench bench;
  bench.meter = std::make_unique<Meter>(settings, TcpSettings{}, DecodeSettings{}, 1, bench.sink);
  // Strangers' SYNs between a SYN and its answer: as many as there are places.
  for (std::uint32_t host = 10; host < 40; ++host) bench.see(1ms, tcp(host, 0x02, 100, 0));
  for (std::uint32_t i = 0; i < 490; ++i) bench.see(2ms, tcp(0x10000 + i, 0x02, i, 0));
  CHECK(bench.sink.records.empty());
  for (std::uint32_t host = 10; host < 40; ++host) {
    bench.see(3ms, server(host, 0x12, 500, 101));
    bench.see(4ms, tcp(host, 0x10, 101, 501));
  }
  CHECK(bench.sink.records.empty());
  CHECK(bench.meter->counters().conversations.get() == 520);
  // Two more are answered than there may be: the strangers stay, and the longest idle of the answered goes.
  for (std::uint32_t host = 40; host < 44; ++host) handshake(bench, 5ms + 1ms * host, host);
  CHECK(bench.meter->counters().evictions.get() == 2);
  CHECK(bench.meter->counters().evictions_half_open.get() == 0);
  for (const FlowRecord& r : bench.sink.records)
    CHECK(std::max(r.source_address.octets[3], r.destination_address.octets[3]) < 40);
}

TEST_CASE("answered conversations that rest leave before those that speak, wherever these stand") {
  Bench bench{800};
  // The speakers come first, so that they stand at the front of whatever order there is.
  for (std::uint32_t host = 10; host < 210; ++host) {
    bench.see(1ms * host, {.from = host, .to = 2});
    bench.see(1ms * host, back({.from = host, .to = 2}));
  }
  const auto speak = [&bench](Duration now) {
    for (std::uint32_t host = 10; host < 210; ++host) bench.see(now, {.from = host, .to = 2});
  };
  for (std::uint32_t i = 0; i < 5000; ++i) {
    const Says says{.from = 0x10000 + i, .to = 2};
    const Duration now = 1s + 1ms * i;
    bench.see(now, says);
    bench.see(now, back(says));
    if (i % 200 == 0) speak(now);
  }
  CHECK(bench.meter->counters().evictions.get() == 5000 - 600);
  for (const FlowRecord& r : bench.sink.records) {
    CHECK(r.source_address.octets[1] + r.destination_address.octets[1] != 0);
  }
}

TEST_CASE("active conversations that stand side by side do not leave for newcomers, however many these are") {
  FlowSettings settings;
  settings.max_flows = 600;
  settings.unanswered_room = 100;
  Bench bench;
  bench.meter = std::make_unique<Meter>(settings, TcpSettings{}, DecodeSettings{}, 1, bench.sink);
  const auto speak = [&bench](Duration now) {
    for (std::uint32_t host = 10; host < 210; ++host) {
      bench.see(now, {.from = host, .to = 2});
      bench.see(now, back({.from = host, .to = 2}));
    }
  };
  // Each turn of the clock finds two hundred active ones, three times as many as one eviction looks at.
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    const Says says{.from = 0x10000 + i, .to = 2};
    const Duration now = 1ms * i;
    if (i % 50 == 0) speak(now);
    bench.see(now, says);
    bench.see(now, back(says));
  }
  CHECK(bench.meter->counters().evictions.get() > 9'000);
  for (const FlowRecord& r : bench.sink.records)
    CHECK(r.source_address.octets[1] + r.destination_address.octets[1] != 0);
}

TEST_CASE("whoever knows the key shortens his own conversations and costs others nothing") {
  HashKey known{};
  std::mt19937_64 words{11};
  for (std::uint64_t& word : known.words) word = words();
  constexpr std::uint32_t kHome = 5, kBuckets = 1024;
  Bench bench{4096, {}, known};
  for (std::uint32_t host = 10; host < 30; ++host) handshake(bench, 1ms * host, host);
  std::uint32_t sent = 0;
  Packet packet{};
  std::uint8_t source[4], destination[4] = {10, 0, 0, 2};
  packet.source_address = source;
  packet.destination_address = destination;
  packet.ip_version = 4;
  packet.protocol = 17;
  packet.source_port = 1000;
  packet.destination_port = 2000;
  for (std::uint32_t stranger = 0x10000; sent < 500; ++stranger) {
    const std::uint32_t address = 0x0A000000U + stranger;
    for (unsigned i = 0; i < 4; ++i) source[i] = static_cast<std::uint8_t>(address >> (24 - 8 * i));
    if (directed_key(packet, false).key.hash(known) % kBuckets != kHome) continue;
    bench.see(100ms + 1us * sent, {.from = stranger, .to = 2});
    ++sent;
  }
  const auto& counters = bench.meter->counters();
  // All places on the longest way, some of which others had.
  constexpr std::uint64_t kPlaces = 7 * TagIndex::kLongestWay;
  CHECK(counters.evictions_crowded.get() >= 500 - kPlaces);
  CHECK(counters.evictions_crowded.get() <= 500 - kPlaces + 20);
  CHECK(counters.evictions.get() + counters.evictions_half_open.get() == 0);
  CHECK(counters.conversations.get() == 20 + 500 - counters.evictions_crowded.get());
  for (const FlowRecord& r : bench.sink.records) {
    CHECK(r.end_reason == FlowEndReason::lack_of_resources);
    CHECK(r.protocol == 17);
  }
  bench.meter->flush(FlowEndReason::forced_end);
  std::uint64_t packets = 0;
  for (const FlowRecord& r : bench.sink.records) packets += r.packets;
  CHECK(packets == 500 + 20 * 3);
}

TEST_CASE("a linger of a thousand hours ends, and the table goes round meanwhile") {
  TcpSettings settings;
  settings.close_linger = 1000h;
  Bench bench{64, settings};
  bench.settings.inactive_timeout = 1000h;
  bench.meter->set_timeouts(2000h, 1000h, 1000h);
  handshake(bench, 0s, 10);
  bench.see(1s, tcp(10, 0x04, 101, 0));
  bench.wait_until(999h);
  CHECK(bench.sink.records.empty());
  bench.wait_until(1001h);
  CHECK(bench.sink.records.size() == 2);
}

TEST_CASE("every packet is in a record of its direction, however soon a full table loses and regains a conversation") {
  using Packets = std::map<std::pair<int, int>, std::uint64_t>;  // by last octets of source and destination
  std::mt19937 random{11};
  for (const std::uint32_t max_flows : {1U, 2U, 3U, 4U}) {
    CAPTURE(max_flows);
    Bench bench{max_flows};
    Packets sent, recorded;
    Duration now{};
    for (int batch = 0; batch < 2000; ++batch) {
      std::vector<StoredFrame> frames(1 + random() % FrameBatch::kCapacity);
      for (std::size_t i = 0; i < frames.size(); ++i) {
        now += random() % 40 == 0 ? Duration{60s} : Duration{1ms};
        const auto host = static_cast<std::uint32_t>(10 + random() % (max_flows + 2));
        const Says to_server{.from = host, .to = 2};
        const Says says = random() % 2 == 0 ? to_server : back(to_server);
        ++sent[{says.from, says.to}];
        frames[i] = at(now, says);
        bench.batch.frames[i] = frames[i].frame();
      }
      bench.batch.size = frames.size();
      bench.meter->observe(bench.batch);
    }
    bench.meter->flush(FlowEndReason::forced_end);
    for (const FlowRecord& r : bench.sink.records)
      recorded[{r.source_address.octets[3], r.destination_address.octets[3]}] += r.packets;
    CHECK(recorded == sent);
  }
}

TEST_CASE("a clock that is set back neither ends flows at once nor keeps them for ever") {
  Bench bench;
  bench.see(1000s, kUdp);
  bench.see(10s, kUdp);
  bench.see(12s, kUdp);
  CHECK(bench.sink.records.empty());
  CHECK(bench.meter->classifier_counters().clock_steps_back.get() == 1);
  bench.wait_until(28s);
  REQUIRE(bench.sink.records.size() == 1);
  CHECK(bench.sink.records[0].packets == 3);
  CHECK(bench.sink.records[0].end - bench.sink.records[0].start == 990s);
}

TEST_CASE("shorter timeouts end at once what is due by them, and nothing else") {
  Bench bench;
  bench.see(0s, kUdp);
  bench.see(8s, {.from = 3, .to = 4});
  bench.meter->set_timeouts(60s, 5s, 5s);
  REQUIRE(bench.sink.records.size() == 1);
  CHECK(bench.sink.records[0].end_reason == FlowEndReason::idle_timeout);
  CHECK(bench.sink.records[0].source_address.octets[3] == 1);
  bench.wait_until(12'900ms);
  CHECK(bench.sink.records.size() == 1);
  bench.wait_until(13'200ms);
  CHECK(bench.sink.records.size() == 2);
  CHECK(bench.meter->counters().conversations.get() == 0);
  CHECK(bench.meter->counters().packets_in_table.get() == 0);
}

TEST_CASE("timeouts may be longer than the wheel") {
  Bench bench;
  bench.settings.inactive_timeout = 10'000'000s;
  bench.settings.active_timeout = 10'000'000s;
  bench.meter = std::make_unique<Meter>(bench.settings, TcpSettings{}, DecodeSettings{}, 1, bench.sink);
  bench.see(0s, kUdp);
  bench.wait_until(9'999'999s);
  CHECK(bench.sink.records.empty());
  bench.wait_until(10'000'001s);
  CHECK(bench.sink.records.size() == 1);
}

TEST_CASE("what was reserved is what the tables hold") {
  Bench small{1000};
  Bench large{100'000};
  const std::size_t per_flow = (large.meter->memory_octets() - small.meter->memory_octets()) / 99'000;
  CHECK(per_flow > 192 + 32 + 288);
  CHECK(per_flow < 700);
}

TEST_CASE("a TCP conversation that goes on in one direction alone is counted once, what is one-way by nature is not") {
  Bench bench;
  constexpr std::uint8_t kSyn = 2, kRst = 4, kPsh = 8, kAck = 16;
  Duration now{};
  const auto see = [&](const Says& says) { bench.see(now += 1ms, says); };
  const auto one_way = [&] { return bench.meter->counters().conversations_one_way.get(); };
  for (int i = 0; i < 6; ++i) {
    see(tcp(3, kSyn, 1, 0));             // in vain
    see(server(4, kSyn | kAck, 1, 2));   // to an address that somebody forged
    see(tcp(5, kRst | kAck, 1, 2));      // the forged address defends itself
    if (i < 3) see(tcp(6, kAck, 1, 2));  // a scan
    see(tcp(7, kPsh | kAck, 1, 2));      // answered, as it should be
    see(server(7, kAck, 2, 1));
  }
  bench.wait_until(now += 1000s);
  CHECK(one_way() == 0);
  // A handshake of which the answer was not seen, then data: for more than two active timeouts.
  see(tcp(8, kSyn, 1, 0));
  for (std::uint32_t i = 0; i < 40; ++i) bench.see(now += 4s, tcp(8, kPsh | kAck, 2 + i, 100));
  bench.wait_until(now += 1000s);
  CHECK(one_way() == 1);
  // One who only acknowledges.
  for (std::uint32_t i = 0; i < 5; ++i) see(server(9, kAck, 2, 100 + i));
  bench.wait_until(now += 1000s);
  CHECK(one_way() == 2);
}
