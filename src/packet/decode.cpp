// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/packet/decode.hpp"

#include <algorithm>

#include "whiteowl/packet/link.hpp"
#include "whiteowl/packet/tunnel.hpp"
#include "whiteowl/packet/walk.hpp"

namespace whiteowl {
namespace {

constexpr unsigned kMaxExtensionHeaders = 32;

struct FragmentPart {
  std::uint32_t identification = 0;
  std::uint8_t protocol = 0;
  bool first = true;
};

// `ip_payload_octets`: from IP lengths, what the segment claims to be long, header included.
void keep_tcp(const TcpHeader& tcp, std::uint32_t captured_octets, std::uint32_t ip_payload_octets,
              Packet& packet) noexcept {
  const std::uint32_t header_octets = tcp.header_octets();
  if (header_octets < sizeof(TcpHeader)) return;
  packet.tcp = &tcp;
  packet.tcp_header_captured = std::min(captured_octets, header_octets);
  packet.payload_octets = ip_payload_octets > header_octets ? ip_payload_octets - header_octets : 0;
}

// What stands behind the IP headers.  The walk stays in front of it, for a tunnel to be entered.
void read_transport(const Walk& walk, Packet& packet) noexcept {
  switch (packet.protocol) {
    case ip_protocol::kTcp:
      if (const auto* tcp = walk.peek<TcpHeader>(); tcp != nullptr && !packet.fragment) {
        keep_tcp(*tcp, walk.captured_octets(), walk.wire_octets(), packet);
      }
      [[fallthrough]];
    case ip_protocol::kUdp:
    case ip_protocol::kUdpLite:
    case ip_protocol::kSctp:
    case ip_protocol::kDccp:
      if (const auto* ports = walk.peek<PortPair>(); ports != nullptr) {
        packet.source_port = ports->source;
        packet.destination_port = ports->destination;
      }
      break;
    case ip_protocol::kIcmp:
    case ip_protocol::kIcmpv6:
      if (const auto* icmp = walk.peek<IcmpHeader>(); icmp != nullptr) {
        packet.destination_port = static_cast<std::uint16_t>(icmp->type << 8U | icmp->code);
      }
      break;
    default:
      break;
  }
}

void read_payload(Walk& walk, const FragmentPart& part, FragmentCache& fragments, Packet& packet) noexcept {
  if (!part.first) {
    walk.forget();
    fragments.lend(packet, part.identification, part.protocol);
    return;
  }
  read_transport(walk, packet);
  if (packet.fragment) fragments.keep(packet, part.identification, part.protocol);
}

// Between them these two set every field, each once: clearing a whole Packet costs as much as decoding one.
void begin_frame(Packet& packet, const Frame& frame) noexcept {
  packet.frame = &frame;
  packet.source_mac = nullptr;
  packet.destination_mac = nullptr;
  packet.mpls_label = Packet::kNoMplsLabel;
  packet.tunnel_id = 0;
  packet.tunnel_type = TunnelType::none;
  packet.vlan_id = 0;
  packet.customer_vlan_id = 0;
}

// What the link has set stays; everything of an IP header before this one is forgotten.
void begin_layer(Packet& packet, std::uint8_t version, const std::uint8_t* source,
                 const std::uint8_t* destination) noexcept {
  packet.source_address = source;
  packet.destination_address = destination;
  packet.ip_version = version;
  packet.tcp = nullptr;
  packet.tcp_header_captured = 0;
  packet.payload_octets = 0;
  packet.source_port = 0;
  packet.destination_port = 0;
  packet.ip_id = 0;
  packet.fragment = false;
}

Discard read_ipv4(Walk& walk, FragmentCache& fragments, Packet& packet) noexcept {
  const auto* ip = walk.peek<Ipv4Header>();
  if (ip == nullptr) return Discard::truncated_ip;
  const std::uint32_t header_octets = ip->header_octets();
  const std::uint32_t total_octets = ip->total_length != 0 ? ip->total_length.value() : walk.wire_octets();
  if (header_octets < sizeof(Ipv4Header) || (ip->total_length != 0 && total_octets < header_octets)) {
    return Discard::bad_ip_header;
  }
  begin_layer(packet, 4, ip->source, ip->destination);
  packet.ip_octets = total_octets;
  packet.ip_id = ip->identification;
  packet.protocol = ip->protocol;
  packet.traffic_class = ip->type_of_service;
  packet.ttl = ip->time_to_live;
  packet.fragment = ip->is_fragment();
  walk.claim(total_octets);
  if (!walk.skip(header_octets)) walk.forget();
  read_payload(walk, {ip->identification, ip->protocol, ip->is_first()}, fragments, packet);
  return Discard::none;
}

// RFC 2675 2: the jumbo payload length in the hop-by-hop header that `walk` stands at, 0 if there is none.
std::uint32_t jumbo_payload_octets(Walk walk) noexcept {
  const auto* header = walk.take<Ipv6ExtensionHeader>();
  if (header == nullptr) return 0;
  walk.limit(header->header_octets() - static_cast<std::uint32_t>(sizeof(Ipv6ExtensionHeader)));
  while (const auto* type = walk.peek<be8>()) {
    if (*type == Ipv6Option::kPad1) {
      if (!walk.skip(1)) return 0;
      continue;
    }
    const auto* option = walk.take<Ipv6Option>();
    if (option == nullptr) return 0;
    if (option->type == Ipv6Option::kJumboPayload && option->length == sizeof(be32)) {
      const auto* octets = walk.peek<be32>();
      return octets == nullptr ? 0 : octets->value();
    }
    if (!walk.skip(option->length)) return 0;
  }
  return 0;
}

// Octets behind the fixed header.  A payload length of 0 is: nothing; a jumbogram; or a TCP segment too long for the
// field and not yet cut by the network card, which nothing but the wire length tells.  A jumbogram cannot be longer
// than the wire says, or one forged option of a small packet would count as four gigabytes.
std::uint32_t ipv6_payload_octets(const Ipv6Header& ip, const Walk& walk) noexcept {
  if (ip.payload_length != 0) return ip.payload_length;
  if (ip.next_header == ip_protocol::kHopByHop) return std::min(jumbo_payload_octets(walk), walk.wire_octets());
  return ip.next_header == ip_protocol::kTcp && walk.wire_octets() > 0xFFFF ? walk.wire_octets() : 0;
}

// Steps over the extension headers to what they carry; packet.protocol follows.  One that is cut off keeps its own
// number. AH, ESP and mobility end the walk: the first two hide what follows, nothing follows the last (RFC
// 6275 6.1.1).
FragmentPart read_extensions(Walk& walk, Packet& packet) noexcept {
  FragmentPart part;
  for (unsigned headers = 0; headers < kMaxExtensionHeaders; ++headers) {
    switch (packet.protocol) {
      case ip_protocol::kHopByHop:
      case ip_protocol::kRouting:
      case ip_protocol::kDestinationOptions: {
        const auto* extension = walk.peek<Ipv6ExtensionHeader>();
        if (extension != nullptr) packet.protocol = extension->next_header;
        if (extension != nullptr && walk.skip(extension->header_octets())) break;
        walk.forget();
        return part;
      }
      case ip_protocol::kFragment: {
        const auto* fragment = walk.take<Ipv6FragmentHeader>();
        if (fragment == nullptr) {
          walk.forget();
          return part;
        }
        packet.protocol = fragment->next_header;
        packet.fragment = fragment->is_fragment();
        part = {fragment->identification, fragment->next_header, fragment->is_first()};
        if (!part.first) return part;
        break;
      }
      default:
        return part;
    }
  }
  walk.forget();
  return part;
}

Discard read_ipv6(Walk& walk, FragmentCache& fragments, Packet& packet) noexcept {
  const auto* ip = walk.take<Ipv6Header>();
  if (ip == nullptr) return Discard::truncated_ip;
  const std::uint32_t payload_octets = ipv6_payload_octets(*ip, walk);
  begin_layer(packet, 6, ip->source, ip->destination);
  packet.ip_octets = static_cast<std::uint32_t>(sizeof(Ipv6Header)) + payload_octets;
  packet.protocol = ip->next_header;
  packet.traffic_class = ip->traffic_class();
  packet.ttl = ip->hop_limit;
  walk.claim(payload_octets);
  const FragmentPart part = read_extensions(walk, packet);
  read_payload(walk, part, fragments, packet);
  return Discard::none;
}

// Changes `packet` only if the addresses are readable.
Discard read_ip(Walk& walk, FragmentCache& fragments, Packet& packet) noexcept {
  if (walk.captured_octets() == 0) return Discard::truncated_ip;
  switch (walk.version()) {
    case 4:
      return read_ipv4(walk, fragments, packet);
    case 6:
      return read_ipv6(walk, fragments, packet);
    default:
      return Discard::bad_ip_version;
  }
}

template <typename Ip>
struct CommonHeaders {
  EthernetHeader ethernet;
  Ip ip;
  PortPair ports;
};
static_assert(WireStruct<CommonHeaders<Ipv4Header>> && sizeof(CommonHeaders<Ipv4Header>) == 38);
static_assert(WireStruct<CommonHeaders<Ipv6Header>> && sizeof(CommonHeaders<Ipv6Header>) == 58);

// `inner`: UDP may carry a tunnel.
bool is_common(std::uint8_t protocol, bool inner) noexcept {
  return protocol == ip_protocol::kTcp || (protocol == ip_protocol::kUdp && !inner);
}

// What IPv4 and IPv6 say in their own ways.
struct CommonLayer {
  std::uint32_t ip_octets, ip_payload_octets;
  std::uint16_t id;
  std::uint8_t version, protocol, traffic_class, ttl;
};

// All is read before anything is written: a compiler takes each octet that is written for one that may be read next.
template <typename Ip>
void fill_common(Packet& packet, const Frame& frame, const CommonHeaders<Ip>& headers,
                 const CommonLayer& layer) noexcept {
  const std::uint16_t source_port = headers.ports.source, destination_port = headers.ports.destination;
  const std::uint16_t vlan_id = frame.vlan_tpid != 0 ? frame.vlan_tci & 0x0FFFU : 0U;
  begin_layer(packet, layer.version, headers.ip.source, headers.ip.destination);
  begin_frame(packet, frame);
  packet.source_mac = headers.ethernet.source;
  packet.destination_mac = headers.ethernet.destination;
  packet.vlan_id = vlan_id;
  packet.source_port = source_port;
  packet.destination_port = destination_port;
  packet.ip_octets = layer.ip_octets;
  packet.ip_id = layer.id;
  packet.protocol = layer.protocol;
  packet.traffic_class = layer.traffic_class;
  packet.ttl = layer.ttl;
  if (layer.protocol != ip_protocol::kTcp) return;
  const auto* const transport = reinterpret_cast<const std::uint8_t*>(&headers.ports);
  Cursor cursor{transport, frame.captured_octets - static_cast<std::size_t>(transport - frame.data)};
  cursor.limit(layer.ip_payload_octets);
  if (const auto* tcp = cursor.peek<TcpHeader>(); tcp != nullptr)
    keep_tcp(*tcp, static_cast<std::uint32_t>(cursor.remaining()), layer.ip_payload_octets, packet);
}

bool read_common_ipv4(const Frame& frame, Cursor cursor, bool inner, Packet& packet) noexcept {
  const auto* headers = cursor.peek<CommonHeaders<Ipv4Header>>();
  if (headers == nullptr) return false;
  const Ipv4Header& ip = headers->ip;
  const std::uint32_t total_octets = ip.total_length;
  const std::uint8_t protocol = ip.protocol;
  if (ip.version_and_length != 0x45 || ip.is_fragment() || !is_common(protocol, inner)) return false;
  if (total_octets < sizeof(Ipv4Header) + sizeof(PortPair)) return false;
  fill_common(packet, frame, *headers,
              {.ip_octets = total_octets,
               .ip_payload_octets = total_octets - static_cast<std::uint32_t>(sizeof(Ipv4Header)),
               .id = ip.identification,
               .version = 4,
               .protocol = protocol,
               .traffic_class = ip.type_of_service,
               .ttl = ip.time_to_live});
  return true;
}

bool read_common_ipv6(const Frame& frame, Cursor cursor, bool inner, Packet& packet) noexcept {
  const auto* headers = cursor.peek<CommonHeaders<Ipv6Header>>();
  if (headers == nullptr) return false;
  const Ipv6Header& ip = headers->ip;
  const std::uint32_t ip_payload_octets = ip.payload_length;
  const std::uint8_t protocol = ip.next_header;
  if (ip.version() != 6 || ip_payload_octets < sizeof(PortPair) || !is_common(protocol, inner)) return false;
  fill_common(packet, frame, *headers,
              {.ip_octets = static_cast<std::uint32_t>(sizeof(Ipv6Header)) + ip_payload_octets,
               .ip_payload_octets = ip_payload_octets,
               .id = 0,
               .version = 6,
               .protocol = protocol,
               .traffic_class = ip.traffic_class(),
               .ttl = ip.hop_limit});
  return true;
}

// Most packets are Ethernet, IP without options or extension headers, a whole TCP segment or UDP datagram: these take
// this short way.  The answer is the same as the long way's.  False, and `packet` untouched, for all others.
bool read_common(const Frame& frame, bool inner, Packet& packet) noexcept {
  if (frame.link != LinkType::ethernet) return false;
  const Cursor cursor{frame.data, frame.captured_octets};
  const auto* ethernet = cursor.peek<EthernetHeader>();
  if (ethernet == nullptr) return false;
  if (ethernet->type == ethertype::kIpv4) return read_common_ipv4(frame, cursor, inner, packet);
  return ethernet->type == ethertype::kIpv6 && read_common_ipv6(frame, cursor, inner, packet);
}

}  // namespace

Decoder::Decoder(const DecodeSettings& settings) : settings_{settings}, fragments_{settings.fragment_cache_max} {}

Discard Decoder::decode(const Frame& frame, Packet& packet) noexcept {
  if (read_common(frame, settings_.inner, packet)) [[likely]]
    return Discard::none;
  return decode_any(frame, packet);
}

Discard Decoder::decode_any(const Frame& frame, Packet& packet) noexcept {
  begin_frame(packet, frame);
  Walk walk{frame};
  Discard reason = read_link(walk, packet);
  if (reason == Discard::none) reason = read_ip(walk, fragments_, packet);
  if (reason != Discard::none || !settings_.inner) return reason;
  // What cannot be entered or read inside does not undo what was read outside.
  TunnelNumber number;
  for (std::uint32_t depth = 0; depth < settings_.max_tunnel_depth && enter_tunnel(walk, packet, number); ++depth) {
    if (read_ip(walk, fragments_, packet) != Discard::none) break;
    packet.tunnel_type = number.type;
    packet.tunnel_id = number.id;
  }
  return Discard::none;
}

}  // namespace whiteowl
