// SPDX-License-Identifier: Apache-2.0

// What has not passed although something behind it has.  Three holes a direction are remembered; when there are more,
// the oldest is forgotten and the direction is marked: its unseen octets are then too few.
#pragma once

#include <cstdint>

#include "whiteowl/tcp/cold.hpp"

namespace whiteowl {

void add_hole(TcpColdDirection& direction, Hole hole) noexcept;
// The oldest that has an octet of [seq, end); null if none has.
[[nodiscard]] const Hole* first_hole_in(const TcpColdDirection& direction, SeqNum seq, SeqNum end) noexcept;
// Octets of holes that [seq, end) fills.  What remains of a hole keeps the time at which it was seen.
std::uint32_t fill_holes(TcpColdDirection& direction, SeqNum seq, SeqNum end) noexcept;
// Octets of holes below `ack`, which is acknowledged: they will not be filled any more.
std::uint32_t close_holes_below(TcpColdDirection& direction, SeqNum ack) noexcept;

}  // namespace whiteowl
