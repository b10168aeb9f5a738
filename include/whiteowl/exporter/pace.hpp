// SPDX-License-Identifier: Apache-2.0
// How fast messages may follow each other: a bucket of credit in units of time, so that the rate needs no division.
// A burst is as long as a receiver with Linux's default socket buffer can hold; after it the rate holds.
#pragma once

#include <algorithm>
#include <cstdint>

#include "whiteowl/base/time.hpp"

namespace whiteowl {

class Pace {
 public:
  static constexpr std::uint32_t kBurst = 64;  // messages; about 150 KiB of a receiver's buffer with its overhead

  explicit Pace(std::uint32_t messages_per_second) noexcept
      : cost_{kNanosecondsPerSecond / std::max<std::uint32_t>(messages_per_second, 1)}, credit_{cost_ * kBurst} {}

  // Whether a message may go now.  A clock that went back gives no credit.
  [[nodiscard]] bool allows(Timestamp now) noexcept {
    const Duration most = cost_ * kBurst;
    if (now > last_) credit_ = std::min<Duration>(credit_ + std::min<Duration>(now - last_, most), most);
    last_ = now;
    return credit_ >= cost_;
  }
  void spend() noexcept { credit_ -= cost_; }

 private:
  Duration cost_;  // of a message
  Duration credit_;
  Timestamp last_{};
};

}  // namespace whiteowl
