// SPDX-License-Identifier: Apache-2.0
// The fuzzer's body over frames that are whole, cut and damaged: what it checks must hold in the ordinary test run too.
#include <doctest/doctest.h>

#include <random>
#include <utility>
#include <vector>

#include "support/packet_builder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

constexpr unsigned kRounds = 40000;

// Link type (as the first octet chooses it) and frame, one of each kind of header.
std::vector<std::pair<std::uint8_t, Bytes>> seeds() {
  const auto ip4 = [](PacketBuilder builder) { return builder.ip4("10.0.0.1", "10.0.0.2"); };
  const Options options = mss(1460) + nop() + wscale(7) + sack({{1, 2}, {3, 4}}) + timestamps(1, 2);
  const auto inside = [&](PacketBuilder builder) {
    return ip4(builder).tcp(1111, 80, {.options = options}).payload(9).bytes();
  };
  const auto ip6 = [](PacketBuilder builder) { return builder.ip6("2001:db8::1", "2001:db8::2"); };
  return {
      {0, inside(eth())},
      {0, inside(eth().vlan(1).vlan(2).mpls(3).mpls(4))},
      {0, inside(eth().pppoe())},
      {0, inside(eth().snap())},
      {0,
       ip6(eth()).extension(0, {0xC2, 4, 0, 1, 0, 0}).extension(43, Bytes(22)).fragment6(0, true, 1).tcp(5, 6).bytes()},
      {0, ip4(eth()).fragment(0, true, 1).udp(5, 6).bytes()},
      {0, ip4(eth()).fragment(7, false, 1).payload(40).bytes()},
      {0, ip4(eth()).icmp(3, 3).bytes()},
      {0, inside(ip4(eth()).gre(0xB000, 0x0800, Bytes(12)))},
      {0, inside(ip4(eth()).gre(0x1000, 0x22EB, Bytes(16)).ethernet())},
      {0, inside(ip4(eth()).etherip().ethernet())},
      {0, inside(ip4(eth()).authentication())},
      {0, inside(ip4(eth()).udp(1, 4789).vxlan().ethernet())},
      {0, inside(ip4(eth()).udp(1, 6081).geneve(Bytes(8)))},
      {0, inside(ip4(eth()).udp(1, 2152).gtpu(0x34, {0, 0, 0, 0x85, 1, 0, 0, 0}))},
      {0, ip6(ip4(eth()).udp(1, 3544).octets(Bytes(8))).tcp(5, 6).bytes()},
      {1, inside(raw())},
      {2, inside(raw().loopback({2, 0, 0, 0}))},
      {3, inside(sll())},
      {4, inside(sll2())},
  };
}

void try_frame(std::uint8_t choice, const Bytes& frame) {
  Bytes input{choice};
  add(input, frame);
  CHECK(LLVMFuzzerTestOneInput(input.data(), input.size()) == 0);
}

}  // namespace

TEST_CASE("frames cut at every octet keep the decoder's promises") {
  for (const auto& [link, frame] : seeds()) {
    for (std::size_t size = 0; size <= frame.size(); ++size) {
      try_frame(link, Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size)));
    }
  }
}

TEST_CASE("damaged frames keep the decoder's promises") {
  std::mt19937 random{20240229};  // the same frames every time
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  const auto all = seeds();
  for (unsigned round = 0; round < kRounds; ++round) {
    auto [link, frame] = all[below(all.size())];
    for (std::size_t damage = 1 + below(4); damage > 0; --damage)
      frame[below(frame.size())] = static_cast<std::uint8_t>(random());
    if (below(2) == 0) frame.resize(below(frame.size() + 1));
    try_frame(static_cast<std::uint8_t>(link + 5 * below(51)), frame);
  }
}
