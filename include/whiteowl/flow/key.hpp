// SPDX-License-Identifier: Apache-2.0
// The Flow Key (RFC 7011 2) of a conversation: both directions of a 5-tuple have the same one.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "whiteowl/base/branchless.hpp"
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

// Four octets and four zeros as they would stand in memory, but never written there: a load that spans two stores
// waits.
[[nodiscard]] inline std::uint64_t ipv4_word(const std::uint8_t* address) noexcept {
  std::uint32_t octets = 0;
  std::memcpy(&octets, address, sizeof octets);
  return std::endian::native == std::endian::little ? octets : std::uint64_t{octets} << 32U;
}

[[nodiscard]] inline std::uint64_t eight_octets(const std::uint8_t* address) noexcept {
  std::uint64_t octets = 0;
  std::memcpy(&octets, address, sizeof octets);
  return octets;
}

// One end of a conversation, as the key has it.
struct FlowEnd {
  std::uint64_t address[2];
  std::uint64_t port;
};

// ICMP has no two-way conversations here: the type and code of an answer are others than those of the question, so its
// key is not ordered and its direction is always 0.
[[nodiscard]] inline DirectedKey order_ends(const FlowEnd& source, const FlowEnd& destination, std::uint32_t rest,
                                            bool ordered) noexcept {
  const bool greater = source.address[0] != destination.address[0]   ? source.address[0] > destination.address[0]
                       : source.address[1] != destination.address[1] ? source.address[1] > destination.address[1]
                                                                     : source.port > destination.port;
  const std::uint64_t mask = mask_of(greater && ordered);
  const std::uint64_t x0 = (source.address[0] ^ destination.address[0]) & mask;
  const std::uint64_t x1 = (source.address[1] ^ destination.address[1]) & mask;
  const std::uint64_t xp = (source.port ^ destination.port) & mask;
  return {.key = {.low = {source.address[0] ^ x0, source.address[1] ^ x1},
                  .high = {destination.address[0] ^ x0, destination.address[1] ^ x1},
                  .rest = (source.port ^ xp) << 48U | (destination.port ^ xp) << 32U | rest},
          .direction = static_cast<std::uint32_t>(mask & 1U)};
}

[[nodiscard]] inline DirectedKey directed_key(const Packet& packet, bool vlan_in_key) noexcept {
  const bool icmp = packet.protocol == ip_protocol::kIcmp || packet.protocol == ip_protocol::kIcmpv6;
  const std::uint32_t vlan = vlan_in_key ? packet.vlan_id : std::uint32_t{0};
  const std::uint32_t rest = vlan << 16U | std::uint32_t{packet.protocol} << 8U | packet.ip_version;
  const std::uint8_t* const source = packet.source_address;
  const std::uint8_t* const destination = packet.destination_address;
  if (packet.ip_version == 4) [[likely]] {
    return order_ends({{ipv4_word(source), 0}, packet.source_port},
                      {{ipv4_word(destination), 0}, packet.destination_port}, rest, !icmp);
  }
  return order_ends({{eight_octets(source), eight_octets(source + 8)}, packet.source_port},
                    {{eight_octets(destination), eight_octets(destination + 8)}, packet.destination_port}, rest, !icmp);
}

}  // namespace whiteowl
