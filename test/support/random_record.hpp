// SPDX-License-Identifier: Apache-2.0
// Flow Records with any values at all, the same for the same generator state.
#pragma once

#include <cstdint>
#include <random>

#include "whiteowl/flow/record.hpp"

namespace whiteowl {

inline FlowRecord random_record(std::mt19937_64& random) {
  const auto octet = [&] { return static_cast<std::uint8_t>(random()); };
  FlowRecord r;
  const bool extreme = random() % 8 == 0;
  const auto number = [&]<typename T>(T) -> T {
    return extreme ? static_cast<T>(random() % 2 == 0 ? 0 : ~std::uint64_t{0}) : static_cast<T>(random());
  };
  r.ip_version = random() % 2 == 0 ? 4 : 6;
  for (std::size_t i = 0; i < (r.ip_version == 4 ? 4U : 16U); ++i) {
    r.source_address.octets[i] = octet();
    r.destination_address.octets[i] = octet();
  }
  for (std::size_t i = 0; i < 6; ++i) {
    r.source_mac.octets[i] = octet();
    r.destination_mac.octets[i] = octet();
  }
  r.packets = number(r.packets);
  r.octets = number(r.octets);
  r.flow_id = number(r.flow_id);
  r.start = Timestamp{Duration{static_cast<std::int64_t>(random() >> 1U)}};
  r.end = r.start + Duration{static_cast<std::int64_t>(random() % 1'000'000)};
  r.ingress_interface = number(r.ingress_interface);
  r.egress_interface = number(r.egress_interface);
  r.mpls_label = random() % 3 == 0 ? 0xFFFFFFFFU : static_cast<std::uint32_t>(random() & 0xFFFFFFU);
  r.source_port = number(r.source_port);
  r.destination_port = number(r.destination_port);
  r.vlan_id = static_cast<std::uint16_t>(random() & 0xFFFU);
  r.customer_vlan_id = static_cast<std::uint16_t>(random() & 0xFFFU);
  r.tcp_control_bits = static_cast<std::uint16_t>(random() & 0x1FFU);
  constexpr std::uint8_t kProtocols[] = {6, 6, 17, 1, 58, 132, 255};
  r.protocol = kProtocols[random() % 7];
  r.traffic_class = octet();
  r.min_ttl = octet();
  r.max_ttl = octet();
  r.end_reason = static_cast<FlowEndReason>(1 + random() % 5);
  r.biflow_direction = static_cast<BiflowDirection>(random() % 4);
  r.flow_direction = static_cast<std::uint8_t>(random() % 2);
  r.tunnel_type = static_cast<TunnelType>(random() % 6);
  r.tunnel_id = r.tunnel_type == TunnelType::none ? 0 : number(r.tunnel_id) & 0xFFFFFFU;
  if (r.protocol == 6) {
    TcpExtendedFields& x = r.tcp_extended;
    x.retransmit_octets = number(x.retransmit_octets);
    x.response_sum_us = number(x.response_sum_us);
    x.unseen_octets = number(x.unseen_octets);
    x.unique_octets = number(x.unique_octets);
    x.tcp_options = number(x.tcp_options);
    x.rtt_sample_count = number(x.rtt_sample_count);
    x.smoothed_rtt_us = number(x.smoothed_rtt_us);
    x.rtt_variation_us = number(x.rtt_variation_us);
    x.handshake_rtt_us = number(x.handshake_rtt_us);
    x.handshake_total_us = number(x.handshake_total_us);
    x.ts_min_rtt_us = number(x.ts_min_rtt_us);
    x.retransmit_fast_count = number(x.retransmit_fast_count);
    x.retransmit_timeout_count = number(x.retransmit_timeout_count);
    x.out_of_order_count = number(x.out_of_order_count);
    x.duplicate_packet_count = number(x.duplicate_packet_count);
    x.duplicate_ack_count = number(x.duplicate_ack_count);
    x.zero_window_us = number(x.zero_window_us);
    x.min_scaled_window = number(x.min_scaled_window);
    x.max_scaled_window = number(x.max_scaled_window);
    x.ecn_ce_count = number(x.ecn_ce_count);
    x.ecn_ece_count = number(x.ecn_ece_count);
    x.response_count = number(x.response_count);
    x.response_max_us = number(x.response_max_us);
    x.max_in_flight_octets = number(x.max_in_flight_octets);
    x.retransmit_spurious_count = number(x.retransmit_spurious_count);
    x.dsack_count = number(x.dsack_count);
    x.syn_retransmit_count = number(x.syn_retransmit_count);
    x.keepalive_count = number(x.keepalive_count);
    x.zero_window_count = number(x.zero_window_count);
    x.zero_window_probe_count = number(x.zero_window_probe_count);
    x.ecn_cwr_count = number(x.ecn_cwr_count);
    x.tcp_mss = number(x.tcp_mss);
    x.quality = number(x.quality);
    x.tcp_state = number(x.tcp_state);
    x.tcp_window_scale = number(x.tcp_window_scale);
    r.tcp = {number(r.tcp.min_rtt_us),       number(r.tcp.max_rtt_us),     number(r.tcp.avg_rtt_us),
             number(r.tcp.retransmit_count), number(r.tcp.min_tcp_window), number(r.tcp.max_tcp_window)};
  }
  return r;
}

}  // namespace whiteowl
