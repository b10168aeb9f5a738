// SPDX-License-Identifier: Apache-2.0
// Both ends of the street in memory: frames from a vector, records into a vector.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "whiteowl/capture/source.hpp"
#include "whiteowl/flow/sink.hpp"
#include "whiteowl/packet/frame.hpp"

namespace whiteowl::test {

// A frame that owns its bytes.
struct StoredFrame {
  std::vector<std::uint8_t> bytes;
  Timestamp time{};
  std::uint32_t wire_octets = 0;  // 0 = as many as there are bytes
  std::uint16_t vlan_tci = 0;
  std::uint16_t vlan_tpid = 0;
  LinkType link = LinkType::ethernet;
  std::uint8_t interface = 0;

  [[nodiscard]] Frame frame() const {
    Frame result;
    result.data = bytes.data();
    result.time = time;
    result.captured_octets = static_cast<std::uint32_t>(bytes.size());
    result.wire_octets = wire_octets == 0 ? result.captured_octets : wire_octets;
    result.vlan_tci = vlan_tci;
    result.vlan_tpid = vlan_tpid;
    result.link = link;
    result.interface = interface;
    return result;
  }
};

// Hands out the frames in batches of a given size, as a capture file would.
class MemorySource final : public PacketSource {
 public:
  explicit MemorySource(std::span<const StoredFrame> frames, std::size_t batch = FrameBatch::kCapacity)
      : frames_{frames}, batch_size_{batch} {}

  [[nodiscard]] const FrameBatch& read() noexcept override {
    batch_.size = 0;
    while (batch_.size < batch_size_ && next_ < frames_.size()) batch_.frames[batch_.size++] = frames_[next_++].frame();
    if (batch_.size > 0) {
      batch_.watermark = batch_.frames[batch_.size - 1].time;
      batch_.has_watermark = true;
    }
    batch_.end = next_ == frames_.size();
    counters_.packets_received.add(batch_.size);
    return batch_;
  }
  [[nodiscard]] const CaptureCounters& counters() const noexcept override { return counters_; }

 private:
  std::span<const StoredFrame> frames_;
  std::size_t batch_size_;
  std::size_t next_ = 0;
  FrameBatch batch_;
  CaptureCounters counters_;
};

class MemorySink final : public RecordSink {
 public:
  void put(const FlowRecord& record) noexcept override { records.push_back(record); }
  std::vector<FlowRecord> records;
};

}  // namespace whiteowl::test
