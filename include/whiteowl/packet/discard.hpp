// SPDX-License-Identifier: Apache-2.0
// Why a packet was not counted in any flow.  One row each: the enumerator indexes the counter, the name is its label.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace whiteowl {

enum class Discard : std::uint8_t {
  none,              // decoded: belongs to a flow
  not_ip,            // a readable link header that carries something else: ARP, LLDP, STP, PPPoE discovery ...
  truncated_link,    // cut off before the network header began
  truncated_ip,      // cut off inside the IP header, so that the addresses are not known
  bad_ip_version,    // the version nibble contradicts what the link header promised
  bad_ip_header,     // IPv4 header length below 20, or above the total length
  too_many_tags,     // more VLAN tags or MPLS labels than are walked
  unsupported_link,  // pcapng interface of a link type that is not decoded
  kCount
};

inline constexpr std::size_t kDiscardCount = static_cast<std::size_t>(Discard::kCount);

inline constexpr std::array<std::string_view, kDiscardCount> kDiscardNames = {
    "none",           "not_ip",        "truncated_link", "truncated_ip",
    "bad_ip_version", "bad_ip_header", "too_many_tags",  "unsupported_link"};

}  // namespace whiteowl
