// SPDX-License-Identifier: Apache-2.0

// Packets that the mirror delivered twice, told apart from packets that were sent twice.
// A copy is equal in everything a router leaves alone: IP identification, all TCP header fields but the checksum, the
// options and the payload length; TTL, MAC addresses and VLAN differ between the copies of a routed mirror.
// Bias: a genuine duplicate ACK without IP identification, time stamps and SACK is equal bit by bit to its predecessor,
// so pure ACKs are judged only in a conversation that is known to be captured twice.
#pragma once

#include "whiteowl/tcp/segment.hpp"

namespace whiteowl {

[[nodiscard]] inline bool knows_fingerprint(const TcpDirection& sender, std::uint32_t print) noexcept {
  const auto& known = sender.fingerprints;
  return (static_cast<unsigned>(print == known[0]) | static_cast<unsigned>(print == known[1]) |
          static_cast<unsigned>(print == known[2])) != 0;
}
inline void remember_fingerprint(TcpDirection& sender, std::uint32_t print) noexcept {
  auto& known = sender.fingerprints;
  known[2] = known[1];
  known[1] = known[0];
  known[0] = print;
}

// Whether the packet is a copy.  Remembers it otherwise; marks the conversation as captured twice if so.
[[nodiscard]] bool is_captured_copy(const Exchange& exchange, const Packet& packet) noexcept;

}  // namespace whiteowl
