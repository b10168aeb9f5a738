// SPDX-License-Identifier: Apache-2.0
// A cursor over a frame that knows, besides what was captured, how much stood on the wire by the lengths in the
// headers. Promise: never fewer octets claimed than are readable; nothing outside the frame is read.
#pragma once

#include <algorithm>
#include <cstdint>

#include "whiteowl/base/wire.hpp"
#include "whiteowl/packet/frame.hpp"

namespace whiteowl {

class Walk {
 public:
  explicit Walk(const Frame& frame) noexcept
      : cursor_{frame.data, frame.captured_octets}, wire_octets_{std::max(frame.wire_octets, frame.captured_octets)} {}

  // As Cursor: null or false, and no step, if fewer octets were captured.
  template <WireStruct T>
  [[nodiscard]] const T* take() noexcept {
    const T* at = cursor_.take<T>();
    if (at != nullptr) wire_octets_ -= static_cast<std::uint32_t>(sizeof(T));
    return at;
  }
  template <WireStruct T>
  [[nodiscard]] const T* peek() const noexcept {
    return cursor_.peek<T>();
  }
  [[nodiscard]] bool skip(std::uint32_t octets) noexcept {
    if (!cursor_.skip(octets)) return false;
    wire_octets_ -= octets;
    return true;
  }
  // A length field says that `octets` follow, and it is believed even beyond the frame's end: what follows is padding.
  void claim(std::uint32_t octets) noexcept {
    cursor_.limit(octets);
    wire_octets_ = octets;
  }
  // The same, where a longer claim than is left must be wrong.
  void limit(std::uint32_t octets) noexcept { claim(std::min(octets, wire_octets_)); }
  // What follows cannot be understood.
  void forget() noexcept { claim(0); }

  [[nodiscard]] std::uint32_t captured_octets() const noexcept {
    return static_cast<std::uint32_t>(cursor_.remaining());
  }
  [[nodiscard]] std::uint32_t wire_octets() const noexcept { return wire_octets_; }
  // First four bits of what follows: 4 or 6 where an IP header begins; 0 where nothing was captured.
  [[nodiscard]] unsigned version() const noexcept {
    const auto* first = cursor_.peek<be8>();
    return first == nullptr ? 0U : *first >> 4U;
  }
  [[nodiscard]] Cursor cursor() const noexcept { return cursor_; }

 private:
  Cursor cursor_;
  std::uint32_t wire_octets_;
};

}  // namespace whiteowl
