// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/flow/key.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>
#include <tuple>

using namespace whiteowl;

namespace {

struct Ends {
  std::array<std::uint8_t, 16> source{}, destination{};
};

Packet packet(const Ends& ends, std::uint16_t source_port, std::uint16_t destination_port, std::uint8_t protocol = 6) {
  Packet p;
  p.source_address = ends.source.data();
  p.destination_address = ends.destination.data();
  p.source_port = source_port;
  p.destination_port = destination_port;
  p.protocol = protocol;
  p.ip_version = 4;
  return p;
}

}  // namespace

TEST_CASE("both directions have one key and differ in direction") {
  const Ends there{{10, 0, 0, 1}, {10, 0, 0, 2}};
  const Ends back{{10, 0, 0, 2}, {10, 0, 0, 1}};
  const DirectedKey a = directed_key(packet(there, 40'000, 80), false);
  const DirectedKey b = directed_key(packet(back, 80, 40'000), false);
  CHECK(a.key == b.key);
  CHECK(a.direction != b.direction);
  CHECK(a.key.protocol() == 6);
  CHECK(a.key.ip_version() == 4);
}

TEST_CASE("equal addresses are told apart by their ports, and a tuple equal to its reverse has direction 0") {
  const Ends self{{127, 0, 0, 1}, {127, 0, 0, 1}};
  CHECK(directed_key(packet(self, 1, 2), false).key == directed_key(packet(self, 2, 1), false).key);
  CHECK(directed_key(packet(self, 1, 2), false).direction != directed_key(packet(self, 2, 1), false).direction);
  CHECK(directed_key(packet(self, 7, 7), false).direction == 0);
}

TEST_CASE("the key of IPv4 says of each end what the packet says, the smaller first, and zeros") {
  std::mt19937 random{5};
  for (int i = 0; i < 1000; ++i) {
    Ends ends;
    for (auto* octets : {&ends.source, &ends.destination})
      for (std::size_t at = 0; at < 4; ++at) (*octets)[at] = static_cast<std::uint8_t>(random() % 3);
    const auto source_port = static_cast<std::uint16_t>(random()),
               destination_port = static_cast<std::uint16_t>(random());
    const DirectedKey directed = directed_key(packet(ends, source_port, destination_port), false);
    using End = std::tuple<std::uint64_t, std::uint64_t, std::uint16_t>;
    const End source{with_four_zeros(load_octets<std::uint32_t>(ends.source.data())), 0, source_port};
    const End destination{with_four_zeros(load_octets<std::uint32_t>(ends.destination.data())), 0, destination_port};
    const FlowKey& key = directed.key;
    CHECK(End{key.low[0], key.low[1], key.low_port()} == std::min(source, destination));
    CHECK(End{key.high[0], key.high[1], key.high_port()} == std::max(source, destination));
    CHECK(directed.direction == (source > destination ? 1 : 0));
  }
}

TEST_CASE("directions of ICMP are flows of their own") {
  const Ends there{{10, 0, 0, 1}, {10, 0, 0, 2}};
  const Ends back{{10, 0, 0, 2}, {10, 0, 0, 1}};
  const DirectedKey request = directed_key(packet(there, 0, 8 * 256, 1), false);
  const DirectedKey reply = directed_key(packet(back, 0, 0, 1), false);
  CHECK_FALSE(request.key == reply.key);
  CHECK(request.direction == 0);
  CHECK(reply.direction == 0);
}

TEST_CASE("the VLAN is part of the key only when asked for") {
  const Ends ends{{10, 0, 0, 1}, {10, 0, 0, 2}};
  Packet tagged = packet(ends, 1, 2);
  tagged.vlan_id = 100;
  CHECK(directed_key(tagged, false).key == directed_key(packet(ends, 1, 2), false).key);
  CHECK_FALSE(directed_key(tagged, true).key == directed_key(packet(ends, 1, 2), true).key);
}
