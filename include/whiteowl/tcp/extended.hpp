// SPDX-License-Identifier: Apache-2.0

// The extended set of one segment and of one record: takes what the six fields' trackers saw to its own trackers, in
// the order in which the figures depend on each other.
#pragma once

#include <cstdint>

#include "whiteowl/tcp/fields.hpp"
#include "whiteowl/tcp/handshake.hpp"
#include "whiteowl/tcp/observed.hpp"

namespace whiteowl {

// A SYN or SYN-ACK that observe_syn() took.
void extend_syn(const Observed& observed, SynMeaning meaning) noexcept;
// A segment that observe_segment() took.
void extend_segment(const Observed& observed) noexcept;
// The conversation rested for so long that 32-bit stamps no longer tell their age: all lie `long_ago` now.
void rest_stamps(TcpCold& cold, UsStamp long_ago) noexcept;

// The interval's figures of `direction`, taken at `cut_us` (microseconds since 1970); a new interval begins there.
// `timed`: the direction whose round-trip times the record carries.  Call before the six fields are taken.
[[nodiscard]] TcpExtendedFields take_extended(const TcpConversation& conversation, const TcpDirections& directions,
                                              TcpCold& cold, unsigned direction, unsigned timed,
                                              std::int64_t cut_us) noexcept;

}  // namespace whiteowl
