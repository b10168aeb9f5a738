// SPDX-License-Identifier: Apache-2.0
// Time stamps of capture files: 64-bit counts of a unit that the file names, into ours.
// Promise: any count gives a stamp between 1823 and 2116, so that the difference of two stamps always fits a Duration;
// what lies outside is moved to the nearer end.  (pcapng: draft-ietf-opsawg-pcapng, if_tsresol and if_tsoffset.)
#pragma once

#include <cstdint>

#include "whiteowl/base/time.hpp"

namespace whiteowl {

class TimeScale {
 public:
  // Microseconds, as pcapng assumes when nothing is said.
  TimeScale() noexcept : TimeScale{6, 0} {}
  // `resolution` as if_tsresol: units of 10^-n seconds, or of 2^-n with the highest bit set.  `offset_seconds` is
  // added.
  TimeScale(std::uint8_t resolution, std::int64_t offset_seconds) noexcept;

  // Finer units than a nanosecond are floored.
  [[nodiscard]] Timestamp stamp(std::uint64_t ticks) const noexcept;

 private:
  enum class Kind : std::uint8_t { multiply, divide, binary };
  Kind kind_ = Kind::multiply;
  std::uint8_t bits_ = 0;     // binary: ticks of 2^-bits_ seconds
  std::uint64_t factor_ = 1;  // nanoseconds in a tick, or ticks in a nanosecond; 0 = more than 64 bits hold
  std::int64_t offset_nanoseconds_ = 0;
};

}  // namespace whiteowl
