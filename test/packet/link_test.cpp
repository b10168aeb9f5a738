// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/packet/link.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <initializer_list>
#include <string>

#include "packet/decoded.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

const std::string kFlow = "10.0.0.1:1111 > 10.0.0.2:80 6";
const std::string kFlow6 = "2001:db8::1:1111 > 2001:db8::2:80 6";

PacketBuilder ip4_tcp(PacketBuilder builder) { return builder.ip4("10.0.0.1", "10.0.0.2").tcp(1111, 80).payload(5); }
PacketBuilder ip6_tcp(PacketBuilder builder) {
  return builder.ip6("2001:db8::1", "2001:db8::2").tcp(1111, 80).payload(5);
}

bool has_macs(const Packet& packet) {
  return packet.source_mac != nullptr && std::equal(kSourceMac, kSourceMac + 6, packet.source_mac) &&
         packet.destination_mac != nullptr && std::equal(kDestinationMac, kDestinationMac + 6, packet.destination_mac);
}

}  // namespace

TEST_CASE("an untagged Ethernet frame gives both MAC addresses, no tag and no label") {
  const auto got = decode(ip4_tcp(eth()).bytes());
  CHECK(got.flow() == kFlow);
  CHECK(has_macs(got.packet));
  CHECK(got.packet.vlan_id == 0);
  CHECK(got.packet.customer_vlan_id == 0);
  CHECK(got.packet.mpls_label == Packet::kNoMplsLabel);
}

TEST_CASE("the outermost tag is the VLAN, the second the customer's, by 802.1Q, 802.1ad and the older TPID alike") {
  const auto one = decode(ip4_tcp(eth().vlan(0x6064)).bytes());
  CHECK(one.flow() == kFlow);
  CHECK(one.packet.vlan_id == 100);
  CHECK(one.packet.customer_vlan_id == 0);
  for (const std::uint16_t tpid : std::initializer_list<std::uint16_t>{0x88A8, 0x9100, 0x8100}) {
    const auto two = decode(ip6_tcp(eth().vlan(4094, tpid).vlan(7)).bytes());
    CHECK(two.flow() == kFlow6);
    CHECK(two.packet.vlan_id == 4094);
    CHECK(two.packet.customer_vlan_id == 7);
    CHECK(has_macs(two.packet));
  }
}

TEST_CASE("the tag that the kernel stripped is the outermost") {
  Frame stripped;
  stripped.vlan_tpid = 0x88A8;
  stripped.vlan_tci = 0xE123;
  const auto alone = decode(ip4_tcp(eth()).bytes(), stripped);
  CHECK(alone.packet.vlan_id == 0x123);
  CHECK(alone.packet.customer_vlan_id == 0);
  const auto over_another = decode(ip4_tcp(eth().vlan(7)).bytes(), stripped);
  CHECK(over_another.packet.vlan_id == 0x123);
  CHECK(over_another.packet.customer_vlan_id == 7);
  stripped.link = LinkType::linux_sll;
  CHECK(decode(ip4_tcp(sll()).bytes(), stripped).packet.vlan_id == 0x123);
}

TEST_CASE("eight tags are walked and nine are too many") {
  PacketBuilder eight = eth();
  for (std::uint16_t i = 1; i <= 8; ++i) eight.vlan(i);
  PacketBuilder nine = eight;
  nine.vlan(9);
  CHECK(decode(ip4_tcp(eight).bytes()).flow() == kFlow);
  CHECK(decode(ip4_tcp(nine).bytes()).flow() == "too_many_tags");
}

TEST_CASE(
    "under MPLS labels the version nibble says what is carried, and the topmost label is kept with class and bottom "
    "bits") {
  const auto one = decode(ip4_tcp(eth().mpls(16, 5)).bytes());
  CHECK(one.flow() == kFlow);
  CHECK(one.packet.mpls_label == (16U << 4U | 5U << 1U | 1U));
  const auto three = decode(ip6_tcp(eth().vlan(9).mpls(1000).mpls(2000).mpls(3)).bytes());
  CHECK(three.flow() == kFlow6);
  CHECK(three.packet.mpls_label == 1000U << 4U);
  CHECK(three.packet.vlan_id == 9);
}

TEST_CASE("Ethernet behind a control word under MPLS carries IP; tags of the frame itself stay") {
  const auto plain = decode(ip4_tcp(eth().mpls(16).octets({0, 0, 0, 1}).ethernet()).bytes());
  CHECK(plain.flow() == kFlow);
  const auto tagged = decode(ip4_tcp(eth().vlan(5).mpls(16).octets({0, 0, 0, 1}).ethernet().vlan(7)).bytes());
  CHECK(tagged.flow() == kFlow);
  CHECK(tagged.packet.vlan_id == 5);
  CHECK(decode(ip4_tcp(eth().mpls(16).octets({0, 0, 0, 1}).ethernet().mpls(17)).bytes()).flow() == "not_ip");
  CHECK(decode(eth().mpls(16).octets({0, 0, 0, 1}).bytes()).flow() == "not_ip");
}

TEST_CASE("other pseudowires under MPLS are not mistaken for IP") {
  CHECK(decode(eth().mpls(16).octets({0x10, 0, 0, 1}).payload(40).bytes()).flow() == "not_ip");
  CHECK(decode(ip4_tcp(eth().mpls(16).ethernet()).bytes()).flow() == "not_ip");
}

TEST_CASE("a label stack without a bottom is refused") {
  PacketBuilder endless = eth();
  for (std::uint32_t i = 0; i < 40; ++i) endless.mpls(i);
  CHECK(decode(ip4_tcp(endless).bytes()).flow() == "too_many_tags");
  CHECK(decode(eth().mpls(1).mpls(2).bytes()).flow() == "truncated_link");
}

TEST_CASE("PPPoE session frames carry IPv4 and IPv6, also with a compressed protocol; discovery and LCP carry none") {
  CHECK(decode(ip4_tcp(eth().pppoe()).bytes()).flow() == kFlow);
  CHECK(decode(ip6_tcp(eth().vlan(2).vlan(3).pppoe()).bytes()).flow() == kFlow6);
  Bytes compressed = ip4_tcp(eth().pppoe()).bytes();
  compressed.erase(compressed.begin() + 20);  // the first octet of 0x0021
  put16(compressed, 18, compressed.size() - 20);
  CHECK(decode(compressed).flow() == kFlow);
  Bytes lcp = ip4_tcp(eth().pppoe()).bytes();
  put16(lcp, 20, 0xC021);
  CHECK(decode(lcp).flow() == "not_ip");
  Bytes padt = ip4_tcp(eth().pppoe()).bytes();
  padt[15] = 0xA7;
  CHECK(decode(padt).flow() == "not_ip");
  Bytes discovery = ip4_tcp(eth().pppoe()).bytes();
  put16(discovery, 12, 0x8863);
  CHECK(decode(discovery).flow() == "not_ip");
}

TEST_CASE("IP in SNAP behind an 802.3 length counts; a spanning tree frame does not") {
  CHECK(decode(ip4_tcp(eth().snap()).padding(3).bytes()).flow() == kFlow);
  CHECK(decode(ip6_tcp(eth().vlan(5).snap()).bytes()).flow() == kFlow6);
  const Bytes spanning_tree = eth().octets({0x42, 0x42, 0x03}).zeros(43).bytes();
  Bytes with_length = spanning_tree;
  put16(with_length, 12, 38);
  CHECK(decode(with_length).flow() == "not_ip");
}

TEST_CASE("ARP is not IP") {
  Bytes arp = eth().zeros(46).bytes();
  put16(arp, 12, 0x0806);
  CHECK(decode(arp).flow() == "not_ip");
}

TEST_CASE("cooked captures of both versions give the sender's MAC address and no other") {
  for (const auto link : {LinkType::linux_sll, LinkType::linux_sll2}) {
    const auto header = [&] { return link == LinkType::linux_sll ? sll() : sll2(); };
    const auto got = decode(ip4_tcp(header()).bytes(), link);
    CHECK(got.flow() == kFlow);
    REQUIRE(got.packet.source_mac != nullptr);
    CHECK(std::equal(kSourceMac, kSourceMac + 6, got.packet.source_mac));
    CHECK(got.packet.destination_mac == nullptr);
    CHECK(decode(ip6_tcp(header().vlan(77)).bytes(), link).packet.vlan_id == 77);
    Bytes no_address = ip4_tcp(header()).bytes();
    no_address[link == LinkType::linux_sll ? 5 : 11] = 0;
    CHECK(decode(no_address, link).packet.source_mac == nullptr);
  }
  Bytes llc = ip4_tcp(sll().snap()).bytes();
  put16(llc, 14, 4);
  CHECK(decode(llc, LinkType::linux_sll).flow() == kFlow);
}

TEST_CASE("raw IP is told by its version nibble") {
  CHECK(decode(ip4_tcp(raw()).bytes(), LinkType::raw_ip).flow() == kFlow);
  CHECK(decode(ip6_tcp(raw()).bytes(), LinkType::raw_ip).flow() == kFlow6);
  CHECK(decode({0x50, 0, 0, 0}, LinkType::raw_ip).flow() == "bad_ip_version");
  CHECK(decode({}, LinkType::raw_ip).flow() == "truncated_ip");
  CHECK(decode(ip4_tcp(raw()).bytes(), LinkType::raw_ip).packet.source_mac == nullptr);
}

TEST_CASE("BSD loopback knows the address families of each system in either byte order") {
  CHECK(decode(ip4_tcp(raw().loopback({2, 0, 0, 0})).bytes(), LinkType::bsd_loopback).flow() == kFlow);
  CHECK(decode(ip4_tcp(raw().loopback({0, 0, 0, 2})).bytes(), LinkType::bsd_loopback).flow() == kFlow);
  for (const std::uint8_t family : std::initializer_list<std::uint8_t>{10, 24, 28, 30}) {
    CHECK(decode(ip6_tcp(raw().loopback({family, 0, 0, 0})).bytes(), LinkType::bsd_loopback).flow() == kFlow6);
    CHECK(decode(ip6_tcp(raw().loopback({0, 0, 0, family})).bytes(), LinkType::bsd_loopback).flow() == kFlow6);
  }
  CHECK(decode(ip4_tcp(raw().loopback({7, 0, 0, 0})).bytes(), LinkType::bsd_loopback).flow() == "not_ip");
  CHECK(decode(ip4_tcp(raw().loopback({0, 2, 0, 0})).bytes(), LinkType::bsd_loopback).flow() == "not_ip");
}

TEST_CASE("IPv4 behind the number of IPv6 contradicts it; the number of IPv4 means either version") {
  Bytes wrong = ip4_tcp(eth()).bytes();
  put16(wrong, 12, 0x86DD);
  CHECK(decode(wrong).flow() == "bad_ip_version");
  Bytes either = ip6_tcp(eth()).bytes();
  put16(either, 12, 0x0800);
  CHECK(decode(either).flow() == kFlow6);
}
