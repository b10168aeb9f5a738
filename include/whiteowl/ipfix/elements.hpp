// SPDX-License-Identifier: Apache-2.0
// THE TABLE of exported Information Elements.  Adding a field to the export is adding a row here; nothing else in the
// program names one: templates, records, JSON, --list-fields and the check of export.fields are derived.
// The order of the rows is the order of the fields in the standard and extended templates.  An id, once released, keeps
// its meaning and its length for ever.  Ids of IANA: https://www.iana.org/assignments/ipfix.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "whiteowl/ipfix/element.hpp"

namespace whiteowl {

namespace table {

using enum Semantics;
using R = const FlowRecord&;
using S = FieldSet;
using C = Carried;
using U = Unit;

template <typename Get>
constexpr Element iana(std::string_view name, std::uint16_t id, FieldSet set, Carried carried, Semantics semantics,
                       Unit unit, std::string_view meaning, Get get) {
  return element(name, Registry::iana, id, set, carried, semantics, unit, meaning, get);
}
template <typename Get>
constexpr Element ours(std::string_view name, std::uint16_t id, FieldSet set, Carried carried, Semantics semantics,
                       Unit unit, std::string_view meaning, Get get) {
  return element(name, Registry::ours, id, set, carried, semantics, unit, meaning, get);
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

}  // namespace table

// clang-format off
inline constexpr std::array kElements = {
    table::iana("sourceIPv4Address", 8, table::S::standard, table::C::ipv4, table::identifier, table::U::none,
                "Source address of the packets.", [](table::R r) { return table::ipv4(r.source_address); }),
    table::iana("sourceIPv6Address", 27, table::S::standard, table::C::ipv6, table::identifier, table::U::none,
                "Source address of the packets.", [](table::R r) { return r.source_address; }),
    table::iana("destinationIPv4Address", 12, table::S::standard, table::C::ipv4, table::identifier, table::U::none,
                "Destination address of the packets.", [](table::R r) { return table::ipv4(r.destination_address); }),
    table::iana("destinationIPv6Address", 28, table::S::standard, table::C::ipv6, table::identifier, table::U::none,
                "Destination address of the packets.", [](table::R r) { return r.destination_address; }),
    table::iana("sourceTransportPort", 7, table::S::standard, table::C::any, table::identifier, table::U::none,
                "Source port; 0 for protocols without ports.", [](table::R r) { return r.source_port; }),
    table::iana("destinationTransportPort", 11, table::S::standard, table::C::any, table::identifier, table::U::none,
                "Destination port; ICMP: type x 256 + code.", [](table::R r) { return r.destination_port; }),
    table::iana("protocolIdentifier", 4, table::S::standard, table::C::any, table::identifier, table::U::none,
                "IP protocol number.", [](table::R r) { return r.protocol; }),
    table::iana("packetDeltaCount", 2, table::S::standard, table::C::any, table::delta, table::U::packets,
                "Packets since the flow's previous record.", [](table::R r) { return r.packets; }),
    table::iana("octetDeltaCount", 1, table::S::standard, table::C::any, table::delta, table::U::octets,
                "IP octets, headers included, since the flow's previous record.", [](table::R r) { return r.octets; }),
    table::iana("sourceMacAddress", 56, table::S::standard, table::C::any, table::none, table::U::none,
                "Source MAC address of the record's first packet.", [](table::R r) { return r.source_mac; }),
    table::iana("destinationMacAddress", 80, table::S::standard, table::C::any, table::none, table::U::none,
                "Destination MAC address of the record's first packet.", [](table::R r) { return r.destination_mac; }),
    // One octet: reduced-size encoding (RFC 7011 6.2) leaves out the bits above CWR.
    table::iana("tcpControlBits", 6, table::S::standard, table::C::any, table::flags, table::U::none,
                "TCP flags seen, FIN = 1 to CWR = 128, or-ed together.",
                [](table::R r) { return static_cast<std::uint8_t>(r.tcp_control_bits); }),
    table::iana("flowStartMilliseconds", 152, table::S::standard, table::C::any, table::none, table::U::milliseconds,
                "Smallest time stamp of the record's packets.", [](table::R r) { return to_milliseconds(r.start); }),
    table::iana("flowEndMilliseconds", 153, table::S::standard, table::C::any, table::none, table::U::milliseconds,
                "Largest time stamp of the record's packets.", [](table::R r) { return to_milliseconds(r.end); }),
    table::iana("ingressInterface", 10, table::S::standard, table::C::any, table::identifier, table::U::none,
                "Interface index as configured.", [](table::R r) { return r.ingress_interface; }),

    table::ours("min_rtt_us", 1, table::S::standard, table::C::tcp, table::quantity, table::U::microseconds,
                "Smallest TCP round-trip time; 0 = no sample.", [](table::R r) { return r.tcp.min_rtt_us; }),
    table::ours("max_rtt_us", 2, table::S::standard, table::C::tcp, table::quantity, table::U::microseconds,
                "Largest TCP round-trip time; 0 = no sample.", [](table::R r) { return r.tcp.max_rtt_us; }),
    table::ours("avg_rtt_us", 3, table::S::standard, table::C::tcp, table::quantity, table::U::microseconds,
                "Mean TCP round-trip time; 0 = no sample.", [](table::R r) { return r.tcp.avg_rtt_us; }),
    table::ours("retransmit_count", 4, table::S::standard, table::C::tcp, table::delta, table::U::packets,
                "Retransmitted TCP segments.", [](table::R r) { return r.tcp.retransmit_count; }),
    table::ours("min_tcp_window", 5, table::S::standard, table::C::tcp, table::quantity, table::U::octets,
                "Smallest advertised TCP window, as in the header.", [](table::R r) { return r.tcp.min_tcp_window; }),
    table::ours("max_tcp_window", 6, table::S::standard, table::C::tcp, table::quantity, table::U::octets,
                "Largest advertised TCP window, as in the header.", [](table::R r) { return r.tcp.max_tcp_window; }),

    table::iana("flowEndReason", 136, table::S::extended, table::C::any, table::identifier, table::U::none,
                "Why the record ended: 1 idle, 2 active timeout, 3 end of flow, 4 forced, 5 lack of resources.",
                [](table::R r) { return static_cast<std::uint8_t>(r.end_reason); }),
    table::iana("flowId", 148, table::S::extended, table::C::any, table::identifier, table::U::none,
                "Number of the flow, the same in all its records; own for each direction.",
                [](table::R r) { return r.flow_id; }),
    table::iana("flowDirection", 61, table::S::extended, table::C::any, table::identifier, table::U::none,
                "0 towards this host's interface, 1 away from it.", [](table::R r) { return r.flow_direction; }),
    table::iana("biflowDirection", 239, table::S::extended, table::C::any, table::identifier, table::U::none,
                "0 not known, 1 the source opened the conversation, 2 the destination did.",
                [](table::R r) { return static_cast<std::uint8_t>(r.biflow_direction); }),
    table::iana("ipClassOfService", 5, table::S::extended, table::C::any, table::identifier, table::U::none,
                "IPv4 type of service or IPv6 traffic class of the first packet.",
                [](table::R r) { return r.traffic_class; }),
    table::iana("minimumTTL", 52, table::S::extended, table::C::any, table::none, table::U::hops,
                "Smallest time to live or hop limit.", [](table::R r) { return r.min_ttl; }),
    table::iana("maximumTTL", 53, table::S::extended, table::C::any, table::none, table::U::hops,
                "Largest time to live or hop limit.", [](table::R r) { return r.max_ttl; }),
    table::iana("vlanId", 58, table::S::extended, table::C::any, table::identifier, table::U::none,
                "Outer VLAN of the first packet; 0 = none.", [](table::R r) { return r.vlan_id; }),
    table::iana("dot1qCustomerVlanId", 245, table::S::extended, table::C::any, table::identifier, table::U::none,
                "Inner VLAN of the first packet; 0 = none.", [](table::R r) { return r.customer_vlan_id; }),
    table::iana("mplsTopLabelStackSection", 70, table::S::extended, table::C::any, table::none, table::U::none,
                "Topmost MPLS label, class and bottom bits of the first packet; 0 = none.",
                [](table::R r) { return table::mpls(r.mpls_label); }),
    table::iana("icmpTypeCodeIPv4", 32, table::S::extended, table::C::icmp_ipv4, table::identifier, table::U::none,
                "ICMP type x 256 + code.", [](table::R r) { return r.destination_port; }),
    table::iana("icmpTypeCodeIPv6", 139, table::S::extended, table::C::icmp_ipv6, table::identifier, table::U::none,
                "ICMPv6 type x 256 + code.", [](table::R r) { return r.destination_port; }),
    table::iana("egressInterface", 14, table::S::extended, table::C::any, table::identifier, table::U::none,
                "Interface index on the far side; 0 = not known.", [](table::R r) { return r.egress_interface; }),
};
// clang-format on

// Elements that say the same of IPv4 and of IPv6: who names one in export.fields gets the other where it applies.
struct ElementPair {
  std::string_view ipv4, ipv6;
};
inline constexpr std::array<ElementPair, 3> kElementPairs = {{{"sourceIPv4Address", "sourceIPv6Address"},
                                                              {"destinationIPv4Address", "destinationIPv6Address"},
                                                              {"icmpTypeCodeIPv4", "icmpTypeCodeIPv6"}}};

// Null when there is none of that name.
[[nodiscard]] const Element* find_element(std::string_view name) noexcept;
// Whether export.fields can be this list: empty, or one line that says what is wrong and names the nearest right name.
[[nodiscard]] std::string check_fields(const std::vector<std::string>& fields);
// The table as text for --list-fields: name, PEN/id, type, octets, meaning; ours with PEN `enterprise_number`.
[[nodiscard]] std::string list_fields(std::uint32_t enterprise_number = 99999);

}  // namespace whiteowl
