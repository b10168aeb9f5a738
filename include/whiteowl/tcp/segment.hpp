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

// `room` holds the options where the segment has others than time stamps: it must outlive the segment.
[[nodiscard]] Segment read_segment(const Packet& packet, const TcpDirection& sender, TcpOptions& room) noexcept;

// A segment on its way from `sender()` to `peer()`.
struct Exchange {
  const TcpRules& rules;
  TcpConversation& conversation;
  TcpDirections& directions;
  unsigned direction;
  const Segment& segment;

  [[nodiscard]] TcpDirection& sender() const noexcept { return directions.of[direction]; }
  [[nodiscard]] TcpDirection& peer() const noexcept { return directions.of[direction ^ 1U]; }
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
