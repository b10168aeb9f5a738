// SPDX-License-Identifier: Apache-2.0
// The stages of the street one by one, in nanoseconds a packet or record: for finding where a change went, never for
// saying how fast the probe is; that is what run.py measures.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "frame.hpp"
#include "whiteowl/flow/key.hpp"
#include "whiteowl/flow/meter.hpp"
#include "whiteowl/flow/table.hpp"
#include "whiteowl/ipfix/message.hpp"
#include "whiteowl/ipfix/template.hpp"
#include "whiteowl/packet/decode.hpp"

namespace whiteowl::bench {
namespace {

// Frames side by side in memory, as a capture buffer holds them.
class Frames {
 public:
  void add(const BuiltFrame& built, Timestamp time) {
    octets_.insert(octets_.end(), built.data(), built.data() + BuiltFrame::kKept);
    Frame frame;
    frame.time = time;
    frame.captured_octets = std::min(built.wire_octets(), BuiltFrame::kKept);
    frame.wire_octets = built.wire_octets();
    frames_.push_back(frame);
  }
  [[nodiscard]] std::size_t size() const { return frames_.size(); }
  [[nodiscard]] Frame at(std::size_t index) const {
    Frame frame = frames_[index];
    frame.data = octets_.data() + index * BuiltFrame::kKept;
    return frame;
  }

 private:
  std::vector<std::uint8_t> octets_;
  std::vector<Frame> frames_;
};

Timestamp at_us(std::uint64_t us) {
  return Timestamp{std::chrono::seconds{1'700'000'000}} + std::chrono::microseconds{us};
}

Endpoints flow_ends(std::uint64_t flow, bool v6 = false) {
  const std::uint64_t bits = scatter(flow);
  return {v6, 0x0A000000U + flow, 0xAC100000U | (bits & 0xFFFFU), static_cast<std::uint16_t>(2000 + bits % 50'000),
          443};
}

enum Kind : std::int64_t { udp4, tcp4, tcp6, mixed };

// `count` packets over `flows` flows in random order; TCP goes on in both directions.
Frames traffic(std::int64_t kind, std::size_t count, std::uint64_t flows) {
  std::mt19937_64 dice{1};
  std::vector<std::uint32_t> next(flows * 2, 1);
  Frames frames;
  BuiltFrame built;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t flow = dice() % flows;
    const std::uint64_t back = dice() % 2;
    const bool v6 = kind == tcp6 || (kind == mixed && flow % 10 < 3);
    const bool tcp = kind == tcp4 || kind == tcp6 || (kind == mixed && flow % 7 < 4);
    const Endpoints ends = back != 0 ? flow_ends(flow, v6).reversed() : flow_ends(flow, v6);
    if (tcp) {
      const auto ms = static_cast<std::uint32_t>(i / 1000);
      TcpPart part{next[flow * 2 + back], next[flow * 2 + 1 - back], ms + 1, ms};
      part.flags = kAck;
      next[flow * 2 + back] += 100;
      built.tcp(ends, static_cast<std::uint16_t>(i), part, 100);
    } else {
      built.udp(ends, static_cast<std::uint16_t>(i), 18);
    }
    frames.add(built, at_us(i));
  }
  return frames;
}

void per_item(benchmark::State& state, std::size_t items) {
  using benchmark::Counter;
  state.counters["each"] = Counter(static_cast<double>(items), Counter::kIsIterationInvariantRate | Counter::kInvert);
}

void decode(benchmark::State& state) {
  const Frames frames = traffic(state.range(0), 1024, 100);  // stays in the second cache
  Decoder decoder{DecodeSettings{}};
  Packet packet;
  for (auto _ : state) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      benchmark::DoNotOptimize(decoder.decode(frames.at(i), packet));
      benchmark::DoNotOptimize(packet);
    }
  }
  per_item(state, frames.size());
}
BENCHMARK(decode)->ArgName("kind")->Arg(udp4)->Arg(tcp4)->Arg(tcp6)->Arg(mixed);

std::vector<FlowKey> keys(std::size_t count) {
  BuiltFrame built;
  Decoder decoder{DecodeSettings{}};
  std::vector<FlowKey> result;
  for (std::size_t i = 0; i < count; ++i) {
    Frames one;
    built.udp(flow_ends(i), 0, 18);
    one.add(built, at_us(0));
    Packet packet;
    const Frame frame = one.at(0);
    if (decoder.decode(frame, packet) == Discard::none) result.push_back(directed_key(packet, false).key);
  }
  return result;
}

void key_and_hash(benchmark::State& state) {
  const Frames frames = traffic(mixed, 1024, 100);
  Decoder decoder{DecodeSettings{}};
  std::vector<Packet> packets(frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (decoder.decode(frames.at(i), packets[i]) != Discard::none) state.SkipWithError("a frame was discarded");
  }
  const HashKey secret = random_hash_key();
  for (auto _ : state) {
    for (const Packet& packet : packets) benchmark::DoNotOptimize(directed_key(packet, false).key.hash(secret));
  }
  per_item(state, packets.size());
}
BENCHMARK(key_and_hash);

// Look-ups of keys that are there, in random order, each waiting for the one before: what a batch hides.
void table_find(benchmark::State& state) {
  const auto flows = static_cast<std::size_t>(state.range(0));
  const auto known = keys(flows);
  const HashKey secret = random_hash_key();
  FlowTable table{static_cast<std::uint32_t>(flows), Prefault::yes};
  for (const FlowKey& key : known) benchmark::DoNotOptimize(table.insert(key, key.hash(secret), 0));
  std::uint64_t at = 1;
  for (auto _ : state) {
    const FlowKey& key = known[scatter(at) % flows];
    at += 1U + table.find(key, key.hash(secret)) / flows;
    benchmark::DoNotOptimize(at);
  }
  per_item(state, 1);
}
BENCHMARK(table_find)->ArgName("flows")->Arg(1000)->Arg(100'000)->Arg(1'000'000);

void table_insert_and_erase(benchmark::State& state) {
  const auto flows = static_cast<std::size_t>(state.range(0));
  const auto known = keys(flows);
  const HashKey secret = random_hash_key();
  FlowTable table{static_cast<std::uint32_t>(flows), Prefault::yes};
  std::size_t at = 0;
  for (auto _ : state) {
    const FlowKey& key = known[at];
    const std::uint64_t hash = key.hash(secret);
    table.erase(table.insert(key, hash, 0), hash);
    at = at + 1 == flows ? 0 : at + 1;
  }
  per_item(state, 1);
}
BENCHMARK(table_insert_and_erase)->ArgName("flows")->Arg(1000)->Arg(1'000'000);

class CountingSink final : public RecordSink {
 public:
  void put(const FlowRecord& record) noexcept override { packets += record.packets; }
  std::uint64_t packets = 0;
};

// Decoding, table and TCP together, without a source and without an exporter.
void meter(benchmark::State& state) {
  const auto flows = static_cast<std::uint64_t>(state.range(1));
  const Frames frames = traffic(state.range(0), 1U << 20U, flows);
  CountingSink sink;
  FlowSettings flow;
  flow.max_flows = static_cast<std::uint32_t>(flows * 5 / 4);
  flow.prefault = Prefault::yes;
  TcpSettings tcp;
  tcp.track = state.range(2) != 0;
  Meter meter{flow, tcp, DecodeSettings{}, 1, sink};
  FrameBatch batch;
  for (auto _ : state) {
    for (std::size_t from = 0; from < frames.size(); from += FrameBatch::kCapacity) {
      for (batch.size = 0; batch.size < FrameBatch::kCapacity; ++batch.size)
        batch.frames[batch.size] = frames.at(from + batch.size);
      batch.watermark = batch.frames.back().time;
      batch.has_watermark = true;
      meter.observe(batch);
    }
  }
  benchmark::DoNotOptimize(sink.packets);
  per_item(state, frames.size());
}
BENCHMARK(meter)
    ->ArgNames({"kind", "flows", "tcp"})
    ->Args({udp4, 1000, 0})
    ->Args({udp4, 1'000'000, 0})
    ->Args({tcp4, 1000, 0})
    ->Args({tcp4, 1000, 1})
    ->Args({tcp4, 100'000, 0})
    ->Args({tcp4, 100'000, 1})
    ->Unit(benchmark::kMillisecond);

void encode(benchmark::State& state) {
  IpfixSettings settings;
  settings.tcp_fields = state.range(0) > 0;
  if (state.range(0) > 1) settings.fields = {"extended"};
  const Templates templates{settings};
  MessageWriter message{1};
  FlowRecord record;
  record.protocol = 6;
  record.packets = 10;
  std::size_t records = 0;
  for (auto _ : state) {
    message.clear(1400);
    for (;;) {
      const Template& used = templates.of(record);
      std::uint8_t* at = message.add(used.id, used.octets, true);
      if (at == nullptr) break;
      used.encode(record, at);
    }
    records += message.data_records();
    benchmark::DoNotOptimize(message.finish(0, 0).data());
  }
  per_item(state, state.iterations() == 0 ? 0 : records / static_cast<std::size_t>(state.iterations()));
}
BENCHMARK(encode)->ArgName("tcp_fields")->Arg(0)->Arg(1)->Arg(2);

}  // namespace
}  // namespace whiteowl::bench

BENCHMARK_MAIN();
