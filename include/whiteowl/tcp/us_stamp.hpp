// SPDX-License-Identifier: Apache-2.0

// A packet's time in whole microseconds, kept in 32 bits: a circle of 71.6 minutes.
// Differences are right within 35.8 minutes; a conversation silent for 30 minutes forgets its stamps (meter.cpp).
// What may lie behind for longer while the conversation goes on is asked by older_than(), which is right for 53.7
// minutes and for a clock that went back by less than 17.9.
#pragma once

#include <cstdint>

namespace whiteowl {

// Behind a stamp by more than every limit that is compared with one.
inline constexpr std::uint32_t kLongAgoUs = 1U << 30U;

class UsStamp {
 public:
  constexpr UsStamp() noexcept = default;
  constexpr explicit UsStamp(std::int64_t microseconds) noexcept : value_{static_cast<std::uint32_t>(microseconds)} {}

  [[nodiscard]] constexpr std::uint32_t value() const noexcept { return value_; }
  // Microseconds from `other` to here; negative if the clock went back.
  constexpr std::int32_t operator-(UsStamp other) const noexcept {
    return static_cast<std::int32_t>(value_ - other.value_);
  }
  constexpr UsStamp operator-(std::uint32_t microseconds) const noexcept {
    return UsStamp{std::int64_t{value_} - std::int64_t{microseconds}};
  }
  // Whether `us`, less than 17 minutes, have gone by from here to `now`.
  [[nodiscard]] constexpr bool older_than(std::int32_t us, UsStamp now) const noexcept {
    const std::int32_t age = now - *this;
    return age >= us || age < -(std::int32_t{1} << 30);
  }

 private:
  std::uint32_t value_ = 0;
};

}  // namespace whiteowl
