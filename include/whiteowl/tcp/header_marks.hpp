// SPDX-License-Identifier: Apache-2.0

// What stands in a segment's headers whatever it means for the connection: congestion marks (RFC 3168), the kinds of
// its options (IE 209), and whether it is longer than a segment on the wire can be.
#pragma once

#include "whiteowl/packet/packet.hpp"
#include "whiteowl/tcp/observed.hpp"

namespace whiteowl {

// Any segment but a captured copy.
void observe_marks(const Observed& observed, const Packet& packet) noexcept;
// A SYN or SYN-ACK that is the first of its direction: what it offers.
void observe_offer(const Observed& observed) noexcept;

}  // namespace whiteowl
