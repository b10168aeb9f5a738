// SPDX-License-Identifier: Apache-2.0
// Classified packets on their way from the reader of a capture file to one worker: a bounded ring of batches that are
// written and read in place.  One thread at each end.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "whiteowl/base/counter.hpp"
#include "whiteowl/capture/input_buffer.hpp"
#include "whiteowl/flow/classifier.hpp"
#include "whiteowl/packet/frame.hpp"

namespace whiteowl {

// A batch and what its packets point to.  `buffer`: where the frames' octets lie, held; null if there are none.
struct PacketShare {
  ClassifiedBatch batch;
  std::array<Frame, FrameBatch::kCapacity> frames;
  InputBuffer* buffer = nullptr;
};

class PacketRing {
 public:
  static constexpr std::size_t kSlots = 32;  // some 2000 packets: enough to even out who waits for whom

  PacketRing() : slots_{std::make_unique<PacketShare[]>(kSlots)} {}

  // Reader: the share to fill next, with what was written into it since the last push(); null while the ring is full.
  [[nodiscard]] PacketShare* back() noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == kSlots) return nullptr;
    return &slots_[tail % kSlots];
  }
  // Reader: back() was not null.
  void push() noexcept { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  // Nothing more will come.  The worker sees it after the last share.  Any thread, once the reader does not push.
  void close() noexcept { closed_.store(true, std::memory_order_release); }

  // Worker: the oldest share, valid until pop(); null while there is none.
  [[nodiscard]] const PacketShare* front() const noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    return head == tail_.load(std::memory_order_acquire) ? nullptr : &slots_[head % kSlots];
  }
  // Worker: front() was not null.
  void pop() noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    PacketShare& share = slots_[head % kSlots];
    if (share.buffer != nullptr) share.buffer->release();
    share.buffer = nullptr;
    share.batch.size = 0;
    head_.store(head + 1, std::memory_order_release);
  }
  // Worker: closed, and everything taken.
  [[nodiscard]] bool finished() const noexcept { return closed_.load(std::memory_order_acquire) && front() == nullptr; }

 private:
  const std::unique_ptr<PacketShare[]> slots_;
  alignas(kCacheLine) std::atomic<std::size_t> tail_{0};
  alignas(kCacheLine) std::atomic<std::size_t> head_{0};
  alignas(kCacheLine) std::atomic<bool> closed_{false};
};

}  // namespace whiteowl
