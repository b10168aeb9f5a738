// SPDX-License-Identifier: Apache-2.0

// The settings as the trackers use them: microseconds that fit the 32-bit stamps.
#pragma once

#include <algorithm>
#include <cstdint>

#include "whiteowl/tcp/settings.hpp"

namespace whiteowl {

// Longer times are taken for this: the conversation forgets its stamps after it.
inline constexpr std::int32_t kLongSilenceUs = 1'800'000'000;

// A silence is asked of a stamp (us_stamp.hpp), which knows no more than 17 minutes.
inline constexpr std::int32_t kLongestSilenceUs = 1'000'000'000;

struct TcpRules {
  explicit TcpRules(const TcpSettings& settings) noexcept
      : duplicate_id_us{bounded(settings.dup_id_window)},
        duplicate_us{bounded(settings.dup_window)},
        reorder_us{bounded(settings.reorder_default)},
        timeout_us{std::min(bounded(settings.timeout_silence), kLongestSilenceUs)},
        dedup{settings.dedup},
        timestamp_rtt{settings.ts_rtt},
        extended{settings.extended},
        strict{settings.retransmit_mode == RetransmitMode::strict},
        rtt_other_side{settings.rtt_side == RttSide::source ? 1U : 0U} {}

  static std::int32_t bounded(Duration duration) noexcept {
    const std::int64_t us = std::chrono::floor<std::chrono::microseconds>(duration).count();
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(us, 0, kLongSilenceUs));
  }

  std::int32_t duplicate_id_us;
  std::int32_t duplicate_us;
  std::int32_t reorder_us;
  std::int32_t timeout_us;
  bool dedup;
  bool timestamp_rtt;
  bool extended;
  bool strict;
  unsigned rtt_other_side;  // 1: a record carries the round trip of its source's side
};

}  // namespace whiteowl
