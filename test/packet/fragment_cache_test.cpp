// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/packet/fragment_cache.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

#include "packet/decoded.hpp"

using namespace whiteowl;
using namespace whiteowl::test;
using namespace std::chrono_literals;

namespace {

Bytes first4(std::uint16_t id, const char* source = "10.0.0.1") {
  return eth().ip4(source, "10.0.0.2").fragment(0, true, id).udp(5000, 53).payload(8).bytes();
}
Bytes later4(std::uint16_t id, const char* source = "10.0.0.1") {
  return eth().ip4(source, "10.0.0.2").protocol(17).fragment(2, false, id).payload(8).bytes();
}
Frame at(Duration time) {
  Frame frame;
  frame.time = Timestamp{time};
  return frame;
}

const std::string kWithPorts = "10.0.0.1:5000 > 10.0.0.2:53 17";
const std::string kWithout = "10.0.0.1:0 > 10.0.0.2:0 17";

}  // namespace

TEST_CASE("the first fragment lends its ports to the later ones of its datagram and to no other") {
  Decoder decoder{DecodeSettings{}};
  const auto first = decode_frame(decoder, first4(7));
  CHECK(first.flow() == kWithPorts);
  CHECK(first.packet.fragment);
  const auto later = decode_frame(decoder, later4(7));
  CHECK(later.flow() == kWithPorts);
  CHECK(later.packet.fragment);
  CHECK(later.packet.ip_octets == 28);
  CHECK(decode_frame(decoder, later4(8)).flow() == kWithout);
  CHECK(decode_frame(decoder, later4(7, "10.0.0.3")).flow() == "10.0.0.3:0 > 10.0.0.2:0 17");
  const Bytes other_protocol = eth().ip4("10.0.0.1", "10.0.0.2").protocol(6).fragment(2, false, 7).payload(8).bytes();
  CHECK(decode_frame(decoder, other_protocol).flow() == "10.0.0.1:0 > 10.0.0.2:0 6");
}

TEST_CASE("a later fragment that comes before the first has ports 0") {
  Decoder decoder{DecodeSettings{}};
  CHECK(decode_frame(decoder, later4(7)).flow() == kWithout);
  CHECK(decode_frame(decoder, first4(7)).flow() == kWithPorts);
  CHECK(decode_frame(decoder, later4(7)).flow() == kWithPorts);
}

TEST_CASE("fragments of TCP have ports and no segment, so that no sequence number of theirs is looked at") {
  Decoder decoder{DecodeSettings{}};
  const Bytes bytes = eth().ip4("10.0.0.1", "10.0.0.2").fragment(0, true, 9).tcp(1111, 80).payload(4).bytes();
  const auto first = decode_frame(decoder, bytes);
  CHECK(first.flow() == "10.0.0.1:1111 > 10.0.0.2:80 6");
  CHECK(first.packet.tcp == nullptr);
  CHECK(first.packet.payload_octets == 0);
}

TEST_CASE("the first fragment of an ICMP message lends type and code") {
  Decoder decoder{DecodeSettings{}};
  const Bytes first = eth().ip4("10.0.0.1", "10.0.0.2").fragment(0, true, 9).icmp(8, 0).bytes();
  const Bytes later = eth().ip4("10.0.0.1", "10.0.0.2").protocol(1).fragment(1, false, 9).payload(8).bytes();
  CHECK(decode_frame(decoder, first).flow() == "10.0.0.1:0 > 10.0.0.2:2048 1");
  CHECK(decode_frame(decoder, later).flow() == "10.0.0.1:0 > 10.0.0.2:2048 1");
}

TEST_CASE(
    "IPv6 fragments take ports and protocol from the first, behind extension headers of the fragmentable part too") {
  Decoder decoder{DecodeSettings{}};
  const auto ip = [] { return eth().ip6("2001:db8::1", "2001:db8::2"); };
  const Bytes first =
      ip().fragment6(0, true, 0xABCD0001).extension(ip_protocol::kDestinationOptions).udp(5000, 53).bytes();
  const Bytes later =
      ip().fragment6(2, false, 0xABCD0001).protocol(ip_protocol::kDestinationOptions).payload(8).bytes();
  const Bytes other = ip().fragment6(2, false, 0xABCD0002).protocol(17).payload(8).bytes();
  CHECK(decode_frame(decoder, first).flow() == "2001:db8::1:5000 > 2001:db8::2:53 17");
  const auto got = decode_frame(decoder, later);
  CHECK(got.flow() == "2001:db8::1:5000 > 2001:db8::2:53 17");
  CHECK(got.packet.fragment);
  CHECK(decode_frame(decoder, other).flow() == "2001:db8::1:0 > 2001:db8::2:0 17");
}

TEST_CASE("an IPv6 fragment header around a whole datagram makes no fragment of it") {
  const auto got =
      decode(eth().ip6("2001:db8::1", "2001:db8::2").fragment6(0, false, 1).tcp(1111, 80).payload(5).bytes());
  CHECK(got.flow() == "2001:db8::1:1111 > 2001:db8::2:80 6");
  CHECK_FALSE(got.packet.fragment);
  CHECK(got.packet.tcp != nullptr);
  CHECK(got.packet.payload_octets == 5);
}

TEST_CASE("ports are lent for thirty seconds of packet time, also when the stamps go back") {
  Decoder decoder{DecodeSettings{}};
  CHECK(decode_frame(decoder, first4(7), at(100s)).flow() == kWithPorts);
  CHECK(decode_frame(decoder, later4(7), at(130s)).flow() == kWithPorts);
  CHECK(decode_frame(decoder, later4(7), at(130s + 1ns)).flow() == kWithout);
  CHECK(decode_frame(decoder, later4(7), at(99s)).flow() == kWithPorts);
  CHECK(decode_frame(decoder, later4(7), at(69s)).flow() == kWithout);
}

TEST_CASE("the earliest and the latest stamp there are lie too far apart") {
  Decoder decoder{DecodeSettings{}};
  CHECK(decode_frame(decoder, first4(7), at(Duration::min())).flow() == kWithPorts);
  CHECK(decode_frame(decoder, later4(7), at(Duration::max())).flow() == kWithout);
  CHECK(decode_frame(decoder, later4(7), at(Duration::min() + 30s)).flow() == kWithPorts);
}

TEST_CASE("a datagram that uses an identification again replaces the one before") {
  Decoder decoder{DecodeSettings{}};
  CHECK(decode_frame(decoder, first4(7)).flow() == kWithPorts);
  const Bytes again = eth().ip4("10.0.0.1", "10.0.0.2").fragment(0, true, 7).udp(6000, 54).bytes();
  CHECK(decode_frame(decoder, again).packet.source_port == 6000);
  CHECK(decode_frame(decoder, later4(7)).flow() == "10.0.0.1:6000 > 10.0.0.2:54 17");
}

TEST_CASE("when the cache is full the oldest datagram is forgotten and the newest is known") {
  Decoder decoder{DecodeSettings{.fragment_cache_max = 4}};
  for (std::uint16_t id = 1; id <= 5; ++id) CHECK(decode_frame(decoder, first4(id)).flow() == kWithPorts);
  CHECK(decode_frame(decoder, later4(1)).flow() == kWithout);
  for (std::uint16_t id = 2; id <= 5; ++id) CHECK(decode_frame(decoder, later4(id)).flow() == kWithPorts);
}

TEST_CASE("as many datagrams as the cache has room for are known at once, whatever their identifications") {
  for (const unsigned step : {1U, 16U, 63U}) {
    Decoder decoder{DecodeSettings{.fragment_cache_max = 1024}};
    const auto id = [step](unsigned i) { return static_cast<std::uint16_t>(i * step); };
    for (unsigned i = 0; i < 1024; ++i) CHECK(decode_frame(decoder, first4(id(i))).reason == Discard::none);
    unsigned known = 0;
    for (unsigned i = 0; i < 1024; ++i) known += decode_frame(decoder, later4(id(i))).packet.source_port == 5000;
    CHECK(known == 1024);
  }
}

TEST_CASE("a datagram that comes again counts as the youngest") {
  Decoder decoder{DecodeSettings{.fragment_cache_max = 4}};
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{1, 2, 3, 4, 1, 5, 6})
    CHECK(decode_frame(decoder, first4(id)).flow() == kWithPorts);
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{1, 5, 6})
    CHECK(decode_frame(decoder, later4(id)).flow() == kWithPorts);
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{2, 3})
    CHECK(decode_frame(decoder, later4(id)).flow() == kWithout);
}
