// SPDX-License-Identifier: Apache-2.0

// What is remembered of a conversation beyond the six fields' needs: taken from an arena only when the strict count of
// retransmissions asks for it, so that the standard set pays nothing for it.
// All octets zero is a cold part of which nothing was seen yet.
#pragma once

#include <cstdint>
#include <type_traits>

#include "whiteowl/tcp/seq_num.hpp"
#include "whiteowl/tcp/us_stamp.hpp"

namespace whiteowl {

struct Hole {
  SeqNum left, right;  // [left, right) has not passed although something behind it has
  UsStamp seen_at;
};

struct TcpColdDirection {
  static constexpr std::size_t kHoles = 3;
  Hole holes[kHoles];  // in the order of their making, disjoint
  std::uint32_t hole_count;
  std::uint32_t rtt_floor_us;  // smallest sample of the conversation's life, 0 = none
  std::uint32_t handshake_us;  // half towards its destination, 0 = not known
  UsStamp synack_at;           // last SYN-ACK
};

struct TcpCold {
  TcpColdDirection direction[2];
  std::uint32_t handshake_total_us;  // both halves, or SYN to third packet in a one-way capture; 0 = not known
};
static_assert(std::is_trivially_copyable_v<TcpCold>);

}  // namespace whiteowl
