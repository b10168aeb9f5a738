// SPDX-License-Identifier: Apache-2.0
// What the first fragment of a datagram knows and the others do not: transport protocol and ports.
// Promise: all memory at construction; when full the oldest datagram is forgotten, so that its later fragments count
// with ports 0; what is older than kLifetime is not lent.  Whom the cache forgets depends on the order of the fragments
// alone: the index is keyed, so nobody can choose addresses that push out a datagram of somebody else's.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "whiteowl/base/hash.hpp"
#include "whiteowl/base/tag_index.hpp"
#include "whiteowl/packet/packet.hpp"

namespace whiteowl {

class FragmentCache {
 public:
  // How long a reassembling host waits: 15 s to 120 s (RFC 791 3.2, RFC 1122 3.3.2); Linux 30 s.
  static constexpr Duration kLifetime = std::chrono::seconds{30};

  // Room for `datagrams`, one at least.  Throws std::bad_alloc.
  explicit FragmentCache(std::uint32_t datagrams, const HashKey& hash_key = random_hash_key());

  // `packet` has its addresses, and is the first fragment: its protocol and ports are kept.  `identification` and
  // `protocol` are those of the IPv4 header or the IPv6 fragment header.
  void keep(const Packet& packet, std::uint32_t identification, std::uint8_t protocol) noexcept;
  // `packet` has its addresses, and is a later fragment: gets protocol and ports if they are known.
  void lend(Packet& packet, std::uint32_t identification, std::uint8_t protocol) const noexcept;

 private:
  struct Key {  // RFC 791 3.2; RFC 8200 4.5 leaves the protocol out, as fragments may disagree about it
    std::array<std::uint64_t, 4> addresses{};
    std::uint32_t identification = 0;
    std::uint8_t version = 0, protocol = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Entry {
    Key key;
    std::uint16_t source_port = 0, destination_port = 0;
    std::uint8_t protocol = 0;
    bool used = false;
    Timestamp time{};
  };
  [[nodiscard]] static Key key_of(const Packet& packet, std::uint32_t identification, std::uint8_t protocol) noexcept;
  [[nodiscard]] std::uint64_t hash_of(const Key& key) const noexcept;
  [[nodiscard]] std::uint32_t find(const Key& key, std::uint64_t hash) const noexcept;  // a place, or TagIndex::kNone
  void forget(std::uint32_t place) noexcept;

  HashKey hash_key_;
  std::vector<Entry> entries_;  // in the order of their coming, from next_ on
  TagIndex index_;              // of places
  std::uint32_t next_ = 0;      // written next
};

}  // namespace whiteowl
