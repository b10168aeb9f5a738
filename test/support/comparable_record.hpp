// SPDX-License-Identifier: Apache-2.0
// Records as sorted tuples: two ways of metering the same packets must give the same ones, in whatever order.
#pragma once

#include <algorithm>
#include <tuple>
#include <vector>

#include "whiteowl/flow/record.hpp"

namespace whiteowl::test {

// What must agree, in an order of its own; flowId is compared apart.
inline auto comparable(const FlowRecord& r) {
  return std::tuple{r.source_address,
                    r.destination_address,
                    r.source_port,
                    r.destination_port,
                    r.protocol,
                    r.ip_version,
                    r.start.time_since_epoch().count(),
                    r.end.time_since_epoch().count(),
                    r.packets,
                    r.octets,
                    r.end_reason,
                    r.source_mac,
                    r.destination_mac,
                    r.tcp_control_bits,
                    r.traffic_class,
                    r.min_ttl,
                    r.max_ttl,
                    r.vlan_id,
                    r.biflow_direction,
                    r.ingress_interface,
                    r.tcp.min_rtt_us,
                    r.tcp.max_rtt_us,
                    r.tcp.avg_rtt_us,
                    r.tcp.retransmit_count,
                    r.tcp.min_tcp_window,
                    r.tcp.max_tcp_window};
}
using Comparable = decltype(comparable(FlowRecord{}));

inline std::vector<Comparable> sorted(const std::vector<FlowRecord>& records) {
  std::vector<Comparable> result;
  for (const FlowRecord& record : records) result.push_back(comparable(record));
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace whiteowl::test
