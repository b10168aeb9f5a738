// SPDX-License-Identifier: Apache-2.0

// Round-trip times between the tap and a direction's destination: from handshake, data and ACK, and time-stamp echoes.
//
// A segment is timed only if its ACK cannot mean anything else: it was sent once (Karn, RFC 6298 3), nothing before it
// was missing or repeated (its ACK would have waited for that), and the ACK number hits its end exactly.  Four segments
// are remembered; when there are more the newest is replaced, so that the oldest still meets its ACK.
// Bias: the peer's delayed ACK is in the sample, so maximum and average are not path delay; the minimum is.
// Time stamps (RFC 7323 4) fill in where ACK numbers do not hit; they may be up to one tick too large, never too small.
#pragma once

#include <cstdint>

#include "whiteowl/tcp/segment.hpp"

namespace whiteowl {

// A sample towards the destination of `direction`.  Negative ones (the clock went back) are dropped; 0 counts as 1,
// because 0 stands for "none".
void add_rtt_sample(TcpDirection& direction, std::int64_t us) noexcept;

// No samples from now on until everything up to `point` is acknowledged.
void hold_rtt(TcpDirection& direction, SeqNum point) noexcept;
// Whether sampling is held; lifts a hold that has served.
[[nodiscard]] bool rtt_held(TcpDirection& direction) noexcept;
// At each progress of una: later it may stand half the circle behind the point, where "before" means nothing.
inline void lift_served_hold(TcpDirection& direction) noexcept {
  if (direction.has(direction_flag::kHeld) && !direction.una.before(direction.recover))
    direction.flags &= ~direction_flag::kHeld;
}

void remember_segment(TcpDirection& sender, SeqNum end, UsStamp now) noexcept;
// Forgets every segment that ends above `seq`.
void forget_segments_above(TcpDirection& sender, SeqNum seq) noexcept;
inline void forget_segments(TcpDirection& sender) noexcept { sender.outstanding_count = 0; }

// The first packet of its direction with this TSval; `pure`: it consumes no sequence space.
void remember_timestamp(TcpDirection& sender, const Segment& segment, bool pure) noexcept;
inline void forget_timestamps(TcpDirection& sender) noexcept { sender.timestamp_count = 0; }

// No round-trip time: negative.
inline constexpr std::int32_t kNoEcho = -1;
// Consumes what the segment echoes; the time since the echoed data segment if that may be a sample.
[[nodiscard]] std::int32_t take_echo(const Exchange& exchange, bool acknowledges_new_data) noexcept;
// The peer's data is acknowledged up to the segment's ACK number: at most one sample, from the ACK or else the echo.
void sample_ack(const Exchange& exchange, std::int32_t echo_us) noexcept;

}  // namespace whiteowl
