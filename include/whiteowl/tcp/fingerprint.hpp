// SPDX-License-Identifier: Apache-2.0

// 32 bits of everything in a segment that a router leaves alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "whiteowl/base/wire.hpp"
#include "whiteowl/packet/packet.hpp"

namespace whiteowl {

// One odd multiplier a word: the products do not wait for each other, and words that change places change the sum.
inline constexpr std::array<std::uint64_t, 8> kMultipliers = {
    0x9E3779B97F4A7C15U, 0xBF58476D1CE4E5B9U, 0x94D049BB133111EBU, 0xD6E8FEB86659FD93U,
    0xA0761D6478BD642FU, 0xE7037ED1A0B428DBU, 0x8EBC6AF09C88C6E3U, 0x589965CC75374CC3U};

// Of `left` octets of options; kMultipliers from the fourth on.
[[nodiscard]] inline std::uint64_t sum_of_options(const std::uint8_t* at, std::uint32_t left) noexcept {
  std::uint64_t sum = 0;
  std::size_t word = 3;
  for (; left >= 8 && word < kMultipliers.size(); left -= 8, at += 8)
    sum += load_octets<std::uint64_t>(at) * kMultipliers[word++];
  std::uint64_t rest = 0;
  if (left >= 4) rest = load_octets<std::uint32_t>(at);
  for (std::uint32_t i = left & ~3U; i < left && i < 8; ++i) rest = (rest << 8U) | at[i];
  return sum + rest * kMultipliers[word & 7U];
}

// Never 0, which stands for "none".  A TCP header has three words besides its options and five of options at most.
[[nodiscard]] inline std::uint32_t fingerprint(const Packet& packet) noexcept {
  constexpr std::uint32_t kFixedHeader = sizeof(TcpHeader);
  const auto* header = reinterpret_cast<const std::uint8_t*>(packet.tcp);
  std::uint64_t sum = load_octets<std::uint64_t>(header + 4) * kMultipliers[0];  // sequence and ACK number
  sum += load_octets<std::uint32_t>(header + 12) * kMultipliers[1];              // offset, flags, window
  sum += ((std::uint64_t{packet.payload_octets} << 16U) | packet.ip_id) * kMultipliers[2];
  const std::uint8_t* at = header + kFixedHeader;
  const std::uint32_t left =
      std::max(packet.tcp_header_captured, kFixedHeader) - kFixedHeader;  // a bad data offset may claim less
  constexpr std::uint32_t kTimestamps = 12;  // with two of padding: what nearly every segment with options has
  sum += left == kTimestamps
             ? load_octets<std::uint64_t>(at) * kMultipliers[3] + load_octets<std::uint32_t>(at + 8) * kMultipliers[4]
             : sum_of_options(at, left);
  const auto print = static_cast<std::uint32_t>((sum ^ (sum >> 29U)) * kMultipliers[0] >> 32U);
  return print == 0 ? 1 : print;
}

}  // namespace whiteowl
