// SPDX-License-Identifier: Apache-2.0

// Round-trip times between the tap and a direction's destination: from handshake, data and ACK, and time-stamp echoes.
//
// A segment is timed only if its ACK cannot mean anything else: it was sent once (Karn, RFC 6298 3), nothing before it
// was missing or repeated (its ACK would have waited for that), and the ACK number hits its end exactly.  Four segments
// are remembered; when there are more the newest is replaced, so that the oldest still meets its ACK.
// Bias: the peer's delayed ACK is in the sample, so maximum and average are not path delay; the minimum is.
// Time stamps (RFC 7323 4) fill in where ACK numbers do not hit; they may be up to one tick too large, never too small.
#pragma once

#include <algorithm>
#include <cstdint>

#include "whiteowl/tcp/segment.hpp"
#include "whiteowl/tcp/waiting.hpp"

namespace whiteowl {

// A sample towards the destination of `direction`.  Negative ones (the clock went back) are dropped; 0 counts as 1,
// because 0 stands for "none".
inline void add_rtt_sample(TcpDirection& direction, std::int64_t us) noexcept {
  if (us < 0) return;
  const auto sample = static_cast<std::uint32_t>(std::max<std::int64_t>(us, 1));
  direction.rtt_min_us = direction.rtt_count == 0 ? sample : std::min(direction.rtt_min_us, sample);
  direction.rtt_max_us = std::max(direction.rtt_max_us, sample);
  direction.rtt_sum_us += sample;
  ++direction.rtt_count;
}

// No samples from now on until everything up to `point` is acknowledged.
void hold_rtt(TcpDirection& direction, SeqNum point) noexcept;
// Whether sampling is held; lifts a hold that has served.
[[nodiscard]] bool rtt_held(TcpDirection& direction) noexcept;
// At each progress of una: later it may stand half the circle behind the point, where "before" means nothing.
inline void lift_served_hold(TcpDirection& direction) noexcept {
  if (direction.has(direction_flag::kHeld) && !direction.una.before(direction.recover))
    direction.flags &= ~direction_flag::kHeld;
}

// The peer's data is acknowledged up to the segment's ACK number: at most one sample, from the ACK or else the echo.
inline void sample_ack(const TcpRules& rules, TcpConversation& conversation, TcpDirection& peer, const Segment& segment,
                       std::int32_t echo_us) noexcept {
  bool hit = false;
  if (const unsigned done = acknowledged_segments(peer, segment.ack); done > 0) {
    const auto newest = peer.outstanding[place_in_ring(peer, done - 1U)];
    const std::int32_t us = segment.now - newest.at;
    hit = newest.end == segment.ack && us <= kStaleUs;
    forget_oldest_segments(peer, done);
    if (hit) add_rtt_sample(peer, us);
  }
  if (!hit && echo_us != kNoEcho && rules.timestamp_rtt) {
    conversation.flags |= conversation_flag::kTimestampSample;
    add_rtt_sample(peer, echo_us);
  }
}

}  // namespace whiteowl
