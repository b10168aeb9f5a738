// SPDX-License-Identifier: Apache-2.0
// Addresses as values, octets in network order.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace whiteowl {

struct MacAddress {
  std::array<std::uint8_t, 6> octets{};
  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
};
struct Ipv4Address {
  std::array<std::uint8_t, 4> octets{};
  friend constexpr auto operator<=>(const Ipv4Address&, const Ipv4Address&) = default;
};
struct Ipv6Address {
  std::array<std::uint8_t, 16> octets{};
  friend constexpr auto operator<=>(const Ipv6Address&, const Ipv6Address&) = default;
};

[[nodiscard]] std::string to_string(const MacAddress& address);   // 02:00:00:00:00:01
[[nodiscard]] std::string to_string(const Ipv4Address& address);  // 192.0.2.1
[[nodiscard]] std::string to_string(const Ipv6Address& address);  // 2001:db8::1 (RFC 5952)

}  // namespace whiteowl
