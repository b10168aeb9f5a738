// SPDX-License-Identifier: Apache-2.0
// What decoding found in a frame.  A value of plain numbers and pointers into the frame: nothing owned, nothing copied.
#pragma once

#include <cstdint>

#include "whiteowl/packet/frame.hpp"
#include "whiteowl/packet/headers.hpp"

namespace whiteowl {

namespace ip_protocol {  // IANA protocol numbers that the decoder gives a meaning to
inline constexpr std::uint8_t kHopByHop = 0, kIcmp = 1, kIgmp = 2, kIpIp = 4, kTcp = 6, kUdp = 17, kDccp = 33,
                              kIpv6 = 41, kRouting = 43, kFragment = 44, kGre = 47, kEsp = 50, kAh = 51, kIcmpv6 = 58,
                              kNoNext = 59, kDestinationOptions = 60, kEtherIp = 97, kSctp = 132, kMobility = 135,
                              kUdpLite = 136;
}  // namespace ip_protocol

// Tunnels that bear a number.
enum class TunnelType : std::uint8_t {
  none = 0,
  vxlan = 1,   // network identifier, 24 bits (RFC 7348 5)
  nvgre = 2,   // virtual subnet, 24 bits (RFC 7637 3.2)
  geneve = 3,  // network identifier, 24 bits (RFC 8926 3.4)
  gtpu = 4,    // tunnel endpoint identifier (3GPP TS 29.281 5.1)
  gre = 5,     // key (RFC 2890 2.1)
};

struct Packet {
  const Frame* frame = nullptr;
  const std::uint8_t* source_mac = nullptr;           // 6 octets in the frame; null where the link has none
  const std::uint8_t* destination_mac = nullptr;      // 6 octets; null where the link has none (SLL)
  const std::uint8_t* source_address = nullptr;       // 4 or 16 octets, by ip_version
  const std::uint8_t* destination_address = nullptr;  // the same
  // The fixed header wholly captured and inside the datagram, no data offset below 5, not a fragment; else null.
  const TcpHeader* tcp = nullptr;
  std::uint32_t tcp_header_captured = 0;  // octets readable at tcp, options included, at most the header's length
  // IP octets (IPv4 total length; IPv6 40 + payload length, jumbo option followed): from the header, never from the
  // capture, but for a total length of 0 (segmentation offload), where the wire length less the link header stands in.
  std::uint32_t ip_octets = 0;
  std::uint32_t payload_octets = 0;  // behind the TCP header, from IP lengths; 0 for other protocols
  std::uint32_t mpls_label =
      kNoMplsLabel;               // topmost label and its class and bottom bits (24 bits as IE 70), or kNoMplsLabel
  std::uint32_t tunnel_id = 0;    // of the innermost numbered tunnel around the packet; 0 = none
  std::uint16_t source_port = 0;  // host order; 0 where there is none.  ICMP: 0
  std::uint16_t destination_port = 0;  // host order.  ICMP: type x 256 + code
  std::uint16_t vlan_id = 0;           // outermost tag's 12 bits, stripped or not; 0 = none or priority tag
  std::uint16_t customer_vlan_id = 0;  // second tag's 12 bits; 0 = none
  std::uint16_t ip_id = 0;             // IPv4 identification, host order; 0 for IPv6
  std::uint8_t ip_version = 0;         // 4 or 6
  std::uint8_t traffic_class = 0;      // IPv4 TOS, IPv6 traffic class
  // Not beside ip_version: the compiler would read both with one load, which waits when two stores have just made them.
  std::uint8_t protocol = 0;  // of the last header walked, IPv6 extension headers and first fragments followed
  std::uint8_t ttl = 0;       // IPv4 TTL, IPv6 hop limit
  bool fragment = false;      // part of a fragmented datagram, the first part included
  TunnelType tunnel_type = TunnelType::none;

  static constexpr std::uint32_t kNoMplsLabel = 0xFFFFFFFF;
};
static_assert(sizeof(Packet) <= 128);  // two cache lines: a batch of them stays close

}  // namespace whiteowl
