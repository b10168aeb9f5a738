// SPDX-License-Identifier: Apache-2.0

// Where a segment stands in its direction's sequence space: new, behind a hole, a repeat, reordered, a probe.
//
// Field 4 counts segments that consume sequence space and begin below the highest end seen.  Not counted, because they
// are no repeats by the sender: keep-alives, probes of a closed window, captured copies, segments outside the window.
// Bias: a segment lost before the tap at the end of a burst and then repeated looks new; nobody at the tap can tell.
//
// Reordered segments are told from repeats here by the sender's clock alone: a TSval below one already seen was sent
// before it.  Where time must decide, holes are needed, which only the cold part remembers (repeat.hpp); that changes
// what is counted, never a round-trip time.
#pragma once

#include "whiteowl/tcp/segment.hpp"

namespace whiteowl {

// The segment consumes sequence space and is no SYN.
[[nodiscard]] SegmentKind place_segment(const Exchange& exchange) noexcept;

// The peer's data up to `ack` is acknowledged, by a segment that is not outside the window.  Octets beyond the highest
// end seen were lost by the tap, or the ACK is optimistic; false: it is too far ahead to be believed.
[[nodiscard]] bool advance_to_ack(const Exchange& exchange) noexcept;

// Field 4, saturating.
inline void count_retransmit(TcpDirection& sender) noexcept {
  if (sender.retransmit_count != 0xFFFFFFFFU) ++sender.retransmit_count;
}

inline void note_sent(TcpDirection& sender, UsStamp now) noexcept {
  sender.sent_at = now;
  sender.flags |= direction_flag::kSent;
}

}  // namespace whiteowl
