// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/rtt.hpp"

namespace whiteowl {

using namespace direction_flag;

void hold_rtt(TcpDirection& direction, SeqNum point) noexcept {
  if (direction.has(kHeld) && !point.after(direction.recover)) return;
  direction.recover = point;
  direction.flags |= kHeld;
}

bool rtt_held(TcpDirection& direction) noexcept {
  if (direction.has(kUnaKnown)) lift_served_hold(direction);
  return direction.has(kHeld);
}

void forget_segments_above(TcpDirection& sender, SeqNum seq) noexcept {
  unsigned kept = 0;
  for (unsigned i = 0; i < sender.outstanding_count; ++i) {
    const auto segment = sender.outstanding[place_in_ring(sender, i)];
    if (!segment.end.after(seq)) sender.outstanding[place_in_ring(sender, kept++)] = segment;
  }
  sender.outstanding_count = kept & 0xFU;
}

}  // namespace whiteowl
