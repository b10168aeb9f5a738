// SPDX-License-Identifier: Apache-2.0
// Properties that hold for any traffic: the fast meter equals the slow one, and nothing depends on how packets were cut
// into batches or spread over workers.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "support/comparable_record.hpp"
#include "support/memory.hpp"
#include "support/random_traffic.hpp"
#include "support/reference_meter.hpp"
#include "whiteowl/flow/key.hpp"
#include "whiteowl/flow/meter.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

FlowSettings settings() {
  FlowSettings result;
  result.max_flows = 4096;
  result.interface_index = {7};
  return result;
}

std::vector<FlowRecord> metered(std::span<const StoredFrame> frames, std::size_t batch, const FlowSettings& flow,
                                const TcpSettings& tcp = {}, Timestamp end = {}) {
  MemorySource source{frames, batch};
  MemorySink sink;
  Meter meter{flow, tcp, {}, 1, sink};
  for (;;) {
    const FrameBatch& next = source.read();
    meter.observe(next);
    if (next.end) break;
  }
  if (end != Timestamp{}) {
    FrameBatch last;
    last.watermark = end;
    last.has_watermark = true;
    meter.observe(last);
  }
  meter.flush(FlowEndReason::forced_end);
  std::uint64_t discarded = 0;
  for (const Counter& counter : meter.classifier_counters().packets_discarded) discarded += counter.get();
  std::uint64_t in_records = 0;
  for (const FlowRecord& record : sink.records) in_records += record.packets;
  CHECK(discarded + in_records == frames.size());
  CHECK(meter.counters().packets_in_table.get() == 0);
  CHECK(meter.counters().conversations.get() == 0);
  return sink.records;
}

}  // namespace

TEST_CASE("the fast meter gives the records of the slow one") {
  for (std::uint32_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    RandomTraffic traffic{seed};
    traffic.steps_back = seed % 3 == 0;
    const auto frames = traffic.frames(12'000);
    TcpSettings tcp;
    tcp.track = seed % 4 != 0;
    if (seed % 3 == 1) tcp.retransmit_mode = RetransmitMode::strict;
    FlowSettings flow = settings();
    flow.vlan_in_key = seed % 5 == 0;
    if (seed % 2 == 0) flow.active_timeout = std::chrono::seconds{5};
    ReferenceMeter reference{flow, tcp, {}};
    for (const StoredFrame& frame : frames) reference.observe(frame.frame());
    reference.flush();
    CHECK(sorted(metered(frames, 64, flow, tcp)) == sorted(reference.records));
  }
}

TEST_CASE("batches of one and of sixty-four give the same records") {
  for (std::uint32_t seed = 100; seed < 106; ++seed) {
    CAPTURE(seed);
    const auto frames = RandomTraffic{seed}.frames(12'000);
    const auto whole = metered(frames, 64, settings());
    const auto single = metered(frames, 1, settings());
    CHECK(sorted(whole) == sorted(single));
    CHECK(sorted(whole) == sorted(metered(frames, 7, settings())));
    std::vector<std::uint64_t> ids_whole;
    std::vector<std::uint64_t> ids_single;
    for (const auto& r : whole) ids_whole.push_back(r.flow_id);
    for (const auto& r : single) ids_single.push_back(r.flow_id);
    std::sort(ids_whole.begin(), ids_whole.end());
    std::sort(ids_single.begin(), ids_single.end());
    CHECK(ids_whole == ids_single);
  }
}

TEST_CASE("one worker and four give the same records") {
  for (std::uint32_t seed = 200; seed < 206; ++seed) {
    CAPTURE(seed);
    RandomTraffic traffic{seed, 12};
    traffic.steps_back = false;  // each worker ages by its own packets
    const auto frames = traffic.frames(12'000);
    const auto alone = metered(frames, 64, settings());
    std::vector<FlowRecord> together;
    Decoder decoder{DecodeSettings{}};
    std::vector<StoredFrame> share[4];
    for (const StoredFrame& frame : frames) {
      Packet packet;
      const Frame view = frame.frame();
      const bool good = decoder.decode(view, packet) == Discard::none;
      share[good ? directed_key(packet, false).key.hash({1, 2, 3, 4, 5, 6, 7, 8}) % 4 : 0].push_back(frame);
    }
    for (const auto& part : share) {
      const auto records = metered(part, 64, settings(), {}, frames.back().time);  // the capture ends for all at once
      together.insert(together.end(), records.begin(), records.end());
    }
    CHECK(sorted(alone) == sorted(together));
  }
}

TEST_CASE("a small table under any traffic loses no packet and stays within its bound") {
  FlowSettings flow = settings();
  for (const std::uint32_t capacity : {1U, 3U, 16U}) {
    flow.max_flows = capacity;
    const auto frames = RandomTraffic{capacity, 20}.frames(20'000);
    std::uint64_t packets = 0;
    for (const FlowRecord& record : metered(frames, 64, flow)) packets += record.packets;
    CHECK(packets > 19'000);
  }
}
