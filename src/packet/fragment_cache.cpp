// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/packet/fragment_cache.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace whiteowl {
namespace {

// Either way: stamps that went back a little are another queue's, and far back is another datagram.  Unsigned, as a
// capture file may hold any two stamps.
std::uint64_t distance(Timestamp one, Timestamp other) noexcept {
  const auto first = static_cast<std::uint64_t>(std::min(one, other).time_since_epoch().count());
  const auto second = static_cast<std::uint64_t>(std::max(one, other).time_since_epoch().count());
  return second - first;
}

}  // namespace

FragmentCache::FragmentCache(std::uint32_t datagrams) : sets_(std::bit_ceil((datagrams + kWays - 1) / kWays)) {}

FragmentCache::Key FragmentCache::key_of(const Packet& packet, std::uint32_t identification,
                                         std::uint8_t protocol) noexcept {
  Key key;
  const std::size_t octets = packet.ip_version == 4 ? 4 : 16;
  std::memcpy(&key.addresses[0], packet.source_address, octets);
  std::memcpy(&key.addresses[2], packet.destination_address, octets);
  key.identification = identification;
  key.version = packet.ip_version;
  key.protocol = packet.ip_version == 4 ? protocol : std::uint8_t{0};
  return key;
}

// Identifications count up or are random, so that the high bits of a product by an odd constant spread either.
std::size_t FragmentCache::set_of(const Key& key) const noexcept {
  std::uint64_t mixed = key.identification ^ (std::uint64_t{key.protocol} << 32U);
  for (const std::uint64_t part : key.addresses) mixed = (std::rotl(mixed, 23) ^ part) * 0x9E3779B97F4A7C15U;
  return static_cast<std::size_t>(mixed >> 32U) & (sets_.size() - 1);
}

void FragmentCache::keep(const Packet& packet, std::uint32_t identification, std::uint8_t protocol) noexcept {
  const Key key = key_of(packet, identification, protocol);
  Set& set = sets_[set_of(key)];
  Entry* entry = nullptr;
  for (Entry& known : set.entries) {
    if (known.used && known.key == key) entry = &known;
  }
  if (entry == nullptr) {
    entry = &set.entries[set.oldest];
    set.oldest = (set.oldest + 1) % kWays;
  }
  *entry = {key, packet.source_port, packet.destination_port, packet.protocol, true, packet.frame->time};
}

void FragmentCache::lend(Packet& packet, std::uint32_t identification, std::uint8_t protocol) const noexcept {
  const Key key = key_of(packet, identification, protocol);
  for (const Entry& known : sets_[set_of(key)].entries) {
    if (!known.used || known.key != key) continue;
    if (distance(known.time, packet.frame->time) > static_cast<std::uint64_t>(kLifetime.count())) continue;
    packet.source_port = known.source_port;
    packet.destination_port = known.destination_port;
    packet.protocol = known.protocol;
  }
}

}  // namespace whiteowl
