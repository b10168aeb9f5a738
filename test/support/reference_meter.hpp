// SPDX-License-Identifier: Apache-2.0
// The obvious slow Metering Process: maps, and a look at every conversation before every packet.  Linked into tests
// only. It decides by itself what a flow is, when a record ends and why, and what stands in it; the TCP figures come
// from the TCP meter, whose own reference is elsewhere.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "whiteowl/flow/record.hpp"
#include "whiteowl/flow/settings.hpp"
#include "whiteowl/packet/decode.hpp"
#include "whiteowl/tcp/meter.hpp"

namespace whiteowl::test {

class ReferenceMeter {
 public:
  ReferenceMeter(const FlowSettings& flow, const TcpSettings& tcp, const DecodeSettings& decode)
      : flow_{flow}, tcp_settings_{tcp}, decoder_{decode}, tcp_{tcp, 1, 100'000, Prefault::no} {}

  void observe(const Frame& frame) {
    clock_.advance(frame.time);
    expire(clock_.now());
    Packet packet;
    if (decoder_.decode(frame, packet) != Discard::none) {
      ++discarded;
      return;
    }
    count(packet);
  }
  void flush() {
    for (auto& [tuple, conversation] : conversations_) {
      for (unsigned d = 0; d < 2; ++d)
        finish(conversation, d, conversation.closed ? FlowEndReason::end_of_flow : FlowEndReason::forced_end);
    }
    conversations_.clear();
  }

  std::vector<FlowRecord> records;
  std::uint64_t discarded = 0;

 private:
  using End = std::tuple<Ipv6Address, std::uint16_t>;
  using Tuple = std::tuple<End, End, std::uint8_t, std::uint8_t,
                           std::uint16_t>;  // smaller end, larger end, version, protocol, VLAN

  struct Way {
    std::optional<FlowRecord> record;
    Duration opened{};
    std::optional<Duration> seen;
  };
  struct Conversation {
    Way way[2];  // 0: from the smaller end
    TcpConversation tcp{};
    unsigned initiator = 0;
    bool told = false;  // a record has said who it is
    bool closed = false;
    bool fin[2] = {false, false};
  };

  [[nodiscard]] static Ipv6Address address(const std::uint8_t* octets, std::uint8_t version) {
    Ipv6Address result;
    std::copy(octets, octets + (version == 4 ? 4 : 16), result.octets.begin());
    return result;
  }
  [[nodiscard]] static Duration last(const Conversation& c) {
    return std::max(c.way[0].seen.value_or(Duration::zero()), c.way[1].seen.value_or(Duration::zero()));
  }
  void finish(Conversation& c, unsigned d, FlowEndReason reason) {
    if (!c.way[d].record) return;
    FlowRecord record = *c.way[d].record;
    record.end_reason = reason;
    if (tcp_settings_.track && record.protocol == 6) {
      tcp_.take(c.tcp, d, record.end, record.tcp, record.tcp_extended);
      if (c.tcp.client != 0 && !c.told) c.initiator = c.tcp.client - 1U;
    }
    c.told = true;
    record.biflow_direction = c.initiator == d ? BiflowDirection::initiator : BiflowDirection::reverse_initiator;
    records.push_back(record);
    c.way[d].record.reset();
  }
  void expire(Duration now) {
    for (auto it = conversations_.begin(); it != conversations_.end();) {
      Conversation& c = it->second;
      const Duration over =
          last(c) + (c.closed ? std::min(tcp_settings_.close_linger, flow_.inactive_timeout) : flow_.inactive_timeout);
      for (unsigned d = 0; d < 2; ++d) {
        if (!c.way[d].record) continue;
        const Duration active = c.way[d].opened + flow_.active_timeout;
        const Duration idle = *c.way[d].seen + flow_.inactive_timeout;
        const Duration first = std::min(active, idle);
        if (c.closed && over <= first && over <= now)
          finish(c, d, FlowEndReason::end_of_flow);
        else if (active <= idle && active <= now)
          finish(c, d, FlowEndReason::active_timeout);
        else if (idle < active && idle <= now)
          finish(c, d, FlowEndReason::idle_timeout);
      }
      it = over <= now ? conversations_.erase(it) : std::next(it);
    }
  }
  void count(const Packet& packet) {
    const End source{address(packet.source_address, packet.ip_version), packet.source_port};
    const End destination{address(packet.destination_address, packet.ip_version), packet.destination_port};
    const bool one_way = packet.protocol == 1 || packet.protocol == 58;
    // Any order of the two ends will do: records name the ends, not their order.
    const bool swap = !one_way && destination < source;
    const std::uint16_t vlan = flow_.vlan_in_key ? packet.vlan_id : std::uint16_t{0};
    const Tuple tuple{swap ? destination : source, swap ? source : destination, packet.ip_version, packet.protocol,
                      vlan};
    const unsigned d = swap ? 1 : 0;
    const auto [it, fresh] = conversations_.try_emplace(tuple);
    Conversation& c = it->second;
    if (fresh) c.initiator = d;
    if (fresh) c.tcp.place = ++conversations_begun_;
    if (packet.protocol == 6) observe_tcp(c, d, packet, std::hash<std::uint64_t>{}(tuple_number(tuple)));
    Way& way = c.way[d];
    if (!way.record) {
      way.record = open(packet, std::get<0>(source), std::get<0>(destination));
      way.opened = clock_.now();
    }
    way.seen = clock_.now();
    FlowRecord& r = *way.record;
    r.packets += 1;
    r.octets += packet.ip_octets;
    r.start = std::min(r.start, packet.frame->time);
    r.end = std::max(r.end, packet.frame->time);
    r.min_ttl = std::min(r.min_ttl, packet.ttl);
    r.max_ttl = std::max(r.max_ttl, packet.ttl);
    if (packet.tcp != nullptr)
      r.tcp_control_bits = static_cast<std::uint16_t>(r.tcp_control_bits | packet.tcp->flags());
  }
  // A number of its own for each tuple, equal for both directions.
  std::uint64_t tuple_number(const Tuple& tuple) {
    return numbers_.try_emplace(tuple, 0x9E3779B97F4A7C15U * (numbers_.size() + 1)).first->second;
  }
  void observe_tcp(Conversation& c, unsigned d, const Packet& packet, std::uint64_t hash) {
    if (!tcp_settings_.track) {
      if (packet.tcp == nullptr || packet.fragment) return;
      if ((packet.tcp->flags() & 1U) != 0) c.fin[d] = true;
      if ((packet.tcp->flags() & 4U) != 0 || (c.fin[0] && c.fin[1])) c.closed = true;
      return;
    }
    if (packet.fragment) return tcp_.observe_fragment(c.tcp, d);
    if (packet.tcp == nullptr) return;
    if (tcp_.observe(c.tcp, d, packet, hash) == TcpVerdict::restart) {
      finish(c, 0, FlowEndReason::end_of_flow);
      finish(c, 1, FlowEndReason::end_of_flow);
      c.closed = false;
      c.initiator = d;
      c.told = false;
      tcp_.restart(c.tcp, d, packet, hash);
    }
    if (c.tcp.state == TcpState::closed) c.closed = true;
  }
  [[nodiscard]] FlowRecord open(const Packet& packet, const Ipv6Address& source, const Ipv6Address& destination) const {
    FlowRecord r;
    r.source_address = source;
    r.destination_address = destination;
    r.source_port = packet.source_port;
    r.destination_port = packet.destination_port;
    r.protocol = packet.protocol;
    r.ip_version = packet.ip_version;
    r.traffic_class = packet.traffic_class;
    r.vlan_id = packet.vlan_id;
    r.customer_vlan_id = packet.customer_vlan_id;
    r.mpls_label = packet.mpls_label;
    r.start = r.end = packet.frame->time;
    r.min_ttl = r.max_ttl = packet.ttl;
    r.flow_direction = packet.frame->outgoing ? 1 : 0;
    if (!flow_.interface_index.empty())
      r.ingress_interface =
          flow_.interface_index[std::min<std::size_t>(packet.frame->interface, flow_.interface_index.size() - 1)];
    if (packet.source_mac != nullptr) std::copy(packet.source_mac, packet.source_mac + 6, r.source_mac.octets.begin());
    if (packet.destination_mac != nullptr)
      std::copy(packet.destination_mac, packet.destination_mac + 6, r.destination_mac.octets.begin());
    return r;
  }

  FlowSettings flow_;
  TcpSettings tcp_settings_;
  AgeClock clock_;
  Decoder decoder_;
  TcpMeter tcp_;
  std::map<Tuple, Conversation> conversations_;
  std::map<Tuple, std::uint64_t> numbers_;
  std::uint32_t conversations_begun_ = 0;
};

}  // namespace whiteowl::test
