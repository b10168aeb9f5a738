// SPDX-License-Identifier: Apache-2.0
// The network interfaces of this host, as an operator chooses one.  Needs no privilege.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "whiteowl/base/address.hpp"
#include "whiteowl/packet/frame.hpp"

namespace whiteowl {

// What the kernel merges on reception before we see it: counts of packets and round-trip times blur.
struct SuperSegmentFeatures {
  bool gro = false;  // generic receive offload
  bool lro = false;  // large receive offload
  [[nodiscard]] bool any() const noexcept { return gro || lro; }
};

struct InterfaceInfo {
  std::string name;
  bool up = false;       // administratively
  bool running = false;  // with a carrier
  bool loopback = false;
  std::uint32_t speed_mbps = 0;  // 0 = not known
  std::string driver;            // empty = not known
  std::uint32_t rx_queues = 0;   // 0 = not known
  std::uint32_t mtu = 0;         // octets
  bool has_mac = false;
  MacAddress mac;
  std::vector<std::string> addresses;  // IPv4 first, then IPv6
  SuperSegmentFeatures offloads;
  bool strips_vlan_tags = false;  // the card takes the outer tag off and delivers it beside the packet
};

// In the kernel's order.  Throws std::system_error.
[[nodiscard]] std::vector<InterfaceInfo> list_interfaces();
// A table with a line of headings, as `-list-interfaces` prints it.
[[nodiscard]] std::string interface_table(std::span<const InterfaceInfo> interfaces);

// The index of the interface that has this name now, be it its own or an alternative one; 0 if none has.
[[nodiscard]] int interface_index(const std::string& name) noexcept;
// False also when there is no such interface any more.
[[nodiscard]] bool interface_is_up(int index) noexcept;

// How a packet socket shows the frames of an interface.
struct LinkKind {
  LinkType link = LinkType::ethernet;
  bool loopback = false;
};
// Empty when there is no such interface, or it is of a kind that is not decoded.
[[nodiscard]] std::optional<LinkKind> link_kind_of(int index) noexcept;
// "capture.interface: NAME has hardware type ..., which is not decoded"
[[nodiscard]] std::string not_decoded(const std::string& name, int index);

// All false where it cannot be found out.
[[nodiscard]] SuperSegmentFeatures super_segment_features(const std::string& interface) noexcept;

// "capture.interface: no interface "eht0"; did you mean "eth0"?" or, without a near one, the names that there are.
[[nodiscard]] std::string no_such_interface(const std::string& name);

}  // namespace whiteowl
