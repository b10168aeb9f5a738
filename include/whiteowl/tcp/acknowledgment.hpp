// SPDX-License-Identifier: Apache-2.0

// What ACK numbers and SACK blocks say about the other direction's data: duplicate ACKs, D-SACKs (RFC 2883), octets
// that were acknowledged although they never passed the tap (RFC 9293 3.4 allows no ACK of what was not sent). Bias:
// what an optimistic receiver acknowledges early counts as unseen, and as unique when it passes later.
#pragma once

#include "whiteowl/tcp/observed.hpp"

namespace whiteowl {

// The segment has an ACK number and is neither SYN nor RST nor outside the window.
void observe_acknowledgment(const Observed& observed) noexcept;
// A SYN-ACK moved the peer's una.
void note_acknowledged(const Observed& observed) noexcept;

}  // namespace whiteowl
