// SPDX-License-Identifier: Apache-2.0
// A packet source without a network: UDP packets of as many flows as wanted, two packets each.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "whiteowl/capture/source.hpp"
#include "whiteowl/daemon/worker.hpp"

namespace whiteowl {

// Ethernet, IPv4 (28 octets in all), UDP from 10.a.b.c port 1000 to 192.0.2.1 port 53, where a.b.c is the flow's
// number.
inline std::array<std::uint8_t, 42> udp_frame(std::uint32_t flow) {
  return {2,
          0,
          0,
          0,
          0,
          2,  // to
          2,
          0,
          0,
          0,
          0,
          1,  // from
          8,
          0,  // IPv4
          0x45,
          0,
          0,
          28,
          0,
          0,
          0,
          0,
          64,
          17,
          0,
          0,  // protocol 17
          10,
          static_cast<std::uint8_t>(flow >> 16U),
          static_cast<std::uint8_t>(flow >> 8U),
          static_cast<std::uint8_t>(flow),
          192,
          0,
          2,
          1,  //
          3,
          0xE8,
          0,
          53,
          0,
          8,
          0,
          0};
}

class FakeSource final : public PacketSource {
 public:
  static constexpr std::uint64_t kPacketsPerFlow = 2;

  // Ends by itself after `flows` flows, or goes on with silence until end() if `endless`.
  FakeSource(std::uint32_t flows, bool endless, std::string failure = {})
      : flows_{flows}, endless_{endless}, failure_{std::move(failure)} {}

  [[nodiscard]] const FrameBatch& read() noexcept override {
    const std::uint32_t count = std::min<std::uint32_t>(FrameBatch::kCapacity / 2, flows_ - next_flow_);
    batch_.size = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      bytes_[i] = udp_frame(next_flow_ + i);
      for (std::uint64_t twice = 0; twice < kPacketsPerFlow; ++twice) {
        auto& frame = batch_.frames[batch_.size++];
        frame.data = bytes_[i].data();
        frame.captured_octets = frame.wire_octets = static_cast<std::uint32_t>(bytes_[i].size());
        frame.time = time_ += std::chrono::microseconds{1};
      }
    }
    next_flow_ += count;
    counters_.packets_received.add(batch_.size);
    batch_.end = next_flow_ == flows_ && (!endless_ || ended_.load());
    if (count == 0 && !batch_.end) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    batch_.watermark = time_;
    batch_.has_watermark = true;
    return batch_;
  }
  [[nodiscard]] std::string failure() const override { return failure_; }
  [[nodiscard]] const CaptureCounters& counters() const noexcept override { return counters_; }
  void refresh_counters() noexcept override { ++refreshed_; }

  void end() noexcept { ended_.store(true); }  // any thread
  [[nodiscard]] unsigned refreshed() const noexcept { return refreshed_; }

 private:
  std::uint32_t flows_;
  bool endless_;
  std::string failure_;
  std::uint32_t next_flow_ = 0;
  Timestamp time_{std::chrono::seconds{1'700'000'000}};
  std::array<std::array<std::uint8_t, 42>, FrameBatch::kCapacity / 2> bytes_{};
  FrameBatch batch_;
  CaptureCounters counters_;
  std::atomic<bool> ended_{false};
  unsigned refreshed_ = 0;
};

// Never comes back from a read() until it is asked to end: a thread that hangs.
class StuckSource final : public PacketSource {
 public:
  [[nodiscard]] const FrameBatch& read() noexcept override {
    ended_.wait(false);
    batch_.end = true;
    return batch_;
  }
  [[nodiscard]] const CaptureCounters& counters() const noexcept override { return counters_; }
  void end() noexcept {
    ended_.store(true);
    ended_.notify_all();
  }

 private:
  FrameBatch batch_;
  CaptureCounters counters_;
  std::atomic<bool> ended_{false};
};

// As a capture file is: ends by itself, and a stop is the worker's business.
inline Input file_input(std::uint32_t flows, std::string failure = {}) {
  return {.source = std::make_unique<FakeSource>(flows, false, std::move(failure)), .stop = {}, .ring_octets = 0};
}
// As a ring is: endless, ends when asked to.
inline Input live_input(std::uint32_t flows) {
  auto source = std::make_unique<FakeSource>(flows, true);
  FakeSource* fake = source.get();
  return {.source = std::move(source), .stop = [fake] { fake->end(); }, .ring_octets = 4096};
}

inline Input stuck_input() {
  auto source = std::make_unique<StuckSource>();
  StuckSource* stuck = source.get();
  return {.source = std::move(source), .stop = [stuck] { stuck->end(); }, .ring_octets = 0};
}

}  // namespace whiteowl
