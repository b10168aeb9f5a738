// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/packet/fragment_cache.hpp"

#include <algorithm>
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

FragmentCache::FragmentCache(std::uint32_t datagrams, const HashKey& hash_key)
    : hash_key_{hash_key},
      entries_(std::max<std::uint32_t>(datagrams, 1)),
      index_{static_cast<std::uint32_t>(entries_.size()), Prefault::no} {}

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

std::uint64_t FragmentCache::hash_of(const Key& key) const noexcept {
  const std::uint64_t rest =
      std::uint64_t{key.identification} << 32U | std::uint64_t{key.protocol} << 8U | std::uint64_t{key.version};
  return hash_words({key.addresses[0], key.addresses[1], key.addresses[2], key.addresses[3], rest}, hash_key_);
}

std::uint32_t FragmentCache::find(const Key& key, std::uint64_t hash) const noexcept {
  return index_.find(hash, [this, &key](std::uint32_t place) { return entries_[place].key == key; });
}

void FragmentCache::forget(std::uint32_t place) noexcept {
  if (!entries_[place].used) return;
  entries_[place].used = false;
  index_.erase(hash_of(entries_[place].key), [place](std::uint32_t found) { return found == place; });
}

void FragmentCache::keep(const Packet& packet, std::uint32_t identification, std::uint8_t protocol) noexcept {
  const Key key = key_of(packet, identification, protocol);
  const std::uint64_t hash = hash_of(key);
  if (const std::uint32_t known = find(key, hash); known != TagIndex::kNone) forget(known);
  forget(next_);
  while (!index_.has_room(hash)) {
    std::uint32_t in_the_way = TagIndex::kNone;
    index_.for_each_in_the_way(hash, [&in_the_way](std::uint32_t place) { in_the_way = place; });
    forget(in_the_way);
  }
  entries_[next_] = {key, packet.source_port, packet.destination_port, packet.protocol, true, packet.frame->time};
  index_.insert(hash, next_);
  next_ = next_ + 1 == entries_.size() ? 0 : next_ + 1;
}

void FragmentCache::lend(Packet& packet, std::uint32_t identification, std::uint8_t protocol) const noexcept {
  const Key key = key_of(packet, identification, protocol);
  const std::uint32_t place = find(key, hash_of(key));
  if (place == TagIndex::kNone) return;
  const Entry& known = entries_[place];
  if (distance(known.time, packet.frame->time) > static_cast<std::uint64_t>(kLifetime.count())) return;
  packet.source_port = known.source_port;
  packet.destination_port = known.destination_port;
  packet.protocol = known.protocol;
}

}  // namespace whiteowl
