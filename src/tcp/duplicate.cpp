// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/duplicate.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace whiteowl {

namespace {

template <typename T>
T load(const std::uint8_t* octets) noexcept {
  T value;
  std::memcpy(&value, octets, sizeof value);
  return value;
}

// One odd multiplier a word: the products do not wait for each other, and words that change places change the sum.
constexpr std::array<std::uint64_t, 8> kMultipliers = {0x9E3779B97F4A7C15U, 0xBF58476D1CE4E5B9U, 0x94D049BB133111EBU,
                                                       0xD6E8FEB86659FD93U, 0xA0761D6478BD642FU, 0xE7037ED1A0B428DBU,
                                                       0x8EBC6AF09C88C6E3U, 0x589965CC75374CC3U};

constexpr std::uint32_t kFixedHeader = sizeof(TcpHeader);

// Of `left` octets of options; kMultipliers from the fourth on.
std::uint64_t sum_of_options(const std::uint8_t* at, std::uint32_t left) noexcept {
  std::uint64_t sum = 0;
  std::size_t word = 3;
  for (; left >= 8 && word < kMultipliers.size(); left -= 8, at += 8)
    sum += load<std::uint64_t>(at) * kMultipliers[word++];
  std::uint64_t rest = 0;
  if (left >= 4) rest = load<std::uint32_t>(at);
  for (std::uint32_t i = left & ~3U; i < left && i < 8; ++i) rest = (rest << 8U) | at[i];
  return sum + rest * kMultipliers[word & 7U];
}

// Never 0, which stands for "none".  A TCP header has three words besides its options and five of options at most.
std::uint32_t fingerprint(const Packet& packet) noexcept {
  const auto* header = reinterpret_cast<const std::uint8_t*>(packet.tcp);
  std::uint64_t sum = load<std::uint64_t>(header + 4) * kMultipliers[0];  // sequence and ACK number
  sum += load<std::uint32_t>(header + 12) * kMultipliers[1];              // offset, flags, window
  sum += ((std::uint64_t{packet.payload_octets} << 16U) | packet.ip_id) * kMultipliers[2];
  const std::uint8_t* at = header + kFixedHeader;
  const std::uint32_t left =
      std::max(packet.tcp_header_captured, kFixedHeader) - kFixedHeader;  // a bad data offset may claim less
  constexpr std::uint32_t kTimestamps = 12;  // with two of padding: what nearly every segment with options has
  sum += left == kTimestamps ? load<std::uint64_t>(at) * kMultipliers[3] + load<std::uint32_t>(at + 8) * kMultipliers[4]
                             : sum_of_options(at, left);
  const auto print = static_cast<std::uint32_t>((sum ^ (sum >> 29U)) * kMultipliers[0] >> 32U);
  return print == 0 ? 1 : print;
}

bool within_window(const Exchange& exchange, const Packet& packet, std::int32_t age_us) noexcept {
  const TcpRules& rules = exchange.rules;
  if (packet.ip_id != 0) return age_us <= rules.duplicate_id_us;
  const bool judged =
      exchange.segment.length > 0 || (exchange.conversation.flags & conversation_flag::kCapturedTwice) != 0;
  return judged && rules.duplicate_us > 0 && age_us <= rules.duplicate_us;
}

}  // namespace

bool is_captured_copy(const Exchange& exchange, const Packet& packet) noexcept {
  TcpDirection& sender = exchange.sender();
  const std::uint32_t print = fingerprint(packet);
  const auto& known = sender.fingerprints;
  if (print == known[0] || print == known[1] || print == known[2]) {
    if (within_window(exchange, packet, exchange.segment.now - sender.last_at)) {
      exchange.conversation.flags |= conversation_flag::kCapturedTwice;
      return true;
    }
  }
  sender.fingerprints[2] = known[1];
  sender.fingerprints[1] = known[0];
  sender.fingerprints[0] = print;
  return false;
}

}  // namespace whiteowl
