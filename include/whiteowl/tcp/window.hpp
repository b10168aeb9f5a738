// SPDX-License-Identifier: Apache-2.0

// The receive window: as it stands in the header, and what it says about the peer's freedom to send.
#pragma once

#include <algorithm>
#include <cstdint>

#include "whiteowl/tcp/segment.hpp"

namespace whiteowl {

// Field 5 and 6: every segment but RST, not scaled.  Call before anything is judged by the window.
inline void note_raw_window(TcpDirection& sender, std::uint16_t window) noexcept {
  sender.window_min_inverted = std::max(sender.window_min_inverted, static_cast<std::uint16_t>(0xFFFFU - window));
  sender.window_max = std::max(sender.window_max, window);
}

// From now on this is the window that the peer's segments are judged by.
inline void set_window(TcpDirection& sender, std::uint16_t window) noexcept {
  sender.window = window;
  sender.flags |= direction_flag::kWindowKnown;
}

[[nodiscard]] inline bool zero_window(const TcpDirection& receiver) noexcept {
  return receiver.window == 0 && receiver.has(direction_flag::kWindowKnown);
}

// Octets that `receiver` offered at its last word: scaled if both SYNs offered scaling (RFC 7323 2.2), by the largest
// shift if one of the SYNs was not seen.
[[nodiscard]] std::uint32_t offered_window(const TcpDirection& receiver, const TcpDirection& sender) noexcept;

// Octets ahead of the last acknowledged one that are never too many, whatever the window.
inline constexpr std::uint32_t kAlwaysAcceptable = (1U << 20U) + 65'536;

// Whether the segment can be part of the conversation (RFC 9293 3.4), generously: within twice the offered window or
// 1 MiB, and 64 KiB more, ahead of the last acknowledged octet, and not more than 2^30 behind it.
// True while no ACK or no window of the peer is known.
[[nodiscard]] bool acceptable(const Exchange& exchange) noexcept;

}  // namespace whiteowl
