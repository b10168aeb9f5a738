// SPDX-License-Identifier: Apache-2.0

// Repeats and their causes, and octets seen for the first time.
//
// Reordered before the tap, or sent again?  The sender's clock says so where it ticked between the two; else time does:
// a repeat that a hole caused passes the tap at least one full round trip after the hole.
// Why sent again?  Fast: three duplicate ACKs, SACKed octets above it, or fast recovery (RFC 5681 3.2, RFC 6675).
// Timeout: nothing was sent or acknowledged for as long as a retransmission timer waits at least; one for each expiry
// of the timer, SYNs included.  What follows a timeout, and tail loss probes, are neither (RFC 8985 7). Bias: stacks
// with a shorter minimum timer than TcpSettings::timeout_silence have their timeouts counted as neither; what the tap
// saw acknowledged may have been lost behind it, so "spurious" says only that the tap knows no need.
#pragma once

#include "whiteowl/tcp/observed.hpp"

namespace whiteowl {

// The segment consumes sequence space, is no SYN and not outside the window.
void observe_octets(const Observed& observed) noexcept;
// A SYN or SYN-ACK with the same initial sequence number again.
void observe_syn_repeat(const Observed& observed) noexcept;
// The peer's data is acknowledged up to the segment's ACK number.
void end_recovery(TcpColdDirection& peer, SeqNum ack) noexcept;

}  // namespace whiteowl
