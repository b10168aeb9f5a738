// SPDX-License-Identifier: Apache-2.0
// The hash of a flow key.  Whoever does not know the key cannot choose words that fall together: two different tuples
// of words meet no more often than by chance.
//
// The words are hashed as in UMAC (RFC 4418 5.2.2, there called NH): each pair of words is added to a pair of key
// words, the sums are multiplied, the 128-bit products added.  For any two different inputs, over all keys, the sums
// are equal with a probability of 2^-64.  A last multiplication, of keyed factors too, brings the 128 bits to 64.  A
// factor without a key word in it would be a hole: an address that makes it zero cancels its partner, whatever the rest
// of the key is.
#pragma once

#include <array>
#include <cstdint>

namespace whiteowl {

struct HashKey {
  std::array<std::uint64_t, 8> words;
};

// A key that differs from process to process.  Does not throw: without randomness from the kernel, time must do.
[[nodiscard]] HashKey random_hash_key() noexcept;

__extension__ using Wide = unsigned __int128;

[[nodiscard]] constexpr std::uint64_t fold(std::uint64_t x, std::uint64_t y) noexcept {
  const Wide product = static_cast<Wide>(x) * y;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

[[nodiscard]] constexpr std::uint64_t hash_words(const std::uint64_t (&words)[5], const HashKey& key) noexcept {
  const auto& k = key.words;
  const Wide sum = static_cast<Wide>(words[0] + k[0]) * (words[1] + k[1]) +
                   static_cast<Wide>(words[2] + k[2]) * (words[3] + k[3]) + static_cast<Wide>(words[4] + k[4]) * k[5];
  return fold(static_cast<std::uint64_t>(sum) + k[6], static_cast<std::uint64_t>(sum >> 64U) + k[7]);
}

// For identities that must be the same in every process: anybody can choose words whose results are equal, so no index
// may rest on it.
[[nodiscard]] constexpr std::uint64_t public_hash(const std::uint64_t (&words)[5]) noexcept {
  constexpr std::uint64_t kFirst = 0x243F6A8885A308D3U, kSecond = 0x13198A2E03707344U, kThird = 0xA4093822299F31D0U;
  const std::uint64_t left = fold(words[0] ^ kFirst, words[1] ^ 0x9E3779B97F4A7C15U);
  const std::uint64_t right = fold(words[2] ^ kSecond, words[3] ^ 0xC2B2AE3D27D4EB4FU);
  return fold(left ^ words[4] ^ kThird, right ^ 0x165667B19E3779F9U);
}

}  // namespace whiteowl
