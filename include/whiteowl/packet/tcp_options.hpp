// SPDX-License-Identifier: Apache-2.0
// TCP options: MSS, window scale, SACK, timestamps; which kinds were seen.
// Promise: a malformed or cut-off option ends the walk; what stood before it counts.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "whiteowl/packet/packet.hpp"

namespace whiteowl {

struct SackBlock {
  std::uint32_t left, right;  // RFC 2018 3: [left, right)
};

struct TcpOptions {
  std::uint32_t ts_value = 0;  // TSval (RFC 7323 3.2); meaningful if has_timestamps
  std::uint32_t ts_echo = 0;   // TSecr
  std::array<SackBlock, 4> sack{};
  std::uint64_t kinds = 0;  // bit k set: an option of kind k (< 64) was present, as tcpOptions (IE 209) counts them
  std::uint16_t mss = 0;    // octets, 0 = absent (RFC 9293 3.7.1)
  std::uint8_t window_scale = 0;  // shift, at most 14 (RFC 7323 2.3); meaningful if has_window_scale
  std::uint8_t sack_count = 0;
  bool has_timestamps = false;
  bool has_window_scale = false;
  bool sack_permitted = false;
};

// packet.tcp is not null.
[[nodiscard]] TcpOptions read_tcp_options(const Packet& packet) noexcept;

}  // namespace whiteowl
