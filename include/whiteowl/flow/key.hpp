// SPDX-License-Identifier: Apache-2.0
// The Flow Key (RFC 7011 2) of a conversation: both directions of a 5-tuple have the same one.
#pragma once

#include <cstdint>
#include <cstring>

#include "whiteowl/base/hash.hpp"
#include "whiteowl/packet/packet.hpp"

namespace whiteowl {

// The end with the smaller address (then port) comes first.  Compared and hashed as five words.
struct FlowKey {
  std::uint64_t low[2];   // address octets as they stand in the packet; IPv4 in the first four, the rest zero
  std::uint64_t high[2];  // the same of the other end
  std::uint64_t rest;     // ports of both ends, VLAN, protocol, IP version

  [[nodiscard]] friend bool operator==(const FlowKey& a, const FlowKey& b) noexcept {
    return ((a.low[0] ^ b.low[0]) | (a.low[1] ^ b.low[1]) | (a.high[0] ^ b.high[0]) | (a.high[1] ^ b.high[1]) |
            (a.rest ^ b.rest)) == 0;
  }
  [[nodiscard]] std::uint16_t low_port() const noexcept { return static_cast<std::uint16_t>(rest >> 48U); }
  [[nodiscard]] std::uint16_t high_port() const noexcept { return static_cast<std::uint16_t>(rest >> 32U); }
  [[nodiscard]] std::uint8_t protocol() const noexcept { return static_cast<std::uint8_t>(rest >> 8U); }
  [[nodiscard]] std::uint8_t ip_version() const noexcept { return static_cast<std::uint8_t>(rest); }
  [[nodiscard]] std::uint64_t hash(const HashKey& key) const noexcept {
    return hash_words({low[0], low[1], high[0], high[1], rest}, key);
  }
};
static_assert(sizeof(FlowKey) == 40);

// A packet's key, and the direction in which it travels: 0 from low to high, 1 from high to low.
struct DirectedKey {
  FlowKey key;
  std::uint32_t direction;
};

// ICMP has no two-way conversations here: the type and code of an answer are others than those of the question, so its
// key is not ordered and its direction is always 0.
[[nodiscard]] inline DirectedKey directed_key(const Packet& packet, bool vlan_in_key) noexcept {
  std::uint64_t source[2]{};
  std::uint64_t destination[2]{};
  if (packet.ip_version == 4) {
    std::memcpy(source, packet.source_address, 4);
    std::memcpy(destination, packet.destination_address, 4);
  } else {
    std::memcpy(source, packet.source_address, 16);
    std::memcpy(destination, packet.destination_address, 16);
  }
  const bool icmp = packet.protocol == ip_protocol::kIcmp || packet.protocol == ip_protocol::kIcmpv6;
  const bool greater = source[0] != destination[0]   ? source[0] > destination[0]
                       : source[1] != destination[1] ? source[1] > destination[1]
                                                     : packet.source_port > packet.destination_port;
  // Swapped by mask: which end is the smaller one is a coin toss that no branch predictor wins.
  const std::uint64_t mask = std::uint64_t{0} - static_cast<std::uint64_t>(greater && !icmp);
  const std::uint64_t x0 = (source[0] ^ destination[0]) & mask;
  const std::uint64_t x1 = (source[1] ^ destination[1]) & mask;
  const std::uint64_t xp = (std::uint64_t{packet.source_port} ^ packet.destination_port) & mask;
  DirectedKey result{};
  result.key.low[0] = source[0] ^ x0;
  result.key.low[1] = source[1] ^ x1;
  result.key.high[0] = destination[0] ^ x0;
  result.key.high[1] = destination[1] ^ x1;
  result.key.rest = (packet.source_port ^ xp) << 48U | (packet.destination_port ^ xp) << 32U |
                    std::uint64_t{vlan_in_key ? packet.vlan_id : std::uint16_t{0}} << 16U |
                    std::uint64_t{packet.protocol} << 8U | packet.ip_version;
  result.direction = static_cast<std::uint32_t>(mask & 1U);
  return result;
}

}  // namespace whiteowl
