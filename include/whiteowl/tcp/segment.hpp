// SPDX-License-Identifier: Apache-2.0

// A TCP segment as the trackers see it (host order), and the exchange that it is part of.
#pragma once

#include <cstdint>

#include "whiteowl/packet/packet.hpp"
#include "whiteowl/packet/tcp_options.hpp"
#include "whiteowl/tcp/conversation.hpp"
#include "whiteowl/tcp/rules.hpp"

namespace whiteowl {

struct Segment {
  std::int64_t time_us;  // since 1970, floored
  UsStamp now;
  SeqNum seq, end, ack;
  std::uint32_t payload;  // octets, from IP lengths
  std::uint32_t length;   // payload, SYN and FIN (SEG.LEN, RFC 9293 3.3.1)
  std::uint32_t ts_value, ts_echo;
  std::uint16_t window, flags;
  bool has_timestamps;
  bool ts_is_new;             // larger than every TSval of its direction before it
  const TcpOptions* options;  // null: no option but perhaps time stamps

  [[nodiscard]] bool has(std::uint16_t bits) const noexcept { return (flags & bits) == bits; }
};

// All but options and what follows from them.
[[nodiscard]] inline Segment read_fixed_header(const Packet& packet) noexcept {
  const TcpHeader& header = *packet.tcp;
  Segment segment{};
  segment.time_us = floor_microseconds(packet.frame->time);
  segment.now = UsStamp{segment.time_us};
  segment.seq = SeqNum{header.sequence_number.value()};
  segment.ack = SeqNum{header.acknowledgment_number.value()};
  segment.flags = header.flags();
  segment.window = header.window.value();
  segment.payload = packet.payload_octets;
  segment.length = segment.payload + (segment.has(tcp_flag::kSyn) ? 1U : 0U) + (segment.has(tcp_flag::kFin) ? 1U : 0U);
  segment.end = segment.seq + segment.length;
  return segment;
}

// No options, or NOP NOP Timestamps(10): the layout that RFC 7323 appendix A recommends and nearly every segment with
// options has.  False: they must be looked through.
[[nodiscard]] inline bool read_usual_options(const Packet& packet, Segment& segment) noexcept {
  constexpr std::uint32_t kOnlyTimestamps = 0x0101080A;
  constexpr std::uint32_t kPlainHeader = sizeof(TcpHeader), kTimestampHeader = kPlainHeader + 12;
  if (packet.tcp_header_captured <= kPlainHeader) return true;
  if (packet.tcp_header_captured != kTimestampHeader) return false;
  const auto* options = reinterpret_cast<const be32*>(reinterpret_cast<const std::uint8_t*>(packet.tcp) + kPlainHeader);
  if (options[0].value() != kOnlyTimestamps) return false;
  segment.has_timestamps = true;
  segment.ts_value = options[1].value();
  segment.ts_echo = options[2].value();
  return true;
}

[[nodiscard]] inline bool ts_is_new(const Segment& segment, const TcpDirection& sender) noexcept {
  return segment.has_timestamps &&
         (!sender.has(direction_flag::kTimestamps) || SeqNum{segment.ts_value}.after(SeqNum{sender.ts_max}));
}

// `room` holds the options where the segment has others than time stamps: it must outlive the segment.
[[nodiscard]] Segment read_segment(const Packet& packet, const TcpDirection& sender, TcpOptions& room) noexcept;

// A segment on its way from `sender()` to `peer()`.
class Exchange {
 public:
  Exchange(const TcpRules& the_rules, TcpConversation& its_conversation, TcpDirections& its_directions,
           unsigned its_direction, const Segment& its_segment) noexcept
      : rules{the_rules},
        conversation{its_conversation},
        directions{its_directions},
        direction{its_direction},
        segment{its_segment},
        sender_{its_directions.of[its_direction]},
        peer_{its_directions.of[its_direction ^ 1U]} {}

  const TcpRules& rules;
  TcpConversation& conversation;
  TcpDirections& directions;
  unsigned direction;
  const Segment& segment;

  [[nodiscard]] TcpDirection& sender() const noexcept { return sender_; }
  [[nodiscard]] TcpDirection& peer() const noexcept { return peer_; }

 private:
  TcpDirection& sender_;
  TcpDirection& peer_;
};

// What a segment that consumes sequence space turned out to be.
enum class SegmentKind : std::uint8_t {
  none,       // consumes nothing
  fresh,      // begins where the last one ended
  gap,        // begins behind something that has not passed
  repeat,     // begins below the highest end seen
  reordered,  // so too, but the sender's clock says that it was sent before something that has passed
  probe,      // of a closed window
  keep_alive,
  invalid,  // outside the window
};

// What a segment's ACK number said about the peer's data.
enum class AckKind : std::uint8_t {
  none,          // no ACK
  unseen_peer,   // nothing of the peer has passed
  progress,      // more is acknowledged than before
  duplicate,     // a duplicate ACK (RFC 5681 2)
  same,          // no progress, but no duplicate ACK either
  old,           // less than was acknowledged before
  unbelievable,  // far beyond everything seen
};

struct SegmentStory {
  SegmentKind kind;
  AckKind ack;
};

}  // namespace whiteowl
