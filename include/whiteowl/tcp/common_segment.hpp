// SPDX-License-Identifier: Apache-2.0

// A short way for what nine of ten segments are: an open conversation in which nothing is missing, repeated or closing;
// data that begins where the last ended, or an ACK that says something new.
// Promise: what it leaves behind is octet for octet what the long way (duplicate.hpp, tcp_state.hpp) leaves.
#pragma once

#include "whiteowl/packet/packet.hpp"
#include "whiteowl/tcp/conversation.hpp"
#include "whiteowl/tcp/rules.hpp"

namespace whiteowl {

// False, and nothing has changed: the segment is none of these.  The cold part is not looked at: only for the six
// fields alone.
[[nodiscard]] bool observe_common(const TcpRules& rules, TcpConversation& conversation, TcpDirections& directions,
                                  unsigned direction, const Packet& packet) noexcept;

}  // namespace whiteowl
