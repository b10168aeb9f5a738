// SPDX-License-Identifier: Apache-2.0

// A conversation of which a single SYN was seen, in 48 octets instead of 304: under a flood there are millions of them,
// and what they cost is memory touched for the first time.
// Promise: nothing is lost; the directions that grow from a seed are those that were sown, octet for octet.
#pragma once

#include "whiteowl/tcp/conversation.hpp"

namespace whiteowl {

// Leaves the seed of these directions in the conversation.  False, and no seed: they hold more than one SYN left.
[[nodiscard]] bool sow(TcpConversation& conversation, const TcpDirections& directions) noexcept;
// Writes every octet of `directions`.  The conversation has a seed, which stays.
void grow(const TcpConversation& conversation, TcpDirections& directions) noexcept;

// The windows of the opener's interval, as TcpMeter::take() would find them in the grown directions; the next interval
// begins.  False: there were none.
[[nodiscard]] bool take_seed_window(TcpConversation& conversation, unsigned direction, std::uint16_t& window) noexcept;

}  // namespace whiteowl
