// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/packet/decode.hpp"

#include <doctest/doctest.h>

#include "packet/decoded.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

PacketBuilder ip4() { return eth().ip4("10.0.0.1", "10.0.0.2"); }
PacketBuilder ip6() { return eth().ip6("2001:db8::1", "2001:db8::2"); }
Bytes cut(Bytes bytes, std::size_t captured) {
  bytes.resize(captured);
  return bytes;
}
Frame wire(std::uint32_t octets) {
  Frame frame;
  frame.wire_octets = octets;
  return frame;
}

}  // namespace

TEST_CASE("a TCP segment over IPv4 is read whole") {
  const Segment segment{.seq = 0x01020304,
                        .ack = 5,
                        .flags = tcp_flag::kSyn | tcp_flag::kAck | 0x100,
                        .window = 512,
                        .options = mss(1460)};
  const auto got =
      decode(ip4().tos(0xB8).ttl(57).identification(0xBEEF).tcp(1111, 80, segment).payload(100).padding(3).bytes());
  CHECK(got.flow() == "10.0.0.1:1111 > 10.0.0.2:80 6");
  CHECK(got.packet.frame == got.frame.get());
  CHECK(got.packet.ip_version == 4);
  CHECK(got.packet.ip_octets == 20 + 24 + 100);
  CHECK(got.packet.payload_octets == 100);
  CHECK(got.packet.traffic_class == 0xB8);
  CHECK(got.packet.ttl == 57);
  CHECK(got.packet.ip_id == 0xBEEF);
  CHECK_FALSE(got.packet.fragment);
  REQUIRE(got.packet.tcp != nullptr);
  CHECK(got.packet.tcp->sequence_number == 0x01020304U);
  CHECK(got.packet.tcp->window == 512U);
  CHECK(got.packet.tcp->flags() == 0x112);
  CHECK(got.packet.tcp_header_captured == 24);
}

TEST_CASE("a TCP segment over IPv6 is read whole, behind extension headers as well") {
  const auto plain = decode(ip6().tcp(1111, 80).payload(100).bytes());
  CHECK(plain.flow() == "2001:db8::1:1111 > 2001:db8::2:80 6");
  CHECK(plain.packet.ip_version == 6);
  CHECK(plain.packet.ip_octets == 40 + 20 + 100);
  CHECK(plain.packet.payload_octets == 100);
  CHECK(plain.packet.ttl == 64);
  CHECK(plain.packet.ip_id == 0);
  CHECK(plain.packet.tcp != nullptr);
  const auto extended = decode(ip6()
                                   .extension(ip_protocol::kHopByHop, {5, 2, 0, 0})
                                   .extension(ip_protocol::kRouting, Bytes(22))
                                   .extension(ip_protocol::kDestinationOptions)
                                   .tcp(1111, 80)
                                   .payload(100)
                                   .bytes());
  CHECK(extended.flow() == "2001:db8::1:1111 > 2001:db8::2:80 6");
  CHECK(extended.packet.ip_octets == 40 + 8 + 24 + 8 + 20 + 100);
  CHECK(extended.packet.payload_octets == 100);
}

TEST_CASE("the traffic class of IPv6 lies across two octets") {
  Bytes bytes = ip6().tcp(1, 2).bytes();
  bytes[14] = 0x6B;
  bytes[15] = 0x8F;
  CHECK(decode(bytes).packet.traffic_class == 0xB8);
}

TEST_CASE("IPv4 options are stepped over") {
  const auto got = decode(eth().ip4("10.0.0.1", "10.0.0.2", {7, 7, 4, 0, 0, 0, 0, 0}).tcp(1111, 80).payload(3).bytes());
  CHECK(got.flow() == "10.0.0.1:1111 > 10.0.0.2:80 6");
  CHECK(got.packet.ip_octets == 28 + 20 + 3);
  CHECK(got.packet.payload_octets == 3);
}

TEST_CASE("UDP, UDP-Lite, SCTP and DCCP have ports") {
  CHECK(decode(ip4().udp(1111, 53).payload(5).bytes()).flow() == "10.0.0.1:1111 > 10.0.0.2:53 17");
  for (const std::uint8_t number : {ip_protocol::kUdpLite, ip_protocol::kSctp, ip_protocol::kDccp}) {
    CHECK(decode(ip4().ports(number, 1111, 53).bytes()).flow() ==
          "10.0.0.1:1111 > 10.0.0.2:53 " + std::to_string(number));
    CHECK(decode(ip6().ports(number, 1111, 53).bytes()).flow() ==
          "2001:db8::1:1111 > 2001:db8::2:53 " + std::to_string(number));
  }
}

TEST_CASE("ICMP has type and code where the destination port would be") {
  CHECK(decode(ip4().icmp(3, 13).bytes()).flow() == "10.0.0.1:0 > 10.0.0.2:781 1");
  CHECK(decode(ip6().icmp(135, 0, ip_protocol::kIcmpv6).bytes()).flow() == "2001:db8::1:0 > 2001:db8::2:34560 58");
}

TEST_CASE("a packet quoted in an ICMP error is not the packet") {
  const auto got = decode(ip4().icmp(11, 0).ip4("192.0.2.1", "192.0.2.2").udp(1, 2).bytes());
  CHECK(got.flow() == "10.0.0.1:0 > 10.0.0.2:2816 1");
}

TEST_CASE("AH and ESP end the walk, and other protocols have ports 0") {
  CHECK(decode(ip4().authentication().tcp(1111, 80).bytes()).flow() == "10.0.0.1:0 > 10.0.0.2:0 51");
  CHECK(decode(ip6().authentication().tcp(1111, 80).bytes()).flow() == "2001:db8::1:0 > 2001:db8::2:0 51");
  CHECK(decode(ip4().protocol(ip_protocol::kEsp).payload(40).bytes()).flow() == "10.0.0.1:0 > 10.0.0.2:0 50");
  CHECK(decode(ip4().protocol(ip_protocol::kIgmp).payload(8).bytes()).flow() == "10.0.0.1:0 > 10.0.0.2:0 2");
  CHECK(decode(ip6().protocol(ip_protocol::kMobility).payload(8).bytes()).flow() ==
        "2001:db8::1:0 > 2001:db8::2:0 135");
  CHECK(decode(ip6().extension(60).protocol(ip_protocol::kNoNext).bytes()).flow() ==
        "2001:db8::1:0 > 2001:db8::2:0 59");
}

TEST_CASE("octets come from the IP header and neither from padding nor from what was captured") {
  CHECK(decode(ip4().udp(1, 2).padding(18).bytes()).packet.ip_octets == 28);
  CHECK(decode(ip6().udp(1, 2).padding(18).bytes()).packet.ip_octets == 48);
  const auto snapped = decode(cut(ip4().tcp(1, 2).payload(1000).bytes(), 54), wire(1054));
  CHECK(snapped.packet.ip_octets == 1040);
  CHECK(snapped.packet.payload_octets == 1000);
  CHECK(snapped.packet.tcp_header_captured == 20);
}

TEST_CASE("an IPv4 total length of 0 stands for the wire length less the link header") {
  const auto plain = decode(ip4().tcp(1111, 80).payload(10).total_length(0).bytes(), wire(14 + 70000));
  CHECK(plain.flow() == "10.0.0.1:1111 > 10.0.0.2:80 6");
  CHECK(plain.packet.ip_octets == 70000);
  CHECK(plain.packet.payload_octets == 70000 - 40);
  const auto tagged =
      decode(eth().vlan(1).vlan(2).ip4("10.0.0.1", "10.0.0.2").udp(1, 2).total_length(0).bytes(), wire(22 + 9000));
  CHECK(tagged.packet.ip_octets == 9000);
}

TEST_CASE("a jumbogram's length is in its hop-by-hop option") {
  const Bytes jumbo{0xC2, 4, 0, 1, 0x11, 0x70};  // 70000
  const auto got =
      decode(ip6().extension(0, jumbo).tcp(1111, 80).payload(10).payload_length(0).bytes(), wire(14 + 70040));
  CHECK(got.flow() == "2001:db8::1:1111 > 2001:db8::2:80 6");
  CHECK(got.packet.ip_octets == 70040);
  CHECK(got.packet.payload_octets == 70000 - 8 - 20);
  const Bytes behind_padding{1, 2, 0, 0, 0, 0, 0xC2, 4, 0, 1, 0x11, 0x70};  // PadN, two Pad1
  const Bytes padded = ip6().extension(0, behind_padding).tcp(1, 2).payload_length(0).bytes();
  CHECK(decode(padded, wire(14 + 70040)).packet.ip_octets == 70040);
}

TEST_CASE("a jumbogram longer than the wire says is as long as the wire says") {
  for (const Bytes& length : {Bytes{0xFF, 0xFF, 0xFF, 0xFF}, Bytes{0, 1, 0x11, 0x70}}) {
    Bytes jumbo{0xC2, 4};
    add(jumbo, length);
    const Bytes bytes = ip6().extension(0, jumbo).tcp(1111, 80).payload_length(0).bytes();
    CHECK(decode(bytes, wire(14 + 100)).packet.ip_octets == 100);
  }
}

TEST_CASE(
    "a payload length of 0 without a jumbo option is an empty packet, but for a segment beyond the field's range") {
  const auto empty = decode(ip6().tcp(1111, 80).payload_length(0).bytes());
  CHECK(empty.flow() == "2001:db8::1:0 > 2001:db8::2:0 6");
  CHECK(empty.packet.ip_octets == 40);
  const auto offloaded = decode(ip6().tcp(1111, 80).payload_length(0).bytes(), wire(14 + 80000));
  CHECK(offloaded.flow() == "2001:db8::1:1111 > 2001:db8::2:80 6");
  CHECK(offloaded.packet.ip_octets == 80000);
  CHECK(decode(ip6().extension(0).tcp(1111, 80).payload_length(0).bytes()).packet.ip_octets == 40);
}

TEST_CASE("ports are there with four octets of the transport header, the segment with twenty") {
  const Bytes whole = ip4().tcp(1111, 80).payload(10).bytes();
  for (std::size_t captured = 34; captured <= whole.size(); ++captured) {
    const auto got = decode(cut(whole, captured), wire(64));
    CHECK(got.flow() == (captured < 38 ? "10.0.0.1:0 > 10.0.0.2:0 6" : "10.0.0.1:1111 > 10.0.0.2:80 6"));
    CHECK((got.packet.tcp != nullptr) == (captured >= 54));
    CHECK(got.packet.ip_octets == 50);
    CHECK(got.packet.payload_octets == (captured >= 54 ? 10 : 0));
  }
}

TEST_CASE("what lies behind the end of the datagram is not its transport header") {
  CHECK(decode(ip4().tcp(1111, 80).total_length(22).bytes()).flow() == "10.0.0.1:0 > 10.0.0.2:0 6");
  const auto got = decode(ip4().tcp(1111, 80).total_length(39).bytes());
  CHECK(got.flow() == "10.0.0.1:1111 > 10.0.0.2:80 6");
  CHECK(got.packet.tcp == nullptr);
  CHECK(decode(ip6().udp(1111, 80).payload_length(3).bytes()).flow() == "2001:db8::1:0 > 2001:db8::2:0 17");
}

TEST_CASE("a data offset below five makes no segment, one beyond the datagram no payload") {
  Bytes bytes = ip4().tcp(1111, 80).payload(10).bytes();
  bytes[46] = 0x40;
  const auto below = decode(bytes);
  CHECK(below.flow() == "10.0.0.1:1111 > 10.0.0.2:80 6");
  CHECK(below.packet.tcp == nullptr);
  bytes[46] = 0xF0;
  const auto beyond = decode(bytes);
  REQUIRE(beyond.packet.tcp != nullptr);
  CHECK(beyond.packet.payload_octets == 0);
  CHECK(beyond.packet.tcp_header_captured == 30);
}

TEST_CASE("headers that cannot be are refused by name") {
  Bytes bytes = ip4().tcp(1111, 80).bytes();
  bytes[14] = 0x44;
  CHECK(decode(bytes).flow() == "bad_ip_header");
  CHECK(decode(ip4().tcp(1, 2).total_length(19).bytes()).flow() == "bad_ip_header");
  bytes[14] = 0x75;
  CHECK(decode(bytes).flow() == "bad_ip_version");
}

TEST_CASE("a frame cut anywhere counts as soon as its addresses are readable, and is discarded by name before") {
  struct Case {
    Bytes bytes;
    std::size_t network, readable;
  };
  const Case cases[] = {
      {ip4().tcp(1111, 80, {.options = timestamps(1, 2)}).payload(4).bytes(), 14, 34},
      {eth().vlan(5).vlan(6).ip4("10.0.0.1", "10.0.0.2", Bytes(12)).udp(1, 2).bytes(), 22, 42},
      {ip6().extension(0).extension(43, Bytes(22)).fragment6(0, true, 1).extension(60).tcp(1, 2).bytes(), 14, 54},
      {eth().mpls(1).mpls(2).ip6("2001:db8::1", "2001:db8::2").icmp(128, 0, 58).bytes(), 22, 62},
      {eth().pppoe().ip4("10.0.0.1", "10.0.0.2").ports(132, 1, 2).bytes(), 22, 42},
      {eth().snap().ip4("10.0.0.1", "10.0.0.2").tcp(1, 2).bytes(), 22, 42},
  };
  for (const Case& one : cases) {
    const auto wire_octets = static_cast<std::uint32_t>(one.bytes.size());
    const std::uint32_t octets = decode(one.bytes).packet.ip_octets;
    for (std::size_t captured = 0; captured <= one.bytes.size(); ++captured) {
      const auto got = decode(cut(one.bytes, captured), wire(wire_octets));
      CHECK((got.reason == Discard::none) == (captured >= one.readable));
      if (captured < one.network && got.reason != Discard::truncated_link) CHECK(got.flow() == "not_ip");
      if (captured > one.network && captured < one.readable) CHECK(got.flow() == "truncated_ip");
      if (got.reason == Discard::none) CHECK(got.packet.ip_octets == octets);
    }
  }
}

TEST_CASE("an extension header that is cut off keeps its own number") {
  const Bytes bytes = ip6().extension(60).fragment6(0, true, 1).udp(5, 6).bytes();
  CHECK(decode(cut(bytes, 54 + 1)).packet.protocol == 60);
  CHECK(decode(cut(bytes, 54 + 7)).packet.protocol == 44);
  CHECK(decode(cut(bytes, 54 + 8 + 7)).packet.protocol == 44);
  CHECK(decode(cut(bytes, 54 + 16)).packet.protocol == 17);
}

TEST_CASE("nothing of the packet before shows in the next") {
  const Bytes full =
      eth().vlan(5).vlan(6).mpls(7).ip4("10.0.0.1", "10.0.0.2").tos(9).identification(8).tcp(1, 2).payload(4).bytes();
  const Bytes part = eth().ip4("10.0.0.1", "10.0.0.2").fragment(0, true, 7).udp(1, 2).bytes();
  const Bytes bare = raw().ip6("2001:db8::1", "2001:db8::2").protocol(50).payload(4).bytes();
  Decoder decoder{DecodeSettings{}};
  Packet packet;
  const Frame frames[] = {frame_of(full), frame_of(part), frame_of(bare, LinkType::raw_ip)};
  for (const Frame& frame : frames) REQUIRE(decoder.decode(frame, packet) == Discard::none);
  CHECK(packet.frame == &frames[2]);
  CHECK(packet.source_mac == nullptr);
  CHECK(packet.destination_mac == nullptr);
  CHECK(packet.tcp == nullptr);
  CHECK(packet.tcp_header_captured == 0);
  CHECK(packet.ip_octets == 44);
  CHECK(packet.payload_octets == 0);
  CHECK(packet.mpls_label == Packet::kNoMplsLabel);
  CHECK(packet.source_port == 0);
  CHECK(packet.destination_port == 0);
  CHECK(packet.vlan_id == 0);
  CHECK(packet.customer_vlan_id == 0);
  CHECK(packet.ip_id == 0);
  CHECK(packet.ip_version == 6);
  CHECK(packet.protocol == 50);
  CHECK(packet.traffic_class == 0);
  CHECK(packet.ttl == 64);
  CHECK_FALSE(packet.fragment);
}

TEST_CASE("a long row of extension headers ends the walk and still counts") {
  PacketBuilder builder = ip6();
  for (int i = 0; i < 100; ++i) builder.extension(60);
  CHECK(decode(builder.udp(5, 6).bytes()).flow() == "2001:db8::1:0 > 2001:db8::2:0 60");
}

TEST_CASE("the short way and the long way give the same answer") {
  // A priority tag leads to the long way and changes nothing but the place of the header.
  const auto compare = [](const Bytes& bytes, std::size_t captured) {
    Bytes tagged = bytes;
    const Bytes tag{0x81, 0, 0, 0};
    tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
    const auto wire_octets = static_cast<std::uint32_t>(bytes.size());
    const auto fast = decode(cut(bytes, captured), wire(wire_octets));
    const auto slow = decode(cut(tagged, captured + 4), wire(wire_octets + 4));
    CHECK(fast.flow() == slow.flow());
    CHECK(fast.packet.ip_octets == slow.packet.ip_octets);
    CHECK(fast.packet.payload_octets == slow.packet.payload_octets);
    CHECK(fast.packet.tcp_header_captured == slow.packet.tcp_header_captured);
    CHECK((fast.packet.tcp == nullptr) == (slow.packet.tcp == nullptr));
    CHECK(fast.packet.ip_id == slow.packet.ip_id);
    CHECK(fast.packet.traffic_class == slow.packet.traffic_class);
    CHECK(fast.packet.ttl == slow.packet.ttl);
    CHECK(fast.packet.ip_version == slow.packet.ip_version);
  };
  const Bytes tcp = ip4()
                        .tos(3)
                        .ttl(4)
                        .identification(5)
                        .tcp(1111, 80, {.options = nop() + nop() + timestamps(1, 2)})
                        .payload(9)
                        .bytes();
  const Bytes udp = ip4().udp(1111, 53).payload(9).bytes();
  const Bytes short_total = ip4().tcp(1111, 80).total_length(27).bytes();
  for (std::size_t captured = 34; captured <= tcp.size(); ++captured) compare(tcp, captured);
  for (std::size_t captured = 34; captured <= udp.size(); ++captured) compare(udp, captured);
  for (std::size_t captured = 34; captured <= short_total.size(); ++captured) compare(short_total, captured);

  constexpr std::size_t kPayloadLength = 14 + 4;
  const Bytes tcp6 = ip6().tcp(1111, 80, {.options = nop() + nop() + timestamps(1, 2)}).payload(9).bytes();
  const Bytes udp6 = ip6().udp(1111, 53).payload(9).bytes();
  for (Bytes bytes : {tcp6, udp6}) {
    bytes[14] = 0x6A;  // traffic class
    bytes[15] = 0xB0;
    for (const std::uint8_t payload_octets : {bytes[kPayloadLength + 1], std::uint8_t{0}, std::uint8_t{3}}) {
      bytes[kPayloadLength + 1] = payload_octets;
      for (std::size_t captured = 54; captured <= bytes.size(); ++captured) compare(bytes, captured);
    }
  }
}
