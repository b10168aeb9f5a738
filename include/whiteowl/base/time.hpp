// SPDX-License-Identifier: Apache-2.0
// Points and lengths of time as the probe means them.  Nothing here reads a clock: time arrives with the packets.
#pragma once

#include <chrono>
#include <cstdint>

namespace whiteowl {

using Duration = std::chrono::nanoseconds;
// Nanoseconds since 1970-01-01 UTC, as the packet was stamped; before 1970 is negative and allowed.
using Timestamp = std::chrono::sys_time<Duration>;

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

// Floored, also before 1970, as dateTimeMilliseconds wants whole milliseconds (RFC 7011 6.1.8).
constexpr std::int64_t floor_milliseconds(Timestamp time) noexcept {
  return std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
}
constexpr std::int64_t floor_microseconds(Timestamp time) noexcept {
  return std::chrono::floor<std::chrono::microseconds>(time).time_since_epoch().count();
}

// The time by which flows age: it follows the packet stamps forward and never goes back.
// A stamp slightly older than the newest (other queue, other block) holds it still; a clock that was set back by more
// than kStep is followed from its new place, so neither a wrong clock nor a badly merged file stops expiry for long.
// A pure function of the stamps in their order: any cutting into batches gives the same times.
class AgeClock {
 public:
  static constexpr Duration kStep = std::chrono::seconds{1};

  constexpr void advance(Timestamp stamp) noexcept {
    if (!started_) {
      started_ = true;
      newest_ = stamp;
      return;
    }
    const Duration forward = stamp - newest_;
    if (forward > Duration::zero()) {
      age_ += forward;
      newest_ = stamp;
    } else if (forward < -kStep) {
      newest_ = stamp;
      ++steps_back_;
    }
  }
  // Time gone by since the first stamp.
  [[nodiscard]] constexpr Duration now() const noexcept { return age_; }
  [[nodiscard]] constexpr std::uint64_t steps_back() const noexcept { return steps_back_; }

 private:
  Timestamp newest_{};
  Duration age_{};
  std::uint64_t steps_back_ = 0;
  bool started_ = false;
};

}  // namespace whiteowl
