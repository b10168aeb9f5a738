// SPDX-License-Identifier: Apache-2.0
// The octets of the frames that are measured with: Ethernet, IPv4 or IPv6, UDP, TCP or ICMP, checksums right, payload
// of one repeated octet, of which only as much is written as a capture keeps.  Knows the wire, nothing of the product.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace whiteowl::bench {

inline constexpr std::uint32_t kEthernetOctets = 14;
inline constexpr std::uint32_t kShortestFrame = 60;  // without the FCS, which no capture holds
inline constexpr std::uint8_t kFiller = 0x2A;
inline constexpr std::uint8_t kFin = 1, kSyn = 2, kPush = 8, kAck = 16;
inline constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmp6 = 58;

// Well-mixed bits of a number (the finaliser of MurmurHash3): addresses and ports of a flow are a function of its id.
[[nodiscard]] constexpr std::uint64_t scatter(std::uint64_t value) noexcept {
  value = (value ^ (value >> 33U)) * 0xFF51AFD7ED558CCDU;
  value = (value ^ (value >> 33U)) * 0xC4CEB9FE1A85EC53U;
  return value ^ (value >> 33U);
}

struct Endpoints {
  bool v6 = false;
  std::uint64_t source = 0, destination = 0;  // IPv4 address, or the interface identifier in 2001:db8::/64
  std::uint16_t source_port = 0, destination_port = 0;

  [[nodiscard]] Endpoints reversed() const noexcept { return {v6, destination, source, destination_port, source_port}; }
};

struct TcpPart {
  std::uint32_t seq = 0, ack = 0, ts_value = 0, ts_echo = 0;
  std::uint16_t window = 64'240;
  std::uint8_t flags = 0;
};

// One frame, built anew for each packet.  At most 128 octets exist; wire_octets() says how long it is on the wire.
class BuiltFrame {
 public:
  static constexpr std::uint32_t kKept = 128;

  BuiltFrame() { octets_.fill(kFiller); }

  void udp(const Endpoints& ends, std::uint16_t ip_id, std::uint32_t payload) {
    begin(ends, kUdp, 8, ip_id, payload);
    put16(ends.source_port);
    put16(ends.destination_port);
    put16(8 + payload);
    checksum_next(payload);
  }
  void tcp(const Endpoints& ends, std::uint16_t ip_id, const TcpPart& part, std::uint32_t payload) {
    const bool syn = (part.flags & kSyn) != 0;
    const std::uint32_t header = syn ? 40 : 32;
    begin(ends, kTcp, header, ip_id, payload);
    put16(ends.source_port);
    put16(ends.destination_port);
    put32(part.seq);
    put32(part.ack);
    put16(header / 4 << 12U | part.flags);
    put16(part.window);
    const std::uint32_t checksum_at = at_;
    put16(0);
    put16(0);
    if (syn) put32(0x02040000U | 1460U);  // MSS
    put32(0x0101080AU);                   // two no-operations, timestamps
    put32(part.ts_value);
    put32(part.ts_echo);
    if (syn) put32(0x01030307U);  // window scale 7
    at_ = checksum_at;
    checksum_next(payload);
    at_ = transport_ + header;
  }
  // Echo request or reply, as `reply` says.
  void echo(const Endpoints& ends, std::uint16_t ip_id, bool reply, std::uint16_t ident, std::uint16_t number,
            std::uint32_t payload) {
    begin(ends, ends.v6 ? kIcmp6 : kIcmp, 8, ip_id, payload);
    put16((ends.v6 ? (reply ? 129U : 128U) : (reply ? 0U : 8U)) << 8U);
    const std::uint32_t checksum_at = at_;
    put16(0);
    put16(ident);
    put16(number);
    at_ = checksum_at;
    if (!ends.v6) pseudo_ = 0;
    checksum_next(payload);
    at_ = transport_ + 8;
  }

  [[nodiscard]] const std::uint8_t* data() const noexcept { return octets_.data(); }
  [[nodiscard]] std::uint32_t wire_octets() const noexcept { return std::max(wire_, kShortestFrame); }
  [[nodiscard]] std::uint32_t ip_octets() const noexcept { return wire_ - kEthernetOctets; }
  // Octets in front of the payload.
  [[nodiscard]] static constexpr std::uint32_t overhead(bool v6, std::uint8_t protocol) noexcept {
    return kEthernetOctets + (v6 ? 40U : 20U) + (protocol == kTcp ? 32U : 8U);
  }

 private:
  void begin(const Endpoints& ends, std::uint8_t protocol, std::uint32_t header, std::uint16_t ip_id,
             std::uint32_t payload) {
    std::memset(octets_.data() + kShortestFrame - 20, kFiller, kKept - kShortestFrame + 20);
    at_ = 0;
    put32(0x02000000U);
    put32(0x00020200U);
    put32(0x00000001U);
    put16(ends.v6 ? 0x86DDU : 0x0800U);
    const std::uint32_t length = header + payload;
    if (ends.v6)
      ipv6(ends, protocol, length);
    else
      ipv4(ends, protocol, length, ip_id);
    transport_ = at_;
    header_ = header;
    pseudo_ = protocol + length + sum_words(transport_ - (ends.v6 ? 32U : 8U), ends.v6 ? 32U : 8U);
    wire_ = transport_ + length;
  }
  void ipv4(const Endpoints& ends, std::uint8_t protocol, std::uint32_t length, std::uint16_t ip_id) {
    const std::uint32_t start = at_;
    put32(0x45000000U | (20 + length));
    put32(std::uint32_t{ip_id} << 16U | 0x4000U);
    put32(64U << 24U | std::uint32_t{protocol} << 16U);
    put32(static_cast<std::uint32_t>(ends.source));
    put32(static_cast<std::uint32_t>(ends.destination));
    const std::uint32_t sum = folded(sum_words(start, 20));
    at_ = start + 10;
    put16(sum);
    at_ = start + 20;
  }
  void ipv6(const Endpoints& ends, std::uint8_t protocol, std::uint32_t length) {
    put32(0x60000000U);
    put32(length << 16U | std::uint32_t{protocol} << 8U | 64U);
    for (const std::uint64_t identifier : {ends.source, ends.destination}) {
      put32(0x20010DB8U);
      put32(0);
      put32(static_cast<std::uint32_t>(identifier >> 32U));
      put32(static_cast<std::uint32_t>(identifier));
    }
  }
  // The transport checksum over pseudo-header, header and payload; the payload's share is known without writing it.
  void checksum_next(std::uint32_t payload) {
    const std::uint32_t place = at_;
    put16(0);
    std::uint64_t sum = pseudo_ + sum_words(transport_, header_) + std::uint64_t{payload / 2} * (kFiller * 0x0101U);
    if (payload % 2 != 0) sum += std::uint32_t{kFiller} << 8U;
    const std::uint32_t result = folded(sum);
    at_ = place;
    put16(result == 0 ? 0xFFFFU : result);
  }
  [[nodiscard]] std::uint64_t sum_words(std::uint32_t from, std::uint32_t length) const {
    std::uint64_t sum = 0;
    for (std::uint32_t i = from; i < from + length; i += 2) sum += std::uint32_t{octets_[i]} << 8U | octets_[i + 1];
    return sum;
  }
  [[nodiscard]] static std::uint32_t folded(std::uint64_t sum) {
    while (sum > 0xFFFFU) sum = (sum & 0xFFFFU) + (sum >> 16U);
    return static_cast<std::uint32_t>(~sum & 0xFFFFU);
  }
  void put16(std::uint32_t value) {
    octets_[at_++] = static_cast<std::uint8_t>(value >> 8U);
    octets_[at_++] = static_cast<std::uint8_t>(value);
  }
  void put32(std::uint32_t value) {
    put16(value >> 16U);
    put16(value & 0xFFFFU);
  }

  std::array<std::uint8_t, kKept> octets_{};
  std::uint32_t at_ = 0;
  std::uint32_t transport_ = 0, header_ = 0;
  std::uint64_t pseudo_ = 0;
  std::uint32_t wire_ = 0;
};

}  // namespace whiteowl::bench
