// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/packet/tunnel.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "packet/decoded.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

const std::string kInner = "192.0.2.1:1111 > 192.0.2.2:80 6";
const std::string kInner6 = "2001:db8::1:1111 > 2001:db8::2:80 6";

PacketBuilder outer() { return eth().ip4("10.0.0.1", "10.0.0.2"); }
PacketBuilder outer6() { return eth().ip6("2001:db8::a", "2001:db8::b"); }
PacketBuilder& inner4(PacketBuilder& builder) { return builder.ip4("192.0.2.1", "192.0.2.2").tcp(1111, 80).payload(7); }
PacketBuilder& inner6(PacketBuilder& builder) {
  return builder.ip6("2001:db8::1", "2001:db8::2").tcp(1111, 80).payload(7);
}
Bytes with4(PacketBuilder builder) { return inner4(builder).bytes(); }
Bytes with6(PacketBuilder builder) { return inner6(builder).bytes(); }

// The same bytes: what is inside when descending, what is outside when not.
void check_tunnel(const Bytes& bytes, const std::string& inside, const std::string& outside) {
  CHECK(decode(bytes).flow() == outside);
  const auto got = decode_inner(bytes);
  CHECK(got.flow() == inside);
  CHECK(got.packet.ip_octets == (inside == kInner ? 47 : 67));
  CHECK(got.packet.payload_octets == 7);
  CHECK(got.packet.tcp != nullptr);
}

}  // namespace

TEST_CASE("IP in IP is descended into, whatever the versions") {
  check_tunnel(with4(outer()), kInner, "10.0.0.1:0 > 10.0.0.2:0 4");
  check_tunnel(with6(outer()), kInner6, "10.0.0.1:0 > 10.0.0.2:0 41");
  check_tunnel(with4(outer6()), kInner, "2001:db8::a:0 > 2001:db8::b:0 4");
  check_tunnel(with6(outer6().extension(60)), kInner6, "2001:db8::a:0 > 2001:db8::b:0 41");
}

TEST_CASE("GRE is descended into with any of checksum, key and sequence number") {
  const std::string outside = "10.0.0.1:0 > 10.0.0.2:0 47";
  check_tunnel(with4(outer().gre()), kInner, outside);
  check_tunnel(with6(outer().gre(0x2000, 0x86DD, Bytes(4))), kInner6, outside);
  check_tunnel(with4(outer().gre(0x1000, 0x0800, Bytes(4))), kInner, outside);
  check_tunnel(with4(outer().gre(0xB000, 0x0800, Bytes(12))), kInner, outside);
  check_tunnel(with4(outer().gre(0x2000, 0x6558, Bytes(4)).ethernet().vlan(3)), kInner, outside);  // NVGRE
  check_tunnel(with4(outer().gre(0, 0x8847).mpls(1).mpls(2)), kInner, outside);
}

TEST_CASE("GRE of another version, with source routes or around something else counts as itself") {
  const std::string outside = "10.0.0.1:0 > 10.0.0.2:0 47";
  CHECK(decode_inner(with4(outer().gre(0x3001, 0x880B, Bytes(8)))).flow() == outside);  // PPTP
  CHECK(decode_inner(with4(outer().gre(0x4000, 0x0800, Bytes(4)))).flow() == outside);
  CHECK(decode_inner(outer().gre(0, 0x0800).octets({0x99}).bytes()).flow() == outside);
  CHECK(decode_inner(outer().gre(0, 0x0026).payload(60).bytes()).flow() == outside);
}

TEST_CASE("ERSPAN of all three types is descended into") {
  const std::string outside = "10.0.0.1:0 > 10.0.0.2:0 47";
  check_tunnel(with4(outer().gre(0, 0x88BE).ethernet()), kInner, outside);
  check_tunnel(with4(outer().gre(0x1000, 0x88BE, Bytes(4 + 8)).ethernet()), kInner, outside);
  check_tunnel(with4(outer().gre(0x1000, 0x22EB, Bytes(4 + 12)).ethernet()), kInner, outside);
  Bytes with_subheader(4 + 12 + 8);
  with_subheader[15] = 1;
  check_tunnel(with4(outer().gre(0x1000, 0x22EB, with_subheader).ethernet()), kInner, outside);
}

TEST_CASE("EtherIP and AH in tunnel mode are descended into") {
  check_tunnel(with6(outer().etherip().ethernet()), kInner6, "10.0.0.1:0 > 10.0.0.2:0 97");
  check_tunnel(with4(outer().authentication()), kInner, "10.0.0.1:0 > 10.0.0.2:0 51");
  CHECK(decode_inner(outer().authentication().tcp(1111, 80).bytes()).flow() == "10.0.0.1:0 > 10.0.0.2:0 51");
}

TEST_CASE("VXLAN is told by its port, the old one included, and its flag") {
  check_tunnel(with4(outer().udp(5555, 4789).vxlan().ethernet()), kInner, "10.0.0.1:5555 > 10.0.0.2:4789 17");
  check_tunnel(with6(outer6().udp(5555, 8472).vxlan().ethernet().vlan(9)), kInner6,
               "2001:db8::a:5555 > 2001:db8::b:8472 17");
  Bytes no_flag = with4(outer().udp(5555, 4789).vxlan().ethernet());
  no_flag[42] = 0;
  CHECK(decode_inner(no_flag).flow() == "10.0.0.1:5555 > 10.0.0.2:4789 17");
  CHECK(decode_inner(with4(outer().udp(5555, 4788).vxlan().ethernet())).flow() == "10.0.0.1:5555 > 10.0.0.2:4788 17");
}

TEST_CASE("GENEVE is descended into with options, around Ethernet and around IP") {
  const std::string outside = "10.0.0.1:5555 > 10.0.0.2:6081 17";
  check_tunnel(with4(outer().udp(5555, 6081).geneve().ethernet()), kInner, outside);
  check_tunnel(with4(outer().udp(5555, 6081).geneve(Bytes(252))), kInner, outside);
  check_tunnel(with6(outer().udp(5555, 6081).geneve(Bytes(8))), kInner6, outside);
}

TEST_CASE("GTP-U is descended into with sequence number and extension headers; an echo request is not") {
  const std::string outside = "10.0.0.1:2152 > 10.0.0.2:2152 17";
  check_tunnel(with4(outer().udp(2152, 2152).gtpu()), kInner, outside);
  check_tunnel(with6(outer().udp(2152, 2152).gtpu(0x32, {0, 1, 0, 0})), kInner6, outside);
  check_tunnel(with4(outer().udp(2152, 2152).gtpu(0x34, {0, 0, 0, 0x85, 1, 0, 0, 0x40, 2, 0, 0, 0, 0, 0, 0, 0})),
               kInner, outside);
  check_tunnel(with4(outer().udp(2152, 9000).gtpu()), kInner, "10.0.0.1:2152 > 10.0.0.2:9000 17");
  CHECK(decode_inner(with4(outer().udp(2152, 2152).gtpu(0x30, {}, 1))).flow() == outside);
  CHECK(decode_inner(with4(outer().udp(2152, 2152).gtpu(0x34, {0, 0, 0, 0x85, 0, 0, 0, 0}))).flow() == outside);
}

TEST_CASE("Teredo is descended into behind authentication and origin indication") {
  const std::string outside = "10.0.0.1:5555 > 10.0.0.2:3544 17";
  Bytes authentication(4 + 2 + 3 + 9);
  authentication[1] = 1;
  authentication[2] = 2;
  authentication[3] = 3;
  Bytes both = authentication;
  add(both, Bytes(8));
  check_tunnel(with6(outer().udp(5555, 3544)), kInner6, outside);
  check_tunnel(with6(outer().udp(5555, 3544).octets(Bytes(8))), kInner6, outside);
  check_tunnel(with6(outer().udp(5555, 3544).octets(authentication)), kInner6, outside);
  check_tunnel(with6(outer().udp(5555, 3544).octets(both)), kInner6, outside);
  check_tunnel(with6(outer().udp(3544, 5555)), kInner6, "10.0.0.1:3544 > 10.0.0.2:5555 17");
  CHECK(decode_inner(with4(outer().udp(5555, 3544))).flow() == outside);
}

TEST_CASE("a tunnel's number is the packet's when it is descended into, of several the innermost with one") {
  const auto number = [](const Bytes& bytes, std::uint32_t depth = 4) {
    const auto got = decode_inner(bytes, depth);
    return std::pair{got.packet.tunnel_type, got.packet.tunnel_id};
  };
  using Number = std::pair<TunnelType, std::uint32_t>;
  Bytes vxlan = with4(outer().udp(5555, 4789).vxlan().ethernet());
  std::copy_n(Bytes{0x12, 0x34, 0x56}.begin(), 3, vxlan.begin() + 14 + 20 + 8 + 4);
  CHECK(number(vxlan) == Number{TunnelType::vxlan, 0x123456});
  CHECK(number(vxlan, 0) == Number{TunnelType::none, 0});
  CHECK(decode(vxlan).packet.tunnel_type == TunnelType::none);
  Bytes geneve = with6(outer().udp(5555, 6081).geneve(Bytes(8)));
  std::copy_n(Bytes{0xAB, 0xCD, 0xEF}.begin(), 3, geneve.begin() + 14 + 20 + 8 + 4);
  CHECK(number(geneve) == Number{TunnelType::geneve, 0xABCDEF});
  Bytes gtpu = with4(outer().udp(2152, 2152).gtpu(0x32, {0, 1, 0, 0}));
  std::copy_n(Bytes{0xDE, 0xAD, 0xBE, 0xEF}.begin(), 4, gtpu.begin() + 14 + 20 + 8 + 4);
  CHECK(number(gtpu) == Number{TunnelType::gtpu, 0xDEADBEEF});
  // RFC 2890 2.1; RFC 7637 3.2: 24 bits of subnet and 8 of a flow's number.
  CHECK(number(with4(outer().gre(0xB000, 0x0800, {1, 2, 0, 0, 9, 8, 7, 6, 0, 0, 0, 1}))) ==
        Number{TunnelType::gre, 0x09080706});
  CHECK(number(with4(outer().gre(0x2000, 0x6558, {9, 8, 7, 6}).ethernet())) == Number{TunnelType::nvgre, 0x090807});
  CHECK(number(with4(outer().gre())) == Number{TunnelType::none, 0});
  CHECK(number(with4(outer().gre(0x2000, 0x0800, {0, 0, 0, 5}).ip4("10.1.0.1", "10.1.0.2"))) ==
        Number{TunnelType::gre, 5});
  // The outer header stays in force, so the tunnel behind it is not the packet's.
  Bytes bad = with4(outer().udp(1111, 6081).geneve());
  bad[14 + 20 + 8 + 8] = 0x43;
  CHECK(number(bad) == Number{TunnelType::none, 0});
}

TEST_CASE("tunnels in tunnels are descended into as deep as is allowed") {
  const auto nested = [] {
    return with4(outer().udp(1, 4789).vxlan().ethernet().ip4("10.1.0.1", "10.1.0.2").gre().ip4("10.2.0.1", "10.2.0.2"));
  };
  CHECK(decode_inner(nested(), 0).flow() == "10.0.0.1:1 > 10.0.0.2:4789 17");
  CHECK(decode_inner(nested(), 1).flow() == "10.1.0.1:0 > 10.1.0.2:0 47");
  CHECK(decode_inner(nested(), 2).flow() == "10.2.0.1:0 > 10.2.0.2:0 4");
  CHECK(decode_inner(nested(), 3).flow() == kInner);
  CHECK(decode_inner(nested(), 9).flow() == kInner);
}

TEST_CASE("addresses, tag and label of the frame itself stay when descending") {
  Bytes bytes = with4(eth().vlan(100).ip4("10.0.0.1", "10.0.0.2").udp(1, 4789).vxlan().ethernet().vlan(200));
  const std::size_t inner_mac = 18 + 20 + 8 + 8;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(inner_mac), 12, std::uint8_t{0xEE});
  const auto got = decode_inner(bytes);
  CHECK(got.flow() == kInner);
  CHECK(got.packet.vlan_id == 100);
  CHECK(got.packet.customer_vlan_id == 0);
  REQUIRE(got.packet.source_mac != nullptr);
  CHECK(std::equal(kSourceMac, kSourceMac + 6, got.packet.source_mac));
}

TEST_CASE("cut off anywhere, a tunnelled packet counts with the innermost header that is readable") {
  const Bytes whole = with4(outer().udp(1111, 4789).vxlan().ethernet());
  const std::size_t inner_ip = 14 + 20 + 8 + 8 + 14;
  Decoder decoder{DecodeSettings{.inner = true}};
  for (std::size_t captured = 34; captured <= whole.size(); ++captured) {
    Frame frame;
    frame.wire_octets = static_cast<std::uint32_t>(whole.size());
    const auto got =
        decode_frame(decoder, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(captured)), frame);
    REQUIRE(got.reason == Discard::none);
    CHECK(got.source() == (captured < inner_ip + 20 ? "10.0.0.1" : "192.0.2.1"));
    CHECK(got.packet.ip_octets == (captured < inner_ip + 20 ? whole.size() - 14 : 47));
    CHECK((got.packet.tcp != nullptr) == (captured >= inner_ip + 40));
  }
}

TEST_CASE("an inner header that cannot be leaves the outer one in force, ports and all") {
  Bytes bad = with4(outer().udp(1111, 6081).geneve());
  bad[14 + 20 + 8 + 8] = 0x43;
  const auto got = decode_inner(bad);
  CHECK(got.flow() == "10.0.0.1:1111 > 10.0.0.2:6081 17");
  CHECK(got.packet.ip_octets == bad.size() - 14);
  CHECK(got.packet.tcp == nullptr);
}

TEST_CASE("of a fragmented tunnel the first fragment counts inside, the others outside with its ports") {
  Decoder decoder{DecodeSettings{.inner = true}};
  const auto first = decode_frame(decoder, with4(outer().fragment(0, true, 5).udp(1, 4789).vxlan().ethernet()));
  CHECK(first.flow() == kInner);
  CHECK_FALSE(first.packet.fragment);
  const auto later = decode_frame(decoder, outer().protocol(17).fragment(10, false, 5).payload(40).bytes());
  CHECK(later.flow() == "10.0.0.1:1 > 10.0.0.2:4789 17");
  CHECK(later.packet.fragment);
}

TEST_CASE("offloaded lengths of 0 outside and inside stand for what the wire says is left") {
  Bytes bytes = inner4(outer().udp(1, 4789).vxlan().ethernet()).total_length(0).bytes();
  put16(bytes, 14 + 2, 0);       // outer IPv4
  put16(bytes, 14 + 20 + 4, 0);  // UDP
  Decoder decoder{DecodeSettings{.inner = true}};
  Frame frame;
  frame.wire_octets = 80114;
  const auto got = decode_frame(decoder, bytes, frame);
  CHECK(got.flow() == kInner);
  CHECK(got.packet.ip_octets == 80114 - 14 - 20 - 8 - 8 - 14);
  CHECK(got.packet.payload_octets == 80114 - 14 - 20 - 8 - 8 - 14 - 40);
}
