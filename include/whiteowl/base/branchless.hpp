// SPDX-License-Identifier: Apache-2.0
// Choices by mask, for questions whose answer is a coin toss to a branch predictor: which end sent the packet, whether
// this ACK covers one segment or two.
// Promise: no branch, whatever a profile says.
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

// The object at an address that is made once: a compiler that knows how it is made makes it anew at each use.
template <typename T>
[[nodiscard]] inline T& at_kept_address(T& object) noexcept {
  T* address = &object;
  __asm__("" : "+r"(address));
  return *address;
}

// For questions that are all asked at once: one branch where they are many, nearly always taken the same way.
template <typename... Bools>
[[nodiscard]] inline bool all(Bools... answers) noexcept {
  return (static_cast<unsigned>(answers) & ...) != 0;
}

template <typename T>
concept MachineWord = std::is_trivially_copyable_v<T> &&(sizeof(T) == 4 || sizeof(T) == 8);

// `one` if the condition holds, else `other`: both are looked at.
template <MachineWord T>
[[nodiscard]] inline T chosen(bool condition, T one, T other) noexcept {
  using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  const auto a = std::bit_cast<Bits>(one), b = std::bit_cast<Bits>(other);
  return std::bit_cast<T>(b ^ ((a ^ b) & static_cast<Bits>(mask_of(condition))));
}

}  // namespace whiteowl
