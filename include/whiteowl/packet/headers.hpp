// SPDX-License-Identifier: Apache-2.0
// Headers as they stand on the wire.  The declaration is the format: nothing is swapped or masked outside the
// accessors. Accessors return host order; lengths are octets.
#pragma once

#include <cstdint>

#include "whiteowl/base/wire.hpp"

namespace whiteowl {

// ---- link ----

struct EthernetHeader {  // IEEE 802.3 3.1.1
  std::uint8_t destination[6], source[6];
  be16 type;  // EtherType, or a length up to 1500 with LLC behind it
};
static_assert(WireStruct<EthernetHeader> && sizeof(EthernetHeader) == 14);

struct VlanTag {  // IEEE 802.1Q 9.6, what follows the TPID
  be16 tci, type;

  [[nodiscard]] std::uint16_t id() const noexcept { return tci.value() & 0x0FFFU; }
};
static_assert(WireStruct<VlanTag> && sizeof(VlanTag) == 4);

struct SnapHeader {  // IEEE 802.2 LLC (UI) with SNAP, RFC 1042
  std::uint8_t dsap, ssap, control, organization[3];
  be16 type;

  // Organization 0 says that `type` is an EtherType.
  [[nodiscard]] bool carries_ethertype() const noexcept {
    return dsap == 0xAA && ssap == 0xAA && control == 3 && (organization[0] | organization[1] | organization[2]) == 0;
  }
};
static_assert(WireStruct<SnapHeader> && sizeof(SnapHeader) == 8);

struct MplsEntry {  // RFC 3032 2.1, RFC 5462
  be32 entry;       // label 20, traffic class 3, bottom of stack 1, time to live 8 bits

  [[nodiscard]] std::uint32_t label_class_bottom() const noexcept { return entry.value() >> 8U; }
  [[nodiscard]] bool bottom() const noexcept { return (entry.value() & 0x100U) != 0; }
};
static_assert(WireStruct<MplsEntry> && sizeof(MplsEntry) == 4);

struct PppoeHeader {  // RFC 2516 4
  std::uint8_t version_and_type, code;
  be16 session, length;
};
static_assert(WireStruct<PppoeHeader> && sizeof(PppoeHeader) == 6);

struct SllHeader {  // LINKTYPE_LINUX_SLL, tcpdump.org
  be16 packet_type, hardware_type, address_length;
  std::uint8_t address[8];
  be16 protocol;
};
static_assert(WireStruct<SllHeader> && sizeof(SllHeader) == 16);

struct Sll2Header {  // LINKTYPE_LINUX_SLL2, tcpdump.org
  be16 protocol, reserved;
  be32 interface_index;
  be16 hardware_type;
  std::uint8_t packet_type, address_length, address[8];
};
static_assert(WireStruct<Sll2Header> && sizeof(Sll2Header) == 20);

struct LoopbackHeader {  // LINKTYPE_NULL and LINKTYPE_LOOP, tcpdump.org
  std::uint8_t octets[4];

  // AF_ of the capturing system, in that machine's byte order (NULL) or network order (LOOP); all are below 256, so
  // that either order can be told.  0 if it is neither.
  [[nodiscard]] std::uint8_t family() const noexcept {
    if ((octets[1] | octets[2]) != 0 || (octets[0] != 0 && octets[3] != 0)) return 0;
    return octets[0] | octets[3];
  }
};
static_assert(WireStruct<LoopbackHeader> && sizeof(LoopbackHeader) == 4);

namespace ethertype {  // IEEE registry of EtherTypes; GRE protocol types (RFC 2784 2.4) are the same numbers
inline constexpr std::uint16_t kMaxLength = 1500, kIpv4 = 0x0800, kErspan3 = 0x22EB, kTransparentEthernet = 0x6558,
                               kVlan = 0x8100, kIpv6 = 0x86DD, kMpls = 0x8847, kMplsUpstream = 0x8848,
                               kPppoeSession = 0x8864, kProviderVlan = 0x88A8, kErspan2 = 0x88BE,
                               kOldProviderVlan = 0x9100;
}  // namespace ethertype

// ---- network ----

struct Ipv4Header {  // RFC 791 3.1
  std::uint8_t version_and_length, type_of_service;
  be16 total_length, identification;
  be16 flags_and_offset;  // reserved, DF, MF, 13 bits offset in units of 8 octets
  std::uint8_t time_to_live, protocol;
  be16 checksum;
  std::uint8_t source[4], destination[4];

  [[nodiscard]] std::uint32_t header_octets() const noexcept { return (version_and_length & 0x0FU) * 4U; }
  [[nodiscard]] bool is_fragment() const noexcept { return (flags_and_offset.value() & 0x3FFFU) != 0; }
  [[nodiscard]] bool is_first() const noexcept { return (flags_and_offset.value() & 0x1FFFU) == 0; }
};
static_assert(WireStruct<Ipv4Header> && sizeof(Ipv4Header) == 20);

struct Ipv6Header {  // RFC 8200 3
  be32 version_class_flow;
  be16 payload_length;
  std::uint8_t next_header, hop_limit, source[16], destination[16];

  [[nodiscard]] std::uint32_t version() const noexcept { return version_class_flow.value() >> 28U; }
  [[nodiscard]] std::uint8_t traffic_class() const noexcept {
    return static_cast<std::uint8_t>(version_class_flow.value() >> 20U);
  }
};
static_assert(WireStruct<Ipv6Header> && sizeof(Ipv6Header) == 40);

struct Ipv6ExtensionHeader {  // RFC 8200 4.3, 4.4, 4.6
  std::uint8_t next_header, length;

  [[nodiscard]] std::uint32_t header_octets() const noexcept { return (length + 1U) * 8U; }
};
static_assert(WireStruct<Ipv6ExtensionHeader> && sizeof(Ipv6ExtensionHeader) == 2);

struct Ipv6Option {  // RFC 8200 4.2; Pad1 alone has no length
  std::uint8_t type, length;
  static constexpr std::uint8_t kPad1 = 0, kJumboPayload = 0xC2;  // RFC 2675 2
};
static_assert(WireStruct<Ipv6Option> && sizeof(Ipv6Option) == 2);

struct Ipv6FragmentHeader {  // RFC 8200 4.5
  std::uint8_t next_header, reserved;
  be16 offset_and_more;  // 13 bits offset in units of 8 octets, 2 reserved, M
  be32 identification;

  // Offset 0 and nothing to follow is a whole datagram (RFC 6946).
  [[nodiscard]] bool is_fragment() const noexcept { return (offset_and_more.value() & 0xFFF9U) != 0; }
  [[nodiscard]] bool is_first() const noexcept { return (offset_and_more.value() & 0xFFF8U) == 0; }
};
static_assert(WireStruct<Ipv6FragmentHeader> && sizeof(Ipv6FragmentHeader) == 8);

struct AuthenticationHeader {  // RFC 4302 2
  std::uint8_t next_header, payload_length;
  be16 reserved;
  be32 security_parameters_index, sequence_number;

  [[nodiscard]] std::uint32_t header_octets() const noexcept { return (payload_length + 2U) * 4U; }
};
static_assert(WireStruct<AuthenticationHeader> && sizeof(AuthenticationHeader) == 12);

// ---- transport ----

struct PortPair {  // where TCP, UDP, UDP-Lite (RFC 3828), SCTP (RFC 9260 3.1) and DCCP (RFC 4340 5.1) begin alike
  be16 source, destination;
};
static_assert(WireStruct<PortPair> && sizeof(PortPair) == 4);

struct TcpHeader {  // RFC 9293 3.1
  be16 source_port, destination_port;
  be32 sequence_number, acknowledgment_number;
  be16 offset_and_flags;  // 4 bits data offset, 3 reserved, AE (RFC 9768; NS in RFC 3540, now historic), CWR .. FIN
  be16 window, checksum, urgent_pointer;

  [[nodiscard]] std::uint32_t header_octets() const noexcept { return (offset_and_flags.value() >> 12U) * 4U; }
  // The low nine bits; tcpControlBits (IE 6) exports the low eight in one octet.
  [[nodiscard]] std::uint16_t flags() const noexcept { return offset_and_flags.value() & 0x1FFU; }
};
static_assert(WireStruct<TcpHeader> && sizeof(TcpHeader) == 20);

namespace tcp_flag {  // RFC 9293 3.1, RFC 3168
inline constexpr std::uint16_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10, kUrg = 0x20,
                               kEce = 0x40, kCwr = 0x80;
}  // namespace tcp_flag

struct TcpOption {            // RFC 9293 3.2; kinds 0 and 1 alone have no length
  std::uint8_t kind, length;  // length counts these two octets

  static constexpr std::uint8_t kEnd = 0, kNoOperation = 1, kMss = 2;  // RFC 9293 3.2
  static constexpr std::uint8_t kWindowScale = 3, kTimestamps = 8;     // RFC 7323 2.2, 3.2
  static constexpr std::uint8_t kSackPermitted = 4, kSack = 5;         // RFC 2018 2, 3
};
static_assert(WireStruct<TcpOption> && sizeof(TcpOption) == 2);

struct UdpHeader {  // RFC 768
  be16 source_port, destination_port, length, checksum;
};
static_assert(WireStruct<UdpHeader> && sizeof(UdpHeader) == 8);

struct IcmpHeader {  // RFC 792, RFC 4443 2.1: what all messages share
  std::uint8_t type, code;
};
static_assert(WireStruct<IcmpHeader> && sizeof(IcmpHeader) == 2);

// ---- tunnels ----

struct GreHeader {  // RFC 2784 2.1, RFC 2890 2
  be16 flags_and_version, protocol;

  [[nodiscard]] bool has_checksum() const noexcept { return (flags_and_version.value() & 0x8000U) != 0; }
  [[nodiscard]] bool has_routing() const noexcept { return (flags_and_version.value() & 0x4000U) != 0; }  // RFC 1701
  [[nodiscard]] bool has_key() const noexcept { return (flags_and_version.value() & 0x2000U) != 0; }
  [[nodiscard]] bool has_sequence_number() const noexcept { return (flags_and_version.value() & 0x1000U) != 0; }
  [[nodiscard]] unsigned version() const noexcept { return flags_and_version.value() & 7U; }
};
static_assert(WireStruct<GreHeader> && sizeof(GreHeader) == 4);

struct Erspan3Header {  // draft-foschiano-erspan 4.3
  be16 version_and_vlan, class_and_session;
  be32 timestamp;
  be16 security_group, frame_and_hardware;  // P, 5 bits frame type, 6 hardware, D, 2 granularity, O

  [[nodiscard]] bool carries_ethernet() const noexcept { return (frame_and_hardware.value() & 0x7C00U) == 0; }
  [[nodiscard]] bool has_subheader() const noexcept { return (frame_and_hardware.value() & 1U) != 0; }
};
static_assert(WireStruct<Erspan3Header> && sizeof(Erspan3Header) == 12);

struct EtherIpHeader {  // RFC 3378 2
  be16 version_and_reserved;

  [[nodiscard]] unsigned version() const noexcept { return version_and_reserved.value() >> 12U; }
};
static_assert(WireStruct<EtherIpHeader> && sizeof(EtherIpHeader) == 2);

struct VxlanHeader {  // RFC 7348 5
  std::uint8_t flags, reserved[3], network_identifier[3], reserved_last;

  [[nodiscard]] bool has_identifier() const noexcept { return (flags & 0x08U) != 0; }  // MUST be set
};
static_assert(WireStruct<VxlanHeader> && sizeof(VxlanHeader) == 8);

struct GeneveHeader {  // RFC 8926 3.4
  std::uint8_t version_and_length, flags;
  be16 protocol;
  std::uint8_t network_identifier[3], reserved;

  [[nodiscard]] unsigned version() const noexcept { return version_and_length >> 6U; }
  [[nodiscard]] std::uint32_t options_octets() const noexcept { return (version_and_length & 0x3FU) * 4U; }
};
static_assert(WireStruct<GeneveHeader> && sizeof(GeneveHeader) == 8);

struct GtpuHeader {  // 3GPP TS 29.281 5.1
  std::uint8_t flags, message_type;
  be16 length;  // of what follows these eight octets
  be32 tunnel_endpoint;

  // Version 1, protocol type GTP, a user packet inside.
  [[nodiscard]] bool carries_packet() const noexcept { return (flags & 0xF0U) == 0x30U && message_type == 0xFF; }
  [[nodiscard]] bool has_optional() const noexcept { return (flags & 0x07U) != 0; }  // any of E, S, PN: all four octets
  [[nodiscard]] bool has_extension() const noexcept { return (flags & 0x04U) != 0; }  // E
};
static_assert(WireStruct<GtpuHeader> && sizeof(GtpuHeader) == 8);

struct GtpuOptional {  // 3GPP TS 29.281 5.1
  be16 sequence_number;
  std::uint8_t npdu_number, next_extension;
};
static_assert(WireStruct<GtpuOptional> && sizeof(GtpuOptional) == 4);

struct TeredoAuthentication {  // RFC 4380 5.1.1; the identifier, the value, 8 octets nonce and 1 confirmation follow
  be16 indicator;              // 1
  std::uint8_t identifier_length, authentication_length;

  [[nodiscard]] std::uint32_t header_octets() const noexcept { return 13U + identifier_length + authentication_length; }
};
static_assert(WireStruct<TeredoAuthentication> && sizeof(TeredoAuthentication) == 4);

namespace tunnel_port {  // UDP, IANA registry; 8472 is what Linux used before 4789 was assigned
inline constexpr std::uint16_t kGtpu = 2152, kTeredo = 3544, kVxlan = 4789, kGeneve = 6081, kOldVxlan = 8472;
}  // namespace tunnel_port

}  // namespace whiteowl
