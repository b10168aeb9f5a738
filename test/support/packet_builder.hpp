// SPDX-License-Identifier: Apache-2.0
// Packets for tests, written as they are nested: eth().vlan(10).ip4("10.0.0.1", "10.0.0.2").tcp(1111, 80).payload(5).
// Every header announces the next one and every length is right when bytes() is asked for; what is set by hand stays.
// Checksums are zero: nothing here reads them.
#pragma once

#include <arpa/inet.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "whiteowl/packet/frame.hpp"
#include "whiteowl/packet/headers.hpp"
#include "whiteowl/packet/packet.hpp"

namespace whiteowl::test {

using Bytes = std::vector<std::uint8_t>;

// What eth() writes, as octets.
inline constexpr std::uint8_t kSourceMac[6] = {0x02, 0, 0, 0, 0, 0x01};
inline constexpr std::uint8_t kDestinationMac[6] = {0x02, 0, 0, 0, 0, 0x02};

inline void put16(Bytes& bytes, std::size_t at, std::size_t value) {
  bytes.at(at) = static_cast<std::uint8_t>(value >> 8U);
  bytes.at(at + 1) = static_cast<std::uint8_t>(value);
}
inline void add16(Bytes& bytes, std::size_t value) {
  bytes.resize(bytes.size() + 2);
  put16(bytes, bytes.size() - 2, value);
}
inline void add32(Bytes& bytes, std::uint32_t value) {
  add16(bytes, value >> 16U);
  add16(bytes, value & 0xFFFFU);
}
inline void add(Bytes& bytes, const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

// TCP options, to be strung together with +; the header is padded to four octets.
struct Options {
  Bytes bytes;
  Options operator+(const Options& more) const {
    Options all = *this;
    add(all.bytes, more.bytes);
    return all;
  }
};
inline Options nop() { return {{1}}; }
inline Options end_of_options() { return {{0}}; }
inline Options mss(std::uint16_t octets) {
  Options option{{2, 4}};
  add16(option.bytes, octets);
  return option;
}
inline Options wscale(std::uint8_t shift) { return {{3, 3, shift}}; }
inline Options sack_permitted() { return {{4, 2}}; }
inline Options sack(std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> blocks) {
  Options option{{5, static_cast<std::uint8_t>(2 + 8 * blocks.size())}};
  for (const auto& [left, right] : blocks) {
    add32(option.bytes, left);
    add32(option.bytes, right);
  }
  return option;
}
inline Options timestamps(std::uint32_t value, std::uint32_t echo) {
  Options option{{8, 10}};
  add32(option.bytes, value);
  add32(option.bytes, echo);
  return option;
}

struct Segment {  // what tcp() takes besides the ports
  std::uint32_t seq = 1, ack = 0;
  std::uint16_t flags = tcp_flag::kAck, window = 0xFFFF;
  Options options{};
};

class PacketBuilder {
 public:
  // ---- link ----
  PacketBuilder& ethernet() {
    begin(Kind::kEthernet, ethertype::kTransparentEthernet, ip_protocol::kEtherIp);
    bytes_.insert(bytes_.end(), kDestinationMac, kDestinationMac + 6);
    bytes_.insert(bytes_.end(), kSourceMac, kSourceMac + 6);
    return next_at(12).zeros(2);
  }
  PacketBuilder& vlan(std::uint16_t tci, std::uint16_t tpid = ethertype::kVlan) {
    begin(Kind::kVlan, tpid, 0);
    add16(bytes_, tci);
    return next_at(2).zeros(2);
  }
  // An 802.3 length and LLC/SNAP instead of an EtherType.
  PacketBuilder& snap() {
    begin(Kind::kSnap, 0, 0);
    add(bytes_, {0xAA, 0xAA, 0x03, 0, 0, 0});
    return next_at(6).zeros(2);
  }
  // Only the last of a row of labels has the bottom-of-stack bit.
  PacketBuilder& mpls(std::uint32_t label, std::uint8_t traffic_class = 0) {
    if (!layers_.empty() && layers_.back().kind == Kind::kMpls) bytes_.at(layers_.back().start + 2) &= 0xFE;
    begin(Kind::kMpls, ethertype::kMpls, 0);
    add32(bytes_, label << 12U | std::uint32_t{traffic_class} << 9U | 0x100U | 64U);
    return *this;
  }
  PacketBuilder& pppoe() {
    begin(Kind::kPppoe, ethertype::kPppoeSession, 0);
    add(bytes_, {0x11, 0, 0, 1, 0, 0});
    return next_at(6).zeros(2);
  }
  PacketBuilder& sll() {
    begin(Kind::kSll, 0, 0);
    add(bytes_, {0, 0, 0, 1, 0, 6, kSourceMac[0], kSourceMac[1], kSourceMac[2], kSourceMac[3], kSourceMac[4],
                 kSourceMac[5], 0, 0});
    return next_at(14).zeros(2);
  }
  PacketBuilder& sll2() {
    begin(Kind::kSll, 0, 0);
    next_at(0).zeros(2);
    add(bytes_, {0, 0, 0, 0, 0, 2, 0, 1, 0, 6});
    return octets({kSourceMac[0], kSourceMac[1], kSourceMac[2], kSourceMac[3], kSourceMac[4], kSourceMac[5], 0, 0});
  }
  PacketBuilder& loopback(std::initializer_list<std::uint8_t> family) {
    begin(Kind::kOpaque, 0, 0);
    return octets(family);
  }

  // ---- network ----
  PacketBuilder& ip4(const std::string& source, const std::string& destination, const Bytes& options = {}) {
    begin(Kind::kIp4, ethertype::kIpv4, ip_protocol::kIpIp);
    Bytes header(20);
    header[0] = static_cast<std::uint8_t>(0x45U + options.size() / 4);
    header[8] = 64;
    address(AF_INET, source, &header[12]);
    address(AF_INET, destination, &header[16]);
    add(bytes_, header);
    add(bytes_, options);
    return protocol_at(9);
  }
  PacketBuilder& ip6(const std::string& source, const std::string& destination) {
    begin(Kind::kIp6, ethertype::kIpv6, ip_protocol::kIpv6);
    Bytes header(40);
    header[0] = 0x60;
    header[7] = 64;
    address(AF_INET6, source, &header[8]);
    address(AF_INET6, destination, &header[24]);
    add(bytes_, header);
    return protocol_at(6);
  }
  // Hop-by-hop, destination options, routing, mobility: 2 octets and `value`, padded to a multiple of eight with Pad1.
  PacketBuilder& extension(std::uint8_t number, const Bytes& value = {}) {
    begin(Kind::kOpaque, 0, number);
    const std::size_t size = (value.size() + 2 + 7) / 8 * 8;
    bytes_.insert(bytes_.end(), {0, static_cast<std::uint8_t>(size / 8 - 1)});
    add(bytes_, value);
    return zeros(size - 2 - value.size()).protocol_at(0);
  }
  PacketBuilder& fragment6(std::uint16_t offset_units, bool more, std::uint32_t identification) {
    begin(Kind::kOpaque, 0, ip_protocol::kFragment);
    bytes_.insert(bytes_.end(), {0, 0});
    add16(bytes_, std::size_t{offset_units} << 3U | (more ? 1U : 0U));
    add32(bytes_, identification);
    return protocol_at(0);
  }
  PacketBuilder& authentication() {
    begin(Kind::kOpaque, 0, ip_protocol::kAh);
    bytes_.insert(bytes_.end(), {0, 4});
    return zeros(22).protocol_at(0);
  }
  // Of the last IPv4 header.
  PacketBuilder& identification(std::uint16_t value) { return set16(last(Kind::kIp4).start + 4, value); }
  PacketBuilder& fragment(std::uint16_t offset_units, bool more, std::uint16_t id) {
    identification(id);
    return set16(last(Kind::kIp4).start + 6, static_cast<std::uint16_t>(offset_units | (more ? 0x2000U : 0U)));
  }
  PacketBuilder& tos(std::uint8_t value) { return set8(last(Kind::kIp4).start + 1, value); }
  PacketBuilder& ttl(std::uint8_t value) { return set8(last(Kind::kIp4).start + 8, value); }
  // Protocol or next header of the last header that has one, whatever follows.
  PacketBuilder& protocol(std::uint8_t value) {
    Layer& layer = layers_.back();
    layer.protocol_at = kNowhere;
    return set8(layer.protocol_kept_at, value);
  }
  // A length that is not true: IPv4 total length, IPv6 payload length, UDP length of the last such header.
  PacketBuilder& total_length(std::uint16_t value) { return pin(Kind::kIp4, 2, value); }
  PacketBuilder& payload_length(std::uint16_t value) { return pin(Kind::kIp6, 4, value); }
  PacketBuilder& udp_length(std::uint16_t value) { return pin(Kind::kUdp, 4, value); }

  // ---- transport ----
  PacketBuilder& tcp(std::uint16_t source, std::uint16_t destination, const Segment& segment = {}) {
    begin(Kind::kOpaque, 0, ip_protocol::kTcp);
    const std::size_t words = (segment.options.bytes.size() + 3) / 4;
    add16(bytes_, source);
    add16(bytes_, destination);
    add32(bytes_, segment.seq);
    add32(bytes_, segment.ack);
    add16(bytes_, (5 + words) << 12U | segment.flags);
    add16(bytes_, segment.window);
    zeros(4);
    add(bytes_, segment.options.bytes);
    return zeros(words * 4 - segment.options.bytes.size());
  }
  PacketBuilder& udp(std::uint16_t source, std::uint16_t destination) {
    begin(Kind::kUdp, 0, ip_protocol::kUdp);
    add16(bytes_, source);
    add16(bytes_, destination);
    return zeros(4);
  }
  // Ports and 8 octets: SCTP, DCCP, UDP-Lite as far as anybody here reads them.
  PacketBuilder& ports(std::uint8_t number, std::uint16_t source, std::uint16_t destination) {
    begin(Kind::kOpaque, 0, number);
    add16(bytes_, source);
    add16(bytes_, destination);
    return zeros(8);
  }
  PacketBuilder& icmp(std::uint8_t type, std::uint8_t code, std::uint8_t number = ip_protocol::kIcmp) {
    begin(Kind::kOpaque, 0, number);
    return octets({type, code}).zeros(6);
  }

  // ---- tunnels ----
  // `fields` follow the four octets that GRE always has; `flags` must say which they are.
  PacketBuilder& gre(std::uint16_t flags = 0, std::uint16_t type = 0, const Bytes& fields = {}) {
    begin(Kind::kOpaque, 0, ip_protocol::kGre);
    add16(bytes_, flags);
    add16(bytes_, type);
    if (type == 0) next_at(2);
    add(bytes_, fields);
    return *this;
  }
  PacketBuilder& etherip() {
    begin(Kind::kOpaque, 0, ip_protocol::kEtherIp);
    return octets({0x30, 0});
  }
  PacketBuilder& vxlan(std::uint32_t vni = 1) {
    begin(Kind::kOpaque, 0, 0);
    octets({8, 0, 0, 0});
    add32(bytes_, vni << 8U);
    return *this;
  }
  PacketBuilder& geneve(const Bytes& options = {}) {
    begin(Kind::kOpaque, 0, 0);
    octets({static_cast<std::uint8_t>(options.size() / 4), 0});
    next_at(2).zeros(2);
    add32(bytes_, 1U << 8U);
    add(bytes_, options);
    return *this;
  }
  // `more`: sequence number, N-PDU number, extension type and extension headers, as `flags` says.
  PacketBuilder& gtpu(std::uint8_t flags = 0x30, const Bytes& more = {}, std::uint8_t message_type = 0xFF) {
    begin(Kind::kGtpu, 0, 0);
    octets({flags, message_type, 0, 0, 0, 0, 0, 1});
    add(bytes_, more);
    return *this;
  }

  // ---- anything ----
  PacketBuilder& octets(const Bytes& octets) {
    add(bytes_, octets);
    return *this;
  }
  PacketBuilder& zeros(std::size_t octets) {
    bytes_.resize(bytes_.size() + octets);
    return *this;
  }
  PacketBuilder& payload(std::size_t octets) {
    bytes_.resize(bytes_.size() + octets, 'x');
    return *this;
  }
  // Behind the packet: what short Ethernet frames are filled up with.
  PacketBuilder& padding(std::size_t octets) {
    padding_ = octets;
    return *this;
  }

  [[nodiscard]] Bytes bytes() const {
    Bytes out = bytes_;
    for (const Layer& layer : layers_) {
      const std::size_t size = bytes_.size() - layer.start;
      if (layer.pinned) continue;
      if (layer.kind == Kind::kIp4) put16(out, layer.start + 2, size);
      if (layer.kind == Kind::kIp6) put16(out, layer.start + 4, size - 40);
      if (layer.kind == Kind::kUdp) put16(out, layer.start + 4, size);
      if (layer.kind == Kind::kGtpu) put16(out, layer.start + 2, size - 8);
      if (layer.kind == Kind::kPppoe) put16(out, layer.start + 4, size - 6);
      if (layer.kind == Kind::kSnap) put16(out, layer.start - 2, size);
    }
    out.resize(out.size() + padding_);
    return out;
  }

 private:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  enum class Kind { kOpaque, kEthernet, kVlan, kSnap, kMpls, kPppoe, kSll, kIp4, kIp6, kUdp, kGtpu };
  struct Layer {
    Kind kind = Kind::kOpaque;
    std::size_t start = 0;
    std::size_t next_at = kNowhere;      // where 16 bits say what follows
    std::size_t protocol_at = kNowhere;  // where 8 bits do
    std::size_t protocol_kept_at = kNowhere;
    bool pinned = false;  // its length was set by hand
  };

  // The header before learns what follows it: an EtherType or a protocol number, 0 if it has none.
  void begin(Kind kind, std::uint16_t type, std::uint8_t number) {
    if (!layers_.empty()) {
      const Layer& before = layers_.back();
      if (before.next_at != kNowhere)
        put16(bytes_, before.next_at, before.kind == Kind::kPppoe ? ppp_number(type) : type);
      if (before.protocol_at != kNowhere) bytes_.at(before.protocol_at) = number;
    }
    layers_.push_back({kind, bytes_.size()});
  }
  static std::uint16_t ppp_number(std::uint16_t type) { return type == ethertype::kIpv6 ? 0x0057 : 0x0021; }
  PacketBuilder& next_at(std::size_t offset) {
    layers_.back().next_at = layers_.back().start + offset;
    return *this;
  }
  PacketBuilder& protocol_at(std::size_t offset) {
    layers_.back().protocol_at = layers_.back().start + offset;
    layers_.back().protocol_kept_at = layers_.back().protocol_at;
    return *this;
  }
  Layer& last(Kind kind) {
    for (std::size_t i = layers_.size(); i-- > 0;) {
      if (layers_[i].kind == kind) return layers_[i];
    }
    throw std::logic_error{"no such header yet"};
  }
  PacketBuilder& pin(Kind kind, std::size_t offset, std::uint16_t value) {
    Layer& layer = last(kind);
    layer.pinned = true;
    return set16(layer.start + offset, value);
  }
  PacketBuilder& set8(std::size_t at, std::uint8_t value) {
    bytes_.at(at) = value;
    return *this;
  }
  PacketBuilder& set16(std::size_t at, std::uint16_t value) {
    put16(bytes_, at, value);
    return *this;
  }
  static void address(int family, const std::string& text, std::uint8_t* octets) {
    if (inet_pton(family, text.c_str(), octets) != 1) throw std::logic_error{"not an address: " + text};
  }

  Bytes bytes_;
  std::vector<Layer> layers_;
  std::size_t padding_ = 0;
};

// How a packet begins; raw() has no link header.
inline PacketBuilder raw() { return {}; }
inline PacketBuilder eth() { return PacketBuilder{}.ethernet(); }
inline PacketBuilder sll() { return PacketBuilder{}.sll(); }
inline PacketBuilder sll2() { return PacketBuilder{}.sll2(); }

// A frame over bytes that the caller keeps, wholly captured.
inline Frame frame_of(const Bytes& bytes, LinkType link = LinkType::ethernet, Timestamp time = {}) {
  Frame frame;
  frame.data = bytes.data();
  frame.time = time;
  frame.captured_octets = static_cast<std::uint32_t>(bytes.size());
  frame.wire_octets = frame.captured_octets;
  frame.link = link;
  return frame;
}

}  // namespace whiteowl::test
