// SPDX-License-Identifier: Apache-2.0
// Choices by mask, for questions whose answer is a coin toss to a branch predictor: which end sent the packet, whether
// this ACK covers one segment or two.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace whiteowl {

// All ones, or zero.  The empty statement hides where it comes from: a compiler that knows makes a branch of it again,
// the sooner the better a profile tells it that both ways are taken.
[[nodiscard]] inline std::uint64_t mask_of(bool condition) noexcept {
  std::uint64_t mask = std::uint64_t{0} - std::uint64_t{condition};
  __asm__("" : "+r"(mask));
  return mask;
}

// `one` if the condition holds, else `other`: both are looked at.
template <typename T>
requires std::is_trivially_copyable_v<T> &&(sizeof(T) == sizeof(std::uint64_t)) [[nodiscard]] inline T
    chosen(bool condition, T one, T other) noexcept {
  const auto a = std::bit_cast<std::uint64_t>(one), b = std::bit_cast<std::uint64_t>(other);
  return std::bit_cast<T>(b ^ ((a ^ b) & mask_of(condition)));
}

}  // namespace whiteowl
