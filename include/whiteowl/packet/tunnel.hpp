// SPDX-License-Identifier: Apache-2.0
// From behind an IP header into what it carries: IP in IP, 6in4, GRE, EtherIP, AH in tunnel mode, VXLAN, GENEVE, GTP-U,
// Teredo.
#pragma once

#include "whiteowl/packet/packet.hpp"
#include "whiteowl/packet/walk.hpp"

namespace whiteowl {

// `outer` is what the IP header in front of the walk says.  True: the walk stands where another IP header must begin.
// False: no tunnel that is known here, something else inside, or cut off.
[[nodiscard]] bool enter_tunnel(Walk& walk, const Packet& outer) noexcept;

}  // namespace whiteowl
