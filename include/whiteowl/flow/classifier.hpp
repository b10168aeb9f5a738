// SPDX-License-Identifier: Apache-2.0
// The first stage of metering: frames in, packets out with the conversation to which each belongs and its age.
// One thread, because ages, and the ports that a first fragment lends to those that follow, depend on the order of all
// packets; what comes behind it may be shared out by `hash`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "whiteowl/base/counter.hpp"
#include "whiteowl/base/hash.hpp"
#include "whiteowl/base/time.hpp"
#include "whiteowl/flow/key.hpp"
#include "whiteowl/packet/decode.hpp"
#include "whiteowl/packet/frame.hpp"

namespace whiteowl {

// Written by the thread that classifies, readable by any.
struct ClassifierCounters {
  std::array<Counter, kDiscardCount> packets_discarded;  // by Discard
  Counter octets_discarded;                              // wire octets of those
  Counter clock_steps_back;                              // packet stamps that went back by more than a second
};

struct ClassifiedPacket {
  Packet packet;
  FlowKey key;
  std::uint64_t hash;  // of the key, the same for both directions
  Duration age;        // by the AgeClock
  std::uint32_t direction;
};

struct ClassifiedBatch {
  std::array<ClassifiedPacket, FrameBatch::kCapacity> packets;
  std::size_t size = 0;
  Duration now{};  // age behind the last frame, whether it became a packet or not, and behind the watermark
};

class Classifier {
 public:
  // Takes all memory: throws std::bad_alloc.
  Classifier(const DecodeSettings& settings, bool vlan_in_key, const HashKey& hash_key)
      : decoder_{settings}, hash_key_{hash_key}, vlan_in_key_{vlan_in_key} {}

  // The batch's packets point into its frames.  Calls each(const ClassifiedPacket&) as soon as one is complete.
  template <typename Each>
  void classify(const FrameBatch& frames, ClassifiedBatch& batch, Each&& each) noexcept {
    AgeClock clock = clock_;  // in registers as long as the loop runs
    ClassifiedPacket* next = batch.packets.data();
    const Frame* const end = frames.frames.data() + frames.size;
    for (const Frame* frame = frames.frames.data(); frame != end; ++frame) {
      ClassifiedPacket& item = *next;
      clock.advance(frame->time);
      item.age = clock.now();
      const Discard reason = decoder_.decode(*frame, item.packet);
      if (reason != Discard::none) [[unlikely]] {
        counters_.packets_discarded[static_cast<std::size_t>(reason)].add();
        counters_.octets_discarded.add(frame->wire_octets);
        continue;
      }
      set_key(item);
      each(item);
      ++next;
    }
    if (frames.has_watermark) clock.advance(frames.watermark);
    clock_ = clock;
    batch.size = static_cast<std::size_t>(next - batch.packets.data());
    batch.now = clock_.now();
    counters_.clock_steps_back.set(clock_.steps_back());
  }
  [[nodiscard]] const ClassifierCounters& counters() const noexcept { return counters_; }

 private:
  // In both branches, so that the hash of IPv4 knows of the key's zeros.
  [[gnu::always_inline]] void set_key(ClassifiedPacket& item) const noexcept {
    if (item.packet.ip_version == 4) [[likely]]
      set_key(item, ipv4_key(item.packet, vlan_in_key_));
    else
      set_key(item, ipv6_key(item.packet, vlan_in_key_));
  }
  [[gnu::always_inline]] void set_key(ClassifiedPacket& item, const DirectedKey& directed) const noexcept {
    item.hash = directed.key.hash(hash_key_);
    item.key = directed.key;
    item.direction = directed.direction;
  }

  Decoder decoder_;
  HashKey hash_key_;
  bool vlan_in_key_;
  AgeClock clock_;
  ClassifierCounters counters_;
};

}  // namespace whiteowl
