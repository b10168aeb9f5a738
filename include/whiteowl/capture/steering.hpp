// SPDX-License-Identifier: Apache-2.0
// The program by which the kernel chooses the member of a fanout group for a packet, so that both directions of a
// conversation inside tunnels meet: a hash of the addresses and ports that decode.tunnels: inner meters.
//
// The kernel's own hash looks at the outermost IP header.  The outer ports of VXLAN and GENEVE differ by direction, so
// it tears conversations apart, and GRE and GTP-U put all that two endpoints exchange on one member.
//
// The walk is that of packet/decode.hpp and packet/tunnel.hpp, with fixed limits.  Where it cannot go on, the last IP
// header counts.  Fragments are told apart by addresses only, as their ports stand in the first one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "whiteowl/capture/filter.hpp"
#include "whiteowl/packet/frame.hpp"
#include "whiteowl/packet/headers.hpp"

namespace whiteowl {

// How far a program looks.  Every step is unrolled: these decide its length.
struct SteeringLimits {
  std::uint32_t tunnels = 0;           // IP headers behind the first
  std::uint32_t extensions = 0;        // IPv6 extension headers behind each fixed header
  std::uint32_t tags = 2, labels = 4;  // VLAN tags and MPLS labels in front of each IP header
  std::uint32_t gtpu_extensions = 2;   // TS 29.281 5.2
};
// What fits into the 4096 instructions of a classic program, and what a loaded one may have.
inline constexpr SteeringLimits kClassicLimits{.tunnels = 2, .extensions = 2};
inline constexpr SteeringLimits kLoadedLimits{.tunnels = 4, .extensions = 6};
// Octets of the link's header in which the packet's protocol stands.
[[nodiscard]] constexpr std::uint32_t link_octets(LinkType link) noexcept {
  return link == LinkType::ethernet ? static_cast<std::uint32_t>(sizeof(EthernetHeader)) : 0;
}
// Not deeper than what is metered, or one of its conversations would be torn apart by what it carries.
[[nodiscard]] constexpr SteeringLimits as_deep_as(std::uint32_t tunnel_depth, SteeringLimits limits) noexcept {
  limits.tunnels = std::min(limits.tunnels, tunnel_depth);
  return limits;
}

// Classic BPF; its return value modulo the members is the choice.  All it loads is known to be there, so that no load
// ends it. `link_octets`: of the link header of the interface, which ends with a type; 14, or 0 for none.
[[nodiscard]] std::vector<FilterInstruction> steering_program(const SteeringLimits& limits, std::uint32_t link_octets);

}  // namespace whiteowl
