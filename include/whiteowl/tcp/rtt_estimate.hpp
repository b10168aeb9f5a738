// SPDX-License-Identifier: Apache-2.0

// Round-trip figures beyond minimum, maximum and average: the estimators of RFC 6298 2, the handshake's halves, the
// smallest time-stamp echo (RFC 7323 4).
// The echo's minimum also takes echoes of pure ACKs, by which a one-sided transfer tells the round trip to its sender;
// such an echo waits until the sender has something to say, so only its minimum means anything.
#pragma once

#include <cstdint>

#include "whiteowl/tcp/handshake.hpp"
#include "whiteowl/tcp/observed.hpp"

namespace whiteowl {

// The segment may have given the peer a round-trip sample.
void observe_sample(const Observed& observed) noexcept;
// The segment has time stamps and an ACK number, the peer was seen.
void observe_echo(const Observed& observed) noexcept;

// A SYN-ACK: the end of one half of the handshake, the beginning of the other.
void observe_first_half(const Observed& observed) noexcept;
// A segment that may be the third packet.
void observe_second_half(const Observed& observed) noexcept;
// The third packet where the other side was never seen: SYN to here is the full round trip.
void observe_one_way(const Observed& observed, const SynKeys& keys, const SynCache& cache) noexcept;

}  // namespace whiteowl
