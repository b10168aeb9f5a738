// SPDX-License-Identifier: Apache-2.0
// THE TABLE of exported Information Elements.  Adding a field to the export is adding a row here; nothing else in the
// program names one: templates, records, JSON, --list-fields and the check of export.fields are derived.
// The order of the rows is the order of the fields in the standard and extended templates.  An id, once released, keeps
// its meaning and its length for ever.  Ids of IANA: https://www.iana.org/assignments/ipfix.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "whiteowl/ipfix/element.hpp"

namespace whiteowl {

namespace table {

using enum Semantics;
using enum Kind;
using R = const FlowRecord&;
using S = FieldSet;
using C = Carried;
using U = Unit;

template <typename Get>
constexpr Element iana(std::string_view name, std::uint16_t id, FieldSet set, Carried carried, Kind kind,
                       Semantics semantics, Unit unit, std::string_view meaning, Get get) {
  return element(name, Registry::iana, id, set, carried, kind, semantics, unit, meaning, get);
}
template <typename Get>
constexpr Element ours(std::string_view name, std::uint16_t id, FieldSet set, Carried carried, Kind kind,
                       Semantics semantics, Unit unit, std::string_view meaning, Get get) {
  return element(name, Registry::ours, id, set, carried, kind, semantics, unit, meaning, get);
}
// One of ours that only the extended set meters: of TCP, each in a member of TcpExtendedFields.
template <typename Get>
constexpr Element tcp(std::string_view name, std::uint16_t id, Kind kind, Semantics semantics, Unit unit,
                      std::string_view meaning, Get get) {
  return ours(name, id, FieldSet::extended, Carried::tcp, kind, semantics, unit, meaning, get);
}

constexpr Ipv4Address ipv4(const Ipv6Address& address) noexcept {
  const auto& o = address.octets;
  return {{o[0], o[1], o[2], o[3]}};
}
constexpr MplsLabel mpls(std::uint32_t label) noexcept {
  if (label == Packet::kNoMplsLabel) return {};
  return {{static_cast<std::uint8_t>(label >> 16U), static_cast<std::uint8_t>(label >> 8U),
           static_cast<std::uint8_t>(label)}};
}

// Only the encapsulations that the registry has a number for; its other octets are zero.
constexpr std::uint64_t segment(const FlowRecord& r) noexcept {
  if (r.tunnel_type == TunnelType::vxlan) return std::uint64_t{1} << 56U | r.tunnel_id;
  if (r.tunnel_type == TunnelType::nvgre) return std::uint64_t{2} << 56U | r.tunnel_id;
  return 0;
}

// clang-format off
inline constexpr std::array kRows = {
    iana("sourceIPv4Address", 8, S::standard, C::ipv4, key, identifier, U::none,
         "Source address of the packets.", [](R r) { return ipv4(r.source_address); }),
    iana("sourceIPv6Address", 27, S::standard, C::ipv6, key, identifier, U::none,
         "Source address of the packets.", [](R r) { return r.source_address; }),
    iana("destinationIPv4Address", 12, S::standard, C::ipv4, key, identifier, U::none,
         "Destination address of the packets.", [](R r) { return ipv4(r.destination_address); }),
    iana("destinationIPv6Address", 28, S::standard, C::ipv6, key, identifier, U::none,
         "Destination address of the packets.", [](R r) { return r.destination_address; }),
    iana("sourceTransportPort", 7, S::standard, C::any, key, identifier, U::none,
         "Source port; 0 for protocols without ports.", [](R r) { return r.source_port; }),
    iana("destinationTransportPort", 11, S::standard, C::any, key, identifier, U::none,
         "Destination port; ICMP: type x 256 + code.", [](R r) { return r.destination_port; }),
    iana("protocolIdentifier", 4, S::standard, C::any, key, identifier, U::none,
         "IP protocol number.", [](R r) { return r.protocol; }),
    iana("packetDeltaCount", 2, S::standard, C::any, count, delta, U::packets,
         "Packets since the flow's previous record.", [](R r) { return r.packets; }),
    iana("octetDeltaCount", 1, S::standard, C::any, count, delta, U::octets,
         "IP octets, headers included, since the flow's previous record.", [](R r) { return r.octets; }),
    iana("sourceMacAddress", 56, S::standard, C::any, attribute, none, U::none,
         "Source MAC address of the record's first packet.", [](R r) { return r.source_mac; }),
    iana("destinationMacAddress", 80, S::standard, C::any, attribute, none, U::none,
         "Destination MAC address of the record's first packet.", [](R r) { return r.destination_mac; }),
    // One octet: reduced-size encoding (RFC 7011 6.2) leaves out the bits above CWR.
    iana("tcpControlBits", 6, S::standard, C::any, extreme, flags, U::none,
         "TCP flags seen, FIN = 1 to CWR = 128, or-ed together.",
         [](R r) { return static_cast<std::uint8_t>(r.tcp_control_bits); }),
    iana("flowStartMilliseconds", 152, S::standard, C::any, extreme, none, U::milliseconds,
         "Smallest time stamp of the record's packets.", [](R r) { return to_milliseconds(r.start); }),
    iana("flowEndMilliseconds", 153, S::standard, C::any, extreme, none, U::milliseconds,
         "Largest time stamp of the record's packets.", [](R r) { return to_milliseconds(r.end); }),
    iana("ingressInterface", 10, S::standard, C::any, attribute, identifier, U::none,
         "Interface index as configured.", [](R r) { return r.ingress_interface; }),

    ours("min_rtt_us", 1, S::standard, C::tcp, extreme, quantity, U::microseconds,
         "Smallest round-trip time between the probe and the destination; 0 = no sample.",
         [](R r) { return r.tcp.min_rtt_us; }),
    ours("max_rtt_us", 2, S::standard, C::tcp, extreme, quantity, U::microseconds,
         "Largest of the same; 0 = no sample.", [](R r) { return r.tcp.max_rtt_us; }),
    ours("avg_rtt_us", 3, S::standard, C::tcp, extreme, quantity, U::microseconds,
         "Mean of the same; 0 = no sample.", [](R r) { return r.tcp.avg_rtt_us; }),
    ours("retransmit_count", 4, S::standard, C::tcp, count, delta, U::packets,
         "Segments that begin below the highest sequence number seen before.",
         [](R r) { return r.tcp.retransmit_count; }),
    ours("min_tcp_window", 5, S::standard, C::tcp, extreme, quantity, U::octets,
         "Smallest advertised TCP window, as in the header.", [](R r) { return r.tcp.min_tcp_window; }),
    ours("max_tcp_window", 6, S::standard, C::tcp, extreme, quantity, U::octets,
         "Largest advertised TCP window, as in the header.", [](R r) { return r.tcp.max_tcp_window; }),

    iana("flowEndReason", 136, S::extended, C::any, attribute, identifier, U::none,
         "Why the record ended: 1 idle, 2 active timeout, 3 end of flow, 4 forced, 5 lack of resources.",
         [](R r) { return static_cast<std::uint8_t>(r.end_reason); }),
    iana("flowId", 148, S::extended, C::any, attribute, identifier, U::none,
         "Number of the flow, the same in all its records; own for each direction.", [](R r) { return r.flow_id; }),
    iana("flowDirection", 61, S::extended, C::any, attribute, identifier, U::none,
         "0 towards this host's interface, 1 away from it.", [](R r) { return r.flow_direction; }),
    iana("biflowDirection", 239, S::extended, C::any, attribute, identifier, U::none,
         "0 not known, 1 the source opened the conversation, 2 the destination did.",
         [](R r) { return static_cast<std::uint8_t>(r.biflow_direction); }),
    iana("ipClassOfService", 5, S::extended, C::any, attribute, identifier, U::none,
         "IPv4 type of service or IPv6 traffic class of the first packet.", [](R r) { return r.traffic_class; }),
    iana("minimumTTL", 52, S::extended, C::any, extreme, none, U::hops,
         "Smallest time to live or hop limit.", [](R r) { return r.min_ttl; }),
    iana("maximumTTL", 53, S::extended, C::any, extreme, none, U::hops,
         "Largest time to live or hop limit.", [](R r) { return r.max_ttl; }),
    iana("vlanId", 58, S::extended, C::any, attribute, identifier, U::none,
         "Outer VLAN of the first packet; 0 = none.", [](R r) { return r.vlan_id; }),
    iana("dot1qCustomerVlanId", 245, S::extended, C::any, attribute, identifier, U::none,
         "Inner VLAN of the first packet; 0 = none.", [](R r) { return r.customer_vlan_id; }),
    iana("mplsTopLabelStackSection", 70, S::extended, C::any, attribute, none, U::none,
         "Topmost MPLS label, class and bottom bits of the first packet; 0 = none.",
         [](R r) { return mpls(r.mpls_label); }),
    iana("icmpTypeCodeIPv4", 32, S::extended, C::icmp_ipv4, key, identifier, U::none,
         "ICMP type x 256 + code.", [](R r) { return r.destination_port; }),
    iana("icmpTypeCodeIPv6", 139, S::extended, C::icmp_ipv6, key, identifier, U::none,
         "ICMPv6 type x 256 + code.", [](R r) { return r.destination_port; }),
    iana("egressInterface", 14, S::extended, C::any, attribute, identifier, U::none,
         "Interface index that the packets leave by; 0 = not known.",
         [](R r) { return r.egress_interface; }),

    iana("layer2SegmentId", 351, S::extended, C::any, attribute, identifier, U::none,
         "VXLAN network (1 in the highest octet) or NVGRE subnet (2) of the first packet, in the lowest three "
         "octets; 0 = none.",
         [](R r) { return segment(r); }),
    iana("gtpuTEid", 507, S::extended, C::any, attribute, identifier, U::none,
         "Tunnel endpoint identifier of the first packet's GTP-U header; 0 = none.",
         [](R r) { return r.tunnel_type == TunnelType::gtpu ? r.tunnel_id : 0U; }),
    ours("tunnel_type", 140, S::extended, C::any, attribute, identifier, U::none,
         "Tunnel around the first packet: 0 none, 1 VXLAN, 2 NVGRE, 3 GENEVE, 4 GTP-U, 5 GRE with a key.",
         [](R r) { return static_cast<std::uint8_t>(r.tunnel_type); }),
    ours("tunnel_id", 141, S::extended, C::any, attribute, identifier, U::none,
         "Its number: VXLAN or GENEVE network, NVGRE subnet, GTP-U endpoint, GRE key; 0 = none.",
         [](R r) { return r.tunnel_id; }),

    iana("tcpOptions", 209, S::extended, C::tcp, extreme, flags, U::none,
         "TCP options seen: bit k, of value 2^k, for option kind k.", [](R r) { return r.tcp_extended.tcp_options; }),
    iana("tcpWindowScale", 238, S::extended, C::tcp, attribute, none, U::none,
         "Window scale shift of the source's SYN; 0 = none or not seen.",
         [](R r) { return std::uint16_t{r.tcp_extended.tcp_window_scale}; }),
    tcp("rtt_sample_count", 107, count, delta, U::none,
        "Samples behind min_rtt_us, max_rtt_us and avg_rtt_us.", [](R r) { return r.tcp_extended.rtt_sample_count; }),
    tcp("smoothed_rtt_us", 108, estimate, quantity, U::microseconds,
        "Smoothed round-trip time (SRTT of RFC 6298) to the destination.",
        [](R r) { return r.tcp_extended.smoothed_rtt_us; }),
    tcp("rtt_variation_us", 109, estimate, quantity, U::microseconds,
        "Its variation (RTTVAR of RFC 6298): the jitter.", [](R r) { return r.tcp_extended.rtt_variation_us; }),
    tcp("handshake_rtt_us", 110, attribute, quantity, U::microseconds,
        "Handshake time to the destination: SYN to SYN-ACK, or SYN-ACK to ACK in the answering direction.",
        [](R r) { return r.tcp_extended.handshake_rtt_us; }),
    tcp("handshake_total_us", 111, attribute, quantity, U::microseconds,
        "Both halves of the handshake, or SYN to third packet when one direction is seen; the same in both records.",
        [](R r) { return r.tcp_extended.handshake_total_us; }),
    tcp("ts_min_rtt_us", 112, extreme, quantity, U::microseconds,
        "Smallest time from a TCP timestamp to its echo, echoes in pure ACKs included.",
        [](R r) { return r.tcp_extended.ts_min_rtt_us; }),
    tcp("retransmit_octets", 113, count, delta, U::octets,
        "Payload of retransmitted, not reordered, segments below the highest octet seen.",
        [](R r) { return r.tcp_extended.retransmit_octets; }),
    tcp("retransmit_fast_count", 114, count, delta, U::packets,
        "Retransmissions with evidence of duplicate ACKs or SACK, or within fast recovery.",
        [](R r) { return r.tcp_extended.retransmit_fast_count; }),
    tcp("retransmit_timeout_count", 115, count, delta, U::none,
        "Retransmission timeouts: repeats after silence, and repeated SYNs.",
        [](R r) { return r.tcp_extended.retransmit_timeout_count; }),
    tcp("retransmit_spurious_count", 116, count, delta, U::packets,
        "Retransmissions of octets whose acknowledgment had passed already.",
        [](R r) { return r.tcp_extended.retransmit_spurious_count; }),
    tcp("dsack_count", 117, count, delta, U::none,
        "Duplicate SACKs for this direction's data: repeats that the receiver proved needless.",
        [](R r) { return r.tcp_extended.dsack_count; }),
    tcp("out_of_order_count", 118, count, delta, U::packets,
        "Segments reordered before the probe; retransmit_count less these are retransmissions.",
        [](R r) { return r.tcp_extended.out_of_order_count; }),
    tcp("duplicate_packet_count", 119, count, delta, U::packets,
        "Packets that were captured twice.", [](R r) { return r.tcp_extended.duplicate_packet_count; }),
    tcp("duplicate_ack_count", 120, count, delta, U::packets,
        "Duplicate ACKs sent in this direction.", [](R r) { return r.tcp_extended.duplicate_ack_count; }),
    tcp("syn_retransmit_count", 121, count, delta, U::packets,
        "Repeated SYNs or SYN-ACKs.", [](R r) { return r.tcp_extended.syn_retransmit_count; }),
    tcp("keepalive_count", 122, count, delta, U::packets,
        "Keep-alive probes of one octet.", [](R r) { return r.tcp_extended.keepalive_count; }),
    tcp("zero_window_count", 123, count, delta, U::none,
        "How often the advertised window went to 0.", [](R r) { return r.tcp_extended.zero_window_count; }),
    tcp("zero_window_us", 124, count, delta, U::microseconds,
        "Time for which the advertised window was 0.", [](R r) { return r.tcp_extended.zero_window_us; }),
    tcp("zero_window_probe_count", 125, count, delta, U::packets,
        "Probes sent into a window of 0.", [](R r) { return r.tcp_extended.zero_window_probe_count; }),
    tcp("min_scaled_window", 126, extreme, quantity, U::octets,
        "Smallest advertised window, scaled; SYN and RST excluded.",
        [](R r) { return r.tcp_extended.min_scaled_window; }),
    tcp("max_scaled_window", 127, extreme, quantity, U::octets,
        "Largest advertised window, scaled; SYN and RST excluded.",
        [](R r) { return r.tcp_extended.max_scaled_window; }),
    tcp("tcp_mss", 128, attribute, quantity, U::octets,
        "Maximum segment size of the source's SYN.", [](R r) { return r.tcp_extended.tcp_mss; }),
    tcp("ecn_ce_count", 129, count, delta, U::packets,
        "Packets marked Congestion Experienced in the IP header.", [](R r) { return r.tcp_extended.ecn_ce_count; }),
    tcp("ecn_ece_count", 130, count, delta, U::packets,
        "Segments with ECE outside SYNs.", [](R r) { return r.tcp_extended.ecn_ece_count; }),
    tcp("ecn_cwr_count", 131, count, delta, U::packets,
        "Segments with CWR outside SYNs.", [](R r) { return r.tcp_extended.ecn_cwr_count; }),
    tcp("response_count", 132, count, delta, U::none,
        "Answers of the destination to requests of the client.", [](R r) { return r.tcp_extended.response_count; }),
    tcp("response_sum_us", 133, count, delta, U::microseconds,
        "Sum of the response times: last octet of a request to first octet of its answer.",
        [](R r) { return r.tcp_extended.response_sum_us; }),
    tcp("response_max_us", 134, extreme, quantity, U::microseconds,
        "Longest response time.", [](R r) { return r.tcp_extended.response_max_us; }),
    tcp("unseen_octets", 135, count, delta, U::octets,
        "Payload acknowledged but never seen: lost by the capture, or on another path.",
        [](R r) { return r.tcp_extended.unseen_octets; }),
    tcp("unique_octets", 136, count, delta, U::octets,
        "Payload seen for the first time: goodput.", [](R r) { return r.tcp_extended.unique_octets; }),
    tcp("max_in_flight_octets", 137, extreme, quantity, U::octets,
        "Most payload sent and not yet acknowledged.", [](R r) { return r.tcp_extended.max_in_flight_octets; }),
    tcp("tcp_state", 138, attribute, identifier, U::none,
        "0 new, 1 SYN sent, 2 SYN-ACK seen, 3 established, 4 FIN wait, 5 closed.",
        [](R r) { return r.tcp_extended.tcp_state; }),
    tcp("tcp_quality", 139, attribute, flags, U::none,
        "Bits from 0: midstream, one-way, copies, capture loss, hole overflow, timestamp sample, ambiguous "
        "handshake, RST by source, by destination, SYN seen, FIN by source, by destination, super-segments, SACK, "
        "timestamps, initiator.",
        [](R r) { return r.tcp_extended.quality; }),
};
// clang-format on

}  // namespace table

inline constexpr const auto& kElements = table::kRows;

// Elements that say the same of IPv4 and of IPv6: who names one in export.fields gets the other where it applies.
struct ElementPair {
  std::string_view ipv4, ipv6;
};
inline constexpr std::array<ElementPair, 3> kElementPairs = {{{"sourceIPv4Address", "sourceIPv6Address"},
                                                              {"destinationIPv4Address", "destinationIPv6Address"},
                                                              {"icmpTypeCodeIPv4", "icmpTypeCodeIPv6"}}};

// What is said once of a Biflow, beside the key: the source's end of it, or the whole.
inline constexpr std::array<std::string_view, 16> kOnceInBiflow = {"sourceMacAddress", "destinationMacAddress",
                                                                   "ingressInterface", "egressInterface",
                                                                   "flowEndReason",    "flowId",
                                                                   "flowDirection",    "biflowDirection",
                                                                   "vlanId",           "dot1qCustomerVlanId",
                                                                   "layer2SegmentId",  "tunnel_type",
                                                                   "tunnel_id",        "handshake_total_us",
                                                                   "gtpuTEid",         "mplsTopLabelStackSection"};
[[nodiscard]] constexpr Reversal reversal_of(const Element& row) noexcept {
  const bool once = std::find(kOnceInBiflow.begin(), kOnceInBiflow.end(), row.name) != kOnceInBiflow.end();
  return row.kind == Kind::key || once ? Reversal::once : Reversal::both;
}

// Null when there is none of that name.
[[nodiscard]] const Element* find_element(std::string_view name) noexcept;
// Whether export.fields can name this: empty, or one line that names the nearest right name.
[[nodiscard]] std::string check_field(const std::string& name);
// Whether export.fields can be this list: empty, or one line that says what is wrong and names the nearest right name.
[[nodiscard]] std::string check_fields(const std::vector<std::string>& fields);
// IANA's name of the data type: unsigned32 and so on.
[[nodiscard]] std::string_view type_name(DataType type) noexcept;
// "octets", "us"; "-" for none.
[[nodiscard]] std::string_view unit_name(Unit unit) noexcept;
// K, C, X, E or A.
[[nodiscard]] char kind_letter(Kind kind) noexcept;
// The meaning with its unit and kind, in one sentence: what RFC 5610 calls the element's description.
[[nodiscard]] std::string description(const Element& element);
// The table as text for --list-fields: name, PEN/id, type, octets, unit, kind, meaning; ours with PEN
// `enterprise_number`.
[[nodiscard]] std::string list_fields(std::uint32_t enterprise_number = 99999);

}  // namespace whiteowl
