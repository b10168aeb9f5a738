// SPDX-License-Identifier: Apache-2.0

// The receive window as the peer must read it: scaled extremes (RFC 7323 2.2), and how often and how long it was
// closed. Where a SYN was not seen the shift is not known and the window is taken as it stands in the header. A period
// of zero window goes on over snapshots and is cut there: each record has its part.
#pragma once

#include <cstdint>

#include "whiteowl/tcp/observed.hpp"

namespace whiteowl {

// The segment is neither SYN nor RST nor outside the window.
void observe_window(const Observed& observed) noexcept;

// Microseconds of closed window in the interval that ends at `cut_us`; a new one begins there.
[[nodiscard]] std::uint32_t take_zero_window_us(TcpColdDirection& direction, std::int64_t cut_us) noexcept;

struct ScaledWindows {
  std::uint32_t min, max;  // octets; 0 also where there was no window
};
[[nodiscard]] ScaledWindows take_scaled_windows(TcpColdDirection& direction) noexcept;

}  // namespace whiteowl
