// SPDX-License-Identifier: Apache-2.0
// From behind an IP header into what it carries: IP in IP, 6in4, GRE, EtherIP, AH in tunnel mode, VXLAN, GENEVE, GTP-U,
// Teredo.
#pragma once

#include "whiteowl/packet/packet.hpp"
#include "whiteowl/packet/walk.hpp"

namespace whiteowl {

struct TunnelNumber {
  TunnelType type = TunnelType::none;
  std::uint32_t id = 0;
};

// `outer` is what the IP header in front of the walk says.  True: the walk stands where another IP header must begin,
// and `number` is the tunnel's, or unchanged if it has none.
// False: no tunnel that is known here, something else inside, or cut off.
[[nodiscard]] bool enter_tunnel(Walk& walk, const Packet& outer, TunnelNumber& number) noexcept;

}  // namespace whiteowl
