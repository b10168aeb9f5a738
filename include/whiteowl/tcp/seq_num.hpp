// SPDX-License-Identifier: Apache-2.0

// Sequence numbers: a circle of 2^32 (RFC 9293 3.4).  "Before" has a meaning only within half the circle.
#pragma once

#include <cstdint>

namespace whiteowl {

class SeqNum {
 public:
  constexpr SeqNum() noexcept = default;
  constexpr explicit SeqNum(std::uint32_t value) noexcept : value_{value} {}

  [[nodiscard]] constexpr std::uint32_t value() const noexcept { return value_; }
  // The way from `other` to here, negative if that is the shorter one.
  constexpr std::int32_t operator-(SeqNum other) const noexcept {
    return static_cast<std::int32_t>(value_ - other.value_);
  }
  constexpr SeqNum operator+(std::uint32_t octets) const noexcept { return SeqNum{value_ + octets}; }
  constexpr bool operator==(const SeqNum&) const noexcept = default;
  // No operator<: this order is not total.
  [[nodiscard]] constexpr bool before(SeqNum other) const noexcept { return *this - other < 0; }
  [[nodiscard]] constexpr bool after(SeqNum other) const noexcept { return *this - other > 0; }

 private:
  std::uint32_t value_ = 0;
};

}  // namespace whiteowl
