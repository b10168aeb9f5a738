// SPDX-License-Identifier: Apache-2.0
// A Flow Record (RFC 7011 2): exactly what can be exported of one direction of a conversation and one interval.
#pragma once

#include <cstdint>
#include <type_traits>

#include "whiteowl/base/address.hpp"
#include "whiteowl/base/time.hpp"
#include "whiteowl/tcp/meter.hpp"

namespace whiteowl {

// flowEndReason, IANA IE 136.
enum class FlowEndReason : std::uint8_t {
  idle_timeout = 1,
  active_timeout = 2,
  end_of_flow = 3,
  forced_end = 4,
  lack_of_resources = 5
};

// biflowDirection, IANA IE 239 (RFC 5103 6.3): what the source of this record's flow was chosen by.
enum class BiflowDirection : std::uint8_t { arbitrary = 0, initiator = 1, reverse_initiator = 2, perimeter = 3 };

// All numbers in host order; addresses in network order.  Trivially copyable: it crosses threads by one copy.
struct FlowRecord {
  Ipv6Address source_address, destination_address;  // the first 4 octets for IPv4, the rest zero
  std::uint64_t packets = 0;
  std::uint64_t octets = 0;                                   // IP octets
  Timestamp start{}, end{};                                   // smallest and largest stamp of the record's packets
  std::uint64_t flow_id = 0;                                  // stable over active timeouts, own for each direction
  MacAddress source_mac, destination_mac;                     // of the record's first packet
  std::uint32_t ingress_interface = 0, egress_interface = 0;  // as set; 0 = not known
  std::uint32_t mpls_label = 0;  // top label stack entry of the first packet, 24 bits; 0xFFFFFFFF = none
  std::uint32_t tunnel_id = 0;   // of the tunnel that the first packet was in; 0 = none
  std::uint16_t source_port = 0, destination_port = 0;  // ICMP: 0 and type x 256 + code
  std::uint16_t vlan_id = 0, customer_vlan_id = 0;      // of the first packet; 0 = none
  std::uint16_t tcp_control_bits = 0;
  std::uint8_t ip_version = 4;
  std::uint8_t protocol = 0;
  std::uint8_t traffic_class = 0;  // of the first packet
  std::uint8_t min_ttl = 0, max_ttl = 0;
  FlowEndReason end_reason = FlowEndReason::idle_timeout;
  BiflowDirection biflow_direction = BiflowDirection::arbitrary;
  std::uint8_t flow_direction = 0;  // IE 61: 0 ingress, 1 egress of the host
  TunnelType tunnel_type = TunnelType::none;
  bool mate_follows = false;       // FlowSettings::biflow: the next record of this meter is of the other direction
  TcpFields tcp;                   // all zero when TCP is not tracked or the flow is not TCP
  TcpExtendedFields tcp_extended;  // last: all zero unless the extended set is metered
};
static_assert(std::is_trivially_copyable_v<FlowRecord>);

}  // namespace whiteowl
