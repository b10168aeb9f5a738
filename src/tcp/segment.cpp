// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/segment.hpp"

namespace whiteowl {

Segment read_segment(const Packet& packet, const TcpDirection& sender, TcpOptions& room) noexcept {
  Segment segment = read_fixed_header(packet);
  if (!read_usual_options(packet, segment)) {
    room = read_tcp_options(packet);
    segment.options = &room;
    segment.has_timestamps = room.has_timestamps;
    segment.ts_value = room.ts_value;
    segment.ts_echo = room.ts_echo;
  }
  segment.ts_is_new = ts_is_new(segment, sender);
  return segment;
}

}  // namespace whiteowl
