// SPDX-License-Identifier: Apache-2.0
// The hash of a flow key: multiply and fold (the middle of a 64 x 64 bit product), keyed, so that nobody outside can
// choose addresses that fall together.
#pragma once

#include <cstdint>

namespace whiteowl {

struct HashKey {
  std::uint64_t a, b, c;
};

// A key that differs from process to process.  Does not throw: without randomness from the kernel, time must do.
[[nodiscard]] HashKey random_hash_key() noexcept;

__extension__ using Wide = unsigned __int128;

[[nodiscard]] constexpr std::uint64_t fold(std::uint64_t x, std::uint64_t y) noexcept {
  const Wide product = static_cast<Wide>(x) * y;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

// Five words to 64 well-mixed bits.  The odd constants keep a zero word from cancelling its partner.
[[nodiscard]] constexpr std::uint64_t hash_words(const std::uint64_t (&words)[5], const HashKey& key) noexcept {
  const std::uint64_t left = fold(words[0] ^ key.a, words[1] ^ 0x9E3779B97F4A7C15U);
  const std::uint64_t right = fold(words[2] ^ key.b, words[3] ^ 0xC2B2AE3D27D4EB4FU);
  return fold(left ^ words[4] ^ key.c, right ^ 0x165667B19E3779F9U);
}

}  // namespace whiteowl
