// SPDX-License-Identifier: Apache-2.0

// A segment after the trackers of the six fields: what they made of it, and both directions as they were before.
// The trackers of the extended set look at this and write only into the cold part, so the six fields come out the same
// with and without them.
#pragma once

#include "whiteowl/tcp/cold.hpp"
#include "whiteowl/tcp/segment.hpp"

namespace whiteowl {

struct Observed {
  const Exchange& exchange;
  TcpCold& cold;
  TcpDirection before, peer_before;
  SegmentStory story{SegmentKind::none, AckKind::none};

  [[nodiscard]] const Segment& segment() const noexcept { return exchange.segment; }
  [[nodiscard]] TcpColdDirection& sender_cold() const noexcept { return cold.direction[exchange.direction]; }
  [[nodiscard]] TcpColdDirection& peer_cold() const noexcept { return cold.direction[exchange.direction ^ 1U]; }
  // Whether the flag was set by this segment.
  [[nodiscard]] bool peer_became(std::uint32_t bits) const noexcept {
    return exchange.peer().has(bits) && !peer_before.has(bits);
  }
};

}  // namespace whiteowl
