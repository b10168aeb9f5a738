// SPDX-License-Identifier: Apache-2.0

// A segment after the handshake, taken to the trackers in their order; open, closing, closed.
// New -> SynSent -> SynAckSeen -> Established -> FinWait -> Closed
#pragma once

#include "whiteowl/tcp/segment.hpp"

namespace whiteowl {

// The segment is neither SYN nor RST.
SegmentStory observe_segment(const Exchange& exchange) noexcept;
// RST ends the conversation and is not used otherwise: its numbers and its window mean nothing (RFC 5961 3).
void observe_reset(const Exchange& exchange) noexcept;

}  // namespace whiteowl
