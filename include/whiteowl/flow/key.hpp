// SPDX-License-Identifier: Apache-2.0
// The Flow Key (RFC 7011 2) of a conversation: both directions of a 5-tuple have the same one.
#pragma once

#include <bit>
#include <cstdint>

#include "whiteowl/base/branchless.hpp"
#include "whiteowl/base/hash.hpp"
#include "whiteowl/base/wire.hpp"
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
  // The same in every process.
  [[nodiscard]] std::uint64_t identity() const noexcept {
    return public_hash({low[0], low[1], high[0], high[1], rest});
  }
};
static_assert(sizeof(FlowKey) == 40);

// A packet's key, and the direction in which it travels: 0 from low to high, 1 from high to low.
struct DirectedKey {
  FlowKey key;
  std::uint32_t direction;
};

// Four octets and four zeros as they would stand in memory, but never written there: a load that spans two stores
// waits.
[[nodiscard]] inline std::uint64_t with_four_zeros(std::uint32_t octets) noexcept {
  return std::endian::native == std::endian::little ? octets : std::uint64_t{octets} << 32U;
}

// Those parts of FlowKey::rest that do not depend on the direction.
[[nodiscard]] inline std::uint32_t undirected_rest(const Packet& packet, bool vlan_in_key) noexcept {
  const std::uint32_t vlan = vlan_in_key ? packet.vlan_id : std::uint32_t{0};
  return vlan << 16U | std::uint32_t{packet.protocol} << 8U | packet.ip_version;
}

// ICMP has no two-way conversations here: the type and code of an answer are others than those of the question, so its
// key is not ordered and its direction is always 0.
[[nodiscard]] inline bool is_ordered(const Packet& packet) noexcept {
  return (static_cast<unsigned>(packet.protocol == ip_protocol::kIcmp) |
          static_cast<unsigned>(packet.protocol == ip_protocol::kIcmpv6)) == 0;
}

// Address and port of an end are one number here.
[[nodiscard, gnu::always_inline]] inline DirectedKey ipv4_key(const Packet& packet, bool vlan_in_key) noexcept {
  const std::uint64_t source =
      std::uint64_t{load_octets<std::uint32_t>(packet.source_address)} << 16U | packet.source_port;
  const std::uint64_t destination =
      std::uint64_t{load_octets<std::uint32_t>(packet.destination_address)} << 16U | packet.destination_port;
  const std::uint64_t mask = mask_of(source > destination) & mask_of(is_ordered(packet));
  const std::uint64_t difference = (source ^ destination) & mask;
  const std::uint64_t low = source ^ difference, high = destination ^ difference;
  return {.key = {.low = {with_four_zeros(static_cast<std::uint32_t>(low >> 16U)), 0},
                  .high = {with_four_zeros(static_cast<std::uint32_t>(high >> 16U)), 0},
                  .rest = low << 48U | (high & 0xFFFFU) << 32U | undirected_rest(packet, vlan_in_key)},
          .direction = static_cast<std::uint32_t>(mask & 1U)};
}

[[nodiscard]] inline DirectedKey ipv6_key(const Packet& packet, bool vlan_in_key) noexcept {
  const std::uint64_t source[] = {load_octets<std::uint64_t>(packet.source_address),
                                  load_octets<std::uint64_t>(packet.source_address + 8), packet.source_port};
  const std::uint64_t destination[] = {load_octets<std::uint64_t>(packet.destination_address),
                                       load_octets<std::uint64_t>(packet.destination_address + 8),
                                       packet.destination_port};
  const bool greater = source[0] != destination[0]   ? source[0] > destination[0]
                       : source[1] != destination[1] ? source[1] > destination[1]
                                                     : source[2] > destination[2];
  const std::uint64_t mask = mask_of(greater) & mask_of(is_ordered(packet));
  const std::uint64_t x0 = (source[0] ^ destination[0]) & mask;
  const std::uint64_t x1 = (source[1] ^ destination[1]) & mask;
  const std::uint64_t xp = (source[2] ^ destination[2]) & mask;
  return {
      .key = {.low = {source[0] ^ x0, source[1] ^ x1},
              .high = {destination[0] ^ x0, destination[1] ^ x1},
              .rest = (source[2] ^ xp) << 48U | (destination[2] ^ xp) << 32U | undirected_rest(packet, vlan_in_key)},
      .direction = static_cast<std::uint32_t>(mask & 1U)};
}

[[nodiscard]] inline DirectedKey directed_key(const Packet& packet, bool vlan_in_key) noexcept {
  return packet.ip_version == 4 ? ipv4_key(packet, vlan_in_key) : ipv6_key(packet, vlan_in_key);
}

}  // namespace whiteowl
