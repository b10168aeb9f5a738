// SPDX-License-Identifier: Apache-2.0
// Conversations inside every kind of tunnel, in both directions, and what must decide where they go: the addresses and
// ports that the decoder finds, brought together in a way that does not know which end is which.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "packet/decoded.hpp"

namespace whiteowl::test {

// One direction of the conversation with this number; the answer's addresses and ports change places, except the outer
// port of a tunnel over UDP, which each end chooses for itself.
struct Way {
  std::uint16_t number = 0;
  bool answer = false;

  [[nodiscard]] PacketBuilder outer() const {
    return answer ? eth().ip4("10.0.0.2", "10.0.0.1") : eth().ip4("10.0.0.1", "10.0.0.2");
  }
  [[nodiscard]] PacketBuilder outer6() const {
    return answer ? eth().ip6("2001:db8::b", "2001:db8::a") : eth().ip6("2001:db8::a", "2001:db8::b");
  }
  // Over UDP: `port` is where tunnels of this kind go.
  [[nodiscard]] PacketBuilder over_udp(PacketBuilder builder, std::uint16_t port) const {
    const auto own = static_cast<std::uint16_t>(49'152 + (number * 7919U + (answer ? 4099U : 0U)) % 16'384U);
    return builder.udp(own, port);
  }
  [[nodiscard]] std::string host(bool source) const {
    return source != answer ? "192.0.2." + std::to_string(number % 200 + 1) : "198.51.100.7";
  }
  [[nodiscard]] std::string host6(bool source) const {
    return source != answer ? "2001:db8:1::" + std::to_string(number % 1000 + 1) : "2001:db8:2::7";
  }
  [[nodiscard]] std::uint16_t port(bool source) const {
    return source != answer ? static_cast<std::uint16_t>(20'000 + number) : std::uint16_t{443};
  }
  [[nodiscard]] PacketBuilder tcp(PacketBuilder builder) const {
    return builder.ip4(host(true), host(false)).tcp(port(true), port(false));
  }
  [[nodiscard]] PacketBuilder tcp6(PacketBuilder builder) const {
    return builder.ip6(host6(true), host6(false)).tcp(port(true), port(false));
  }
};

struct TunnelKind {
  std::string name;
  std::function<PacketBuilder(const Way&)> packet;
  bool deep = false;  // more headers than a classic program follows
};

inline std::vector<TunnelKind> plain_kinds() {
  return {
      {"TCP", [](const Way& w) { return w.tcp(eth()); }},
      {"TCP over IPv6", [](const Way& w) { return w.tcp6(eth()); }},
      {"UDP", [](const Way& w) { return eth().ip4(w.host(true), w.host(false)).udp(w.port(true), w.port(false)); }},
      {"SCTP",
       [](const Way& w) { return eth().ip6(w.host6(true), w.host6(false)).ports(132, w.port(true), w.port(false)); }},
      {"ICMP", [](const Way& w) { return eth().ip4(w.host(true), w.host(false)).icmp(w.answer ? 0 : 8, 0); }},
      {"ESP", [](const Way& w) { return eth().ip4(w.host(true), w.host(false)).protocol(50).zeros(40); }},
      {"IPv4 options",
       [](const Way& w) {
         return eth().ip4(w.host(true), w.host(false), Bytes{1, 1, 1, 0}).tcp(w.port(true), w.port(false));
       }},
      {"IPv6 extension headers",
       [](const Way& w) {
         return eth().ip6(w.host6(true), w.host6(false)).extension(0).extension(60).tcp(w.port(true), w.port(false));
       }},
      {"first fragment", [](const Way& w) { return w.tcp(eth()).fragment(0, true, 9); }},
      {"later fragment",
       [](const Way& w) {
         return eth().ip4(w.host(true), w.host(false)).protocol(17).fragment(10, false, 9).zeros(40);
       }},
      {"fragment of IPv6",
       [](const Way& w) {
         return eth().ip6(w.host6(true), w.host6(false)).fragment6(0, true, 9).tcp(w.port(true), w.port(false));
       }},
      {"tags", [](const Way& w) { return w.tcp(eth().vlan(5).vlan(6)); }},
      {"labels", [](const Way& w) { return w.tcp6(eth().mpls(16).mpls(17)); }},
      {"PPPoE", [](const Way& w) { return w.tcp(eth().pppoe()); }},
      {"no octets for ports", [](const Way& w) { return eth().ip4(w.host(true), w.host(false)).protocol(6).zeros(3); }},
  };
}

inline std::vector<TunnelKind> tunnel_kinds() {
  using namespace tunnel_port;
  return {
      {"VXLAN", [](const Way& w) { return w.tcp(w.over_udp(w.outer(), kVxlan).vxlan().ethernet()); }},
      {"VXLAN, the old port, over IPv6",
       [](const Way& w) { return w.tcp6(w.over_udp(w.outer6(), kOldVxlan).vxlan().ethernet().vlan(9)); }},
      {"GRE", [](const Way& w) { return w.tcp(w.outer().gre()); }},
      {"GRE with all fields", [](const Way& w) { return w.tcp6(w.outer().gre(0xB000, 0x86DD, Bytes(12))); }},
      {"NVGRE", [](const Way& w) { return w.tcp(w.outer().gre(0x2000, 0x6558, Bytes(4)).ethernet()); }},
      {"ERSPAN II", [](const Way& w) { return w.tcp(w.outer().gre(0x1000, 0x88BE, Bytes(12)).ethernet()); }},
      {"ERSPAN III", [](const Way& w) { return w.tcp(w.outer().gre(0x1000, 0x22EB, Bytes(16)).ethernet()); }},
      {"GENEVE", [](const Way& w) { return w.tcp(w.over_udp(w.outer(), kGeneve).geneve(Bytes(12)).ethernet()); }},
      {"GENEVE around IP", [](const Way& w) { return w.tcp6(w.over_udp(w.outer6(), kGeneve).geneve()); }},
      {"GTP-U", [](const Way& w) { return w.tcp(w.outer().udp(kGtpu, kGtpu).gtpu()); }},
      {"GTP-U with an extension header",
       [](const Way& w) {
         return w.tcp(w.outer().udp(kGtpu, kGtpu).gtpu(0x34, {0, 0, 0, 0x85, 1, 0, 9, 0}));
       }},
      {"IP in IP", [](const Way& w) { return w.tcp(w.outer()); }},
      {"6in4", [](const Way& w) { return w.tcp6(w.outer()); }},
      {"IPv4 in IPv6", [](const Way& w) { return w.tcp(w.outer6()); }},
      {"EtherIP", [](const Way& w) { return w.tcp(w.outer().etherip().ethernet()); }},
      {"AH", [](const Way& w) { return w.tcp(w.outer().authentication()); }},
      {"Teredo", [](const Way& w) { return w.tcp6(w.over_udp(w.outer(), kTeredo).octets(Bytes(8))); }},
      {"first fragment of VXLAN",
       [](const Way& w) { return w.tcp(w.over_udp(w.outer().fragment(0, true, 7), kVxlan).vxlan().ethernet()); }},
      {"GRE in VXLAN",
       [](const Way& w) {
         return w.tcp((w.answer ? w.over_udp(w.outer(), kVxlan).vxlan().ethernet().ip4("10.1.0.2", "10.1.0.1")
                                : w.over_udp(w.outer(), kVxlan).vxlan().ethernet().ip4("10.1.0.1", "10.1.0.2"))
                          .gre());
       }},
      {"VXLAN in GRE in IPv6",
       [](const Way& w) {
         return w.tcp6(w.over_udp((w.answer ? w.outer6().gre().ip4("10.1.0.2", "10.1.0.1")
                                            : w.outer6().gre().ip4("10.1.0.1", "10.1.0.2")),
                                  kVxlan)
                           .vxlan()
                           .ethernet());
       }},
      {"VXLAN in GRE in IP in IP",
       [](const Way& w) {
         const auto in_ip = w.answer ? w.outer().ip4("10.2.0.2", "10.2.0.1") : w.outer().ip4("10.2.0.1", "10.2.0.2");
         auto in_gre = PacketBuilder{in_ip}.gre();
         return w.tcp(
             w.over_udp(w.answer ? in_gre.ip4("10.1.0.2", "10.1.0.1") : in_gre.ip4("10.1.0.1", "10.1.0.2"), kVxlan)
                 .vxlan()
                 .ethernet());
       },
       true},
      {"extension headers outside and inside",
       [](const Way& w) {
         return w.outer6()
             .extension(0)
             .extension(43)
             .extension(60)
             .gre()
             .ip6(w.host6(true), w.host6(false))
             .extension(0)
             .extension(60)
             .extension(60)
             .extension(43)
             .tcp(w.port(true), w.port(false));
       },
       true},
  };
}

// The exclusive or of both ends' words and ports, multiplied and folded: nothing in it knows a direction.
inline std::uint32_t expected_steering(const Packet& packet) {
  std::uint32_t addresses = 0;
  const std::size_t octets = packet.ip_version == 4 ? 4 : 16;
  for (std::size_t i = 0; i < octets; ++i)
    addresses ^= std::uint32_t{static_cast<std::uint8_t>(packet.source_address[i] ^ packet.destination_address[i])}
                 << (24 - i % 4 * 8);
  const bool has_ports = packet.protocol == 6 || packet.protocol == 17 || packet.protocol == 132 ||
                         packet.protocol == 33 || packet.protocol == 136;
  const std::uint32_t ports = has_ports && !packet.fragment ? packet.source_port ^ packet.destination_port : 0U;
  std::uint32_t hash = addresses * 0x9E3779B1U + ports * 0x85EBCA77U;
  hash ^= hash >> 16U;
  hash *= 0xC2B2AE3DU;
  return hash ^ hash >> 15U;
}

}  // namespace whiteowl::test
