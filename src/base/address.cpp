// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/address.hpp"

#include <arpa/inet.h>

#include <cstdio>

namespace whiteowl {

std::string to_string(const MacAddress& address) {
  std::array<char, 18> text{};
  const auto& o = address.octets;
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1], o[2], o[3], o[4], o[5]);
  return text.data();
}

std::string to_string(const Ipv4Address& address) {
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, address.octets.data(), text.data(), text.size());
  return text.data();
}

std::string to_string(const Ipv6Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, address.octets.data(), text.data(), text.size());
  return text.data();
}

}  // namespace whiteowl
