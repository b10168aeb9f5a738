// SPDX-License-Identifier: Apache-2.0
// What the first fragment of a datagram knows and the others do not: transport protocol and ports.
// Promise: all memory at construction; when full the oldest datagram of the set is forgotten, so that its later
// fragments count with ports 0; what is older than kLifetime is not lent.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "whiteowl/packet/packet.hpp"

namespace whiteowl {

class FragmentCache {
 public:
  // How long a reassembling host waits: 15 s to 120 s (RFC 791 3.2, RFC 1122 3.3.2); Linux 30 s.
  static constexpr Duration kLifetime = std::chrono::seconds{30};

  // Room for `datagrams`, rounded up to a power of two and at least one set.  Throws std::bad_alloc.
  explicit FragmentCache(std::uint32_t datagrams);

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
  static constexpr std::size_t kWays = 4;
  struct Set {
    std::array<Entry, kWays> entries;
    std::size_t oldest = 0;  // overwritten next
  };

  [[nodiscard]] static Key key_of(const Packet& packet, std::uint32_t identification, std::uint8_t protocol) noexcept;
  [[nodiscard]] std::size_t set_of(const Key& key) const noexcept;

  std::vector<Set> sets_;
};

}  // namespace whiteowl
