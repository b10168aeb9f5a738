// SPDX-License-Identifier: Apache-2.0

// A packet's time in whole microseconds, kept in 32 bits: a circle of 71.6 minutes.
// Differences are right within 35.8 minutes; a conversation silent for 30 minutes forgets its stamps, so that no older
// one is ever compared (meter.cpp).
#pragma once

#include <cstdint>

namespace whiteowl {

class UsStamp {
 public:
  constexpr UsStamp() noexcept = default;
  constexpr explicit UsStamp(std::int64_t microseconds) noexcept : value_{static_cast<std::uint32_t>(microseconds)} {}

  // Microseconds from `other` to here; negative if the clock went back.
  constexpr std::int32_t operator-(UsStamp other) const noexcept {
    return static_cast<std::int32_t>(value_ - other.value_);
  }
  constexpr UsStamp operator-(std::uint32_t microseconds) const noexcept {
    return UsStamp{std::int64_t{value_} - std::int64_t{microseconds}};
  }

 private:
  std::uint32_t value_ = 0;
};

}  // namespace whiteowl
