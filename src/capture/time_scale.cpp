// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/time_scale.hpp"

#include <algorithm>

namespace whiteowl {

namespace {

// Half of what a Duration holds: two stamps can be subtracted.
constexpr std::int64_t kLatest = (std::int64_t{1} << 62) - 1;
constexpr unsigned kBinaryBits = 34;  // 2^34 x 10^9 is the most that 64 bits hold

std::uint64_t power_of_ten(unsigned exponent) noexcept {
  if (exponent > 19) return 0;
  std::uint64_t power = 1;
  for (unsigned i = 0; i < exponent; ++i) power *= 10;
  return power;
}

std::uint64_t multiply_clamped(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return kLatest;
  return std::min<std::uint64_t>(product, kLatest);
}

std::uint64_t shift_right(std::uint64_t value, unsigned bits) noexcept { return bits < 64 ? value >> bits : 0; }

}  // namespace

TimeScale::TimeScale(std::uint8_t resolution, std::int64_t offset_seconds) noexcept {
  const unsigned exponent = resolution & 0x7FU;
  if ((resolution & 0x80U) != 0) {
    kind_ = Kind::binary;
    bits_ = static_cast<std::uint8_t>(exponent);
  } else if (exponent <= 9) {
    factor_ = power_of_ten(9 - exponent);
  } else {
    kind_ = Kind::divide;
    factor_ = power_of_ten(exponent - 9);
  }
  constexpr std::int64_t kMostSeconds = kLatest / kNanosecondsPerSecond;
  offset_nanoseconds_ = std::clamp(offset_seconds, -kMostSeconds, kMostSeconds) * kNanosecondsPerSecond;
}

Timestamp TimeScale::stamp(std::uint64_t ticks) const noexcept {
  std::uint64_t nanoseconds = 0;
  switch (kind_) {
    case Kind::multiply:
      nanoseconds = multiply_clamped(ticks, factor_);
      break;
    case Kind::divide:
      nanoseconds = factor_ == 0 ? 0 : std::min<std::uint64_t>(ticks / factor_, kLatest);
      break;
    case Kind::binary: {
      const std::uint64_t seconds = shift_right(ticks, bits_);
      std::uint64_t fraction = bits_ < 64 ? ticks & ((std::uint64_t{1} << bits_) - 1) : ticks;
      unsigned bits = bits_;
      if (bits > kBinaryBits) {
        fraction = shift_right(fraction, bits - kBinaryBits);
        bits = kBinaryBits;
      }
      nanoseconds = std::min<std::uint64_t>(
          multiply_clamped(seconds, kNanosecondsPerSecond) + ((fraction * kNanosecondsPerSecond) >> bits), kLatest);
      break;
    }
  }
  // Both lie within half of the range: their sum fits.
  const std::int64_t sum = static_cast<std::int64_t>(nanoseconds) + offset_nanoseconds_;
  return Timestamp{Duration{std::clamp(sum, -kLatest, kLatest)}};
}

}  // namespace whiteowl
