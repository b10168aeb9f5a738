// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/duplicate.hpp"

#include <cstring>

namespace whiteowl {

namespace {

template <typename T>
T load(const std::uint8_t* octets) noexcept {
  T value;
  std::memcpy(&value, octets, sizeof value);
  return value;
}

// Multiply and fold: one multiplication for eight octets is enough to keep 32 good bits.
std::uint64_t fold(std::uint64_t state, std::uint64_t word) noexcept {
  const std::uint64_t product = (state ^ word) * 0x9E3779B97F4A7C15U;
  return product ^ (product >> 32U);
}

// Never 0, which stands for "none".
std::uint32_t fingerprint(const Packet& packet) noexcept {
  const auto* header = reinterpret_cast<const std::uint8_t*>(packet.tcp);
  std::uint64_t state =
      fold(load<std::uint64_t>(header + 4), load<std::uint32_t>(header + 12));  // seq, ack; offset .. window
  state = fold(state, (std::uint64_t{packet.payload_octets} << 16U) | packet.ip_id);
  std::size_t at = sizeof(TcpHeader);
  for (; at + 8 <= packet.tcp_header_captured; at += 8) state = fold(state, load<std::uint64_t>(header + at));
  for (; at + 4 <= packet.tcp_header_captured; at += 4) state = fold(state, load<std::uint32_t>(header + at));
  for (; at < packet.tcp_header_captured; ++at) state = fold(state, header[at]);
  const auto print = static_cast<std::uint32_t>(state ^ (state >> 32U));
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
