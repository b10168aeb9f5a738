// SPDX-License-Identifier: Apache-2.0

// Packets that the mirror delivered twice, told apart from packets that were sent twice.
// A copy is equal in everything a router leaves alone: IP identification, all TCP header fields but the checksum, the
// options and the payload length; TTL, MAC addresses and VLAN differ between the copies of a routed mirror.
// Bias: a genuine duplicate ACK without IP identification, time stamps and SACK is equal bit by bit to its predecessor,
// so pure ACKs are judged only in a conversation that is known to be captured twice.
#pragma once

#include "whiteowl/tcp/segment.hpp"

namespace whiteowl {

// Whether the packet is a copy.  Remembers it otherwise; marks the conversation as captured twice if so.
[[nodiscard]] bool is_captured_copy(const Exchange& exchange, const Packet& packet) noexcept;

}  // namespace whiteowl
