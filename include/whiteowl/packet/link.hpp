// SPDX-License-Identifier: Apache-2.0
// From the first octet of a frame to its network header: link headers, tags, labels, PPPoE.
#pragma once

#include <cstdint>

#include "whiteowl/packet/discard.hpp"
#include "whiteowl/packet/packet.hpp"
#include "whiteowl/packet/walk.hpp"

namespace whiteowl {

// Each leaves the walk where an IP header must begin, and the MAC addresses, tags and label found on the way in
// `packet`; or returns why there is none.

// By the link type of packet.frame.  A tag that the kernel stripped is the outermost.
[[nodiscard]] Discard read_link(Walk& walk, Packet& packet) noexcept;
[[nodiscard]] Discard read_ethernet(Walk& walk, Packet& packet) noexcept;
// What an EtherType announces.  A length instead of an EtherType means LLC.
[[nodiscard]] Discard read_type(Walk& walk, std::uint16_t type, Packet& packet) noexcept;

}  // namespace whiteowl
