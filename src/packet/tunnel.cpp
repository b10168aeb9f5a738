// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/packet/tunnel.hpp"

#include "whiteowl/packet/link.hpp"

namespace whiteowl {
namespace {

constexpr std::uint32_t from_three_octets(const std::uint8_t (&octets)[3]) noexcept {
  return std::uint32_t{octets[0]} << 16U | std::uint32_t{octets[1]} << 8U | octets[2];
}

// Addresses, tags and labels stay those of the frame itself: the inner ones are read past.
bool enter_ethernet(Walk& walk) noexcept {
  Packet inner;
  return read_ethernet(walk, inner) == Discard::none;
}
bool enter_type(Walk& walk, std::uint16_t type) noexcept {
  if (type == ethertype::kTransparentEthernet) return enter_ethernet(walk);
  if (type <= ethertype::kMaxLength) return false;
  Packet inner;
  return read_type(walk, type, inner) == Discard::none;
}

// draft-foschiano-erspan 4.2, 4.3.  Type I has no header of its own and no GRE sequence number.
bool enter_erspan(Walk& walk, const GreHeader& gre) noexcept {
  constexpr std::uint32_t kTypeTwoOctets = 8, kSubheaderOctets = 8;
  if (gre.protocol == ethertype::kErspan2) {
    if (gre.has_sequence_number() && !walk.skip(kTypeTwoOctets)) return false;
    return enter_ethernet(walk);
  }
  const auto* erspan = walk.take<Erspan3Header>();
  if (erspan == nullptr || !erspan->carries_ethernet()) return false;
  if (erspan->has_subheader() && !walk.skip(kSubheaderOctets)) return false;
  return enter_ethernet(walk);
}

// RFC 7637 3.2: Ethernet behind a key is NVGRE, the subnet in the key's upper 24 bits.
TunnelNumber number_of(const GreHeader& gre, std::uint32_t key) noexcept {
  if (gre.protocol == ethertype::kTransparentEthernet) return {TunnelType::nvgre, key >> 8U};
  return {TunnelType::gre, key};
}

bool enter_gre(Walk& walk, TunnelNumber& number) noexcept {
  const auto* gre = walk.take<GreHeader>();
  if (gre == nullptr || gre->version() != 0 || gre->has_routing()) return false;
  if (gre->has_checksum() && !walk.skip(4)) return false;
  if (gre->has_key()) {
    const auto* key = walk.take<be32>();
    if (key == nullptr) return false;
    number = number_of(*gre, *key);
  }
  if (gre->has_sequence_number() && !walk.skip(4)) return false;
  if (gre->protocol == ethertype::kErspan2 || gre->protocol == ethertype::kErspan3) return enter_erspan(walk, *gre);
  return enter_type(walk, gre->protocol);
}

bool enter_ether_ip(Walk& walk) noexcept {
  const auto* header = walk.take<EtherIpHeader>();
  return header != nullptr && header->version() == 3 && enter_ethernet(walk);
}

// Tunnel mode only: in transport mode 51 stands for what is protected.
bool enter_authenticated(Walk& walk) noexcept {
  const auto* header = walk.peek<AuthenticationHeader>();
  if (header == nullptr) return false;
  return (header->next_header == ip_protocol::kIpIp || header->next_header == ip_protocol::kIpv6) &&
         walk.skip(header->header_octets());
}

bool enter_vxlan(Walk& walk, TunnelNumber& number) noexcept {
  const auto* header = walk.take<VxlanHeader>();
  if (header == nullptr || !header->has_identifier()) return false;
  number = {TunnelType::vxlan, from_three_octets(header->network_identifier)};
  return enter_ethernet(walk);
}

bool enter_geneve(Walk& walk, TunnelNumber& number) noexcept {
  const auto* header = walk.take<GeneveHeader>();
  if (header == nullptr || header->version() != 0) return false;
  number = {TunnelType::geneve, from_three_octets(header->network_identifier)};
  return walk.skip(header->options_octets()) && enter_type(walk, header->protocol);
}

bool enter_gtpu(Walk& walk, TunnelNumber& number) noexcept {
  const auto* header = walk.take<GtpuHeader>();
  if (header == nullptr || !header->carries_packet()) return false;
  number = {TunnelType::gtpu, header->tunnel_endpoint};
  walk.limit(header->length);
  if (!header->has_optional()) return true;
  const auto* optional = walk.take<GtpuOptional>();
  if (optional == nullptr) return false;
  if (!header->has_extension()) return true;
  // Each extension header: its length in units of 4 octets first, the type of the next last (5.2.1).
  for (std::uint8_t next = optional->next_extension; next != 0;) {
    const auto* units = walk.peek<be8>();
    if (units == nullptr || *units == 0) return false;
    if (!walk.skip(*units * 4U - 1U)) return false;
    const auto* last = walk.take<be8>();
    if (last == nullptr) return false;
    next = *last;
  }
  return true;
}

// RFC 4380 5.1.1: an authentication and an origin indication may stand in front of the IPv6 packet.
bool enter_teredo(Walk& walk) noexcept {
  constexpr std::uint32_t kOriginOctets = 8;
  const auto* authentication = walk.peek<TeredoAuthentication>();
  if (authentication == nullptr) return false;
  if (authentication->indicator == 1 && !walk.skip(authentication->header_octets())) return false;
  const auto* origin = walk.peek<be16>();
  if (origin == nullptr) return false;
  if (*origin == 0 && !walk.skip(kOriginOctets)) return false;
  return walk.version() == 6;
}

// A reply of a Teredo server or a GTP-U peer comes from the port, so both ports are looked at, the destination first.
bool enter_udp(Walk& walk, const Packet& outer, TunnelNumber& number) noexcept {
  const auto* udp = walk.take<UdpHeader>();
  if (udp == nullptr) return false;
  // A length of 0 is a datagram too long for it (RFC 2675 4, segmentation offload).
  if (udp->length != 0) {
    if (udp->length < sizeof(UdpHeader)) return false;
    walk.limit(udp->length - static_cast<std::uint32_t>(sizeof(UdpHeader)));
  }
  for (const std::uint16_t port : {outer.destination_port, outer.source_port}) {
    switch (port) {
      case tunnel_port::kVxlan:
      case tunnel_port::kOldVxlan:
        return enter_vxlan(walk, number);
      case tunnel_port::kGeneve:
        return enter_geneve(walk, number);
      case tunnel_port::kGtpu:
        return enter_gtpu(walk, number);
      case tunnel_port::kTeredo:
        return enter_teredo(walk);
      default:
        break;
    }
  }
  return false;
}

}  // namespace

bool enter_tunnel(Walk& walk, const Packet& outer, TunnelNumber& number) noexcept {
  switch (outer.protocol) {
    case ip_protocol::kIpIp:
    case ip_protocol::kIpv6:
      return true;
    case ip_protocol::kGre:
      return enter_gre(walk, number);
    case ip_protocol::kEtherIp:
      return enter_ether_ip(walk);
    case ip_protocol::kAh:
      return enter_authenticated(walk);
    case ip_protocol::kUdp:
      return enter_udp(walk, outer, number);
    default:
      return false;
  }
}

}  // namespace whiteowl
