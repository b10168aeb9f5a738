// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/window_figures.hpp"

#include <algorithm>

namespace whiteowl {

using namespace cold_flag;

namespace {

constexpr unsigned kMaxShiftAt = 4;

std::uint32_t smallest(const TcpColdDirection& direction) noexcept {
  return std::uint32_t{direction.scaled_min} << (direction.scaled_shifts & 0xFU);
}
std::uint32_t largest(const TcpColdDirection& direction) noexcept {
  return std::uint32_t{direction.scaled_max} << (direction.scaled_shifts >> kMaxShiftAt);
}

void note_scaled(TcpColdDirection& direction, std::uint16_t window, unsigned shift) noexcept {
  const std::uint32_t octets = std::uint32_t{window} << shift;
  const bool first = !direction.has(kScaledSeen);
  direction.mark(kScaledSeen);
  if (first || octets < smallest(direction)) {
    direction.scaled_min = window;
    direction.scaled_shifts = static_cast<std::uint8_t>((direction.scaled_shifts & 0xF0U) | shift);
  }
  if (first || octets > largest(direction)) {
    direction.scaled_max = window;
    direction.scaled_shifts = static_cast<std::uint8_t>((direction.scaled_shifts & 0x0FU) | shift << kMaxShiftAt);
  }
}

}  // namespace

void observe_window(const Observed& observed) noexcept {
  const TcpDirection& sender = observed.exchange.sender();
  const TcpDirection& peer = observed.exchange.peer();
  const Segment& segment = observed.segment();
  TcpColdDirection& cold = observed.sender_cold();
  const bool scaled = sender.window_shift_plus_1 != 0 && peer.window_shift_plus_1 != 0;
  note_scaled(cold, segment.window, scaled ? sender.window_shift_plus_1 - 1U : 0U);
  const bool closed = segment.window == 0;
  if (closed == cold.has(kWindowClosed)) return;
  if (closed) {
    count(cold.zero_window_count);
    cold.mark(kWindowClosed);
    cold.zero_window_us.add(-segment.time_us);
  } else {
    cold.clear(kWindowClosed);
    cold.zero_window_us.add(segment.time_us);
  }
}

std::uint32_t take_zero_window_us(TcpColdDirection& direction, std::int64_t cut_us) noexcept {
  const bool open = direction.has(kWindowClosed);
  if (open) direction.zero_window_us.add(cut_us);
  const std::int64_t us = direction.zero_window_us.get();
  direction.zero_window_us.set(open ? -cut_us : 0);
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(us, 0, 0xFFFFFFFF));
}

ScaledWindows take_scaled_windows(TcpColdDirection& direction) noexcept {
  const ScaledWindows windows{smallest(direction), largest(direction)};
  direction.clear(kScaledSeen);
  direction.scaled_min = direction.scaled_max = 0;
  return windows;
}

}  // namespace whiteowl
