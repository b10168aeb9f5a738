// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/segment.hpp"

#include <cstring>

namespace whiteowl {

namespace {

// NOP NOP Timestamps(10): the layout that RFC 7323 appendix A recommends and nearly every segment with options has.
constexpr std::uint32_t kOnlyTimestamps = 0x0101080A;
constexpr std::uint32_t kPlainHeader = sizeof(TcpHeader), kTimestampHeader = kPlainHeader + 12;

void read_options(const Packet& packet, Segment& segment, TcpOptions& room) noexcept {
  const std::uint32_t readable = packet.tcp_header_captured;
  if (readable <= kPlainHeader) return;
  const auto* options = reinterpret_cast<const std::uint8_t*>(packet.tcp) + kPlainHeader;
  if (readable == kTimestampHeader && reinterpret_cast<const be32*>(options)->value() == kOnlyTimestamps) {
    segment.has_timestamps = true;
    segment.ts_value = reinterpret_cast<const be32*>(options + 4)->value();
    segment.ts_echo = reinterpret_cast<const be32*>(options + 8)->value();
    return;
  }
  room = read_tcp_options(packet);
  segment.options = &room;
  segment.has_timestamps = room.has_timestamps;
  segment.ts_value = room.ts_value;
  segment.ts_echo = room.ts_echo;
}

}  // namespace

Segment read_segment(const Packet& packet, const TcpDirection& sender, TcpOptions& room) noexcept {
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
  read_options(packet, segment, room);
  segment.ts_is_new = segment.has_timestamps && (!sender.has(direction_flag::kTimestamps) ||
                                                 SeqNum{segment.ts_value}.after(SeqNum{sender.ts_max}));
  return segment;
}

}  // namespace whiteowl
