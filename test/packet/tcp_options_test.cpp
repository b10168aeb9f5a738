// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/packet/tcp_options.hpp"

#include <doctest/doctest.h>

#include "packet/decoded.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

Bytes segment(const Options& options) {
  return eth().ip4("10.0.0.1", "10.0.0.2").tcp(1, 2, {.options = options}).payload(40).bytes();
}

TcpOptions options_of(const Bytes& bytes) {
  const auto got = decode(bytes);
  REQUIRE(got.packet.tcp != nullptr);
  return read_tcp_options(got.packet);
}

constexpr std::uint64_t kinds(std::initializer_list<unsigned> list) {
  std::uint64_t bits = 0;
  for (const unsigned kind : list) bits |= std::uint64_t{1} << kind;
  return bits;
}

}  // namespace

TEST_CASE("a SYN's options are all read") {
  const auto got =
      options_of(segment(mss(1460) + sack_permitted() + timestamps(0x01020304, 0xFFFFFFFF) + nop() + wscale(7)));
  CHECK(got.mss == 1460);
  CHECK(got.sack_permitted);
  CHECK(got.has_timestamps);
  CHECK(got.ts_value == 0x01020304);
  CHECK(got.ts_echo == 0xFFFFFFFF);
  CHECK(got.has_window_scale);
  CHECK(got.window_scale == 7);
  CHECK(got.kinds == kinds({1, 2, 3, 4, 8}));
  CHECK(got.sack_count == 0);
}

TEST_CASE("the usual options of a connection are read the short way, with the same answer as the long way") {
  const auto usual = options_of(segment(nop() + nop() + timestamps(5, 6)));
  CHECK(usual.has_timestamps);
  CHECK(usual.ts_value == 5);
  CHECK(usual.ts_echo == 6);
  CHECK(usual.kinds == kinds({1, 8}));
  const auto unusual = options_of(segment(timestamps(5, 6) + nop() + nop()));
  CHECK(unusual.ts_value == 5);
  CHECK(unusual.ts_echo == 6);
  CHECK(unusual.kinds == kinds({1, 8}));
}

TEST_CASE("a segment without options has none") {
  const auto got = options_of(segment({}));
  CHECK(got.kinds == 0);
  CHECK(got.mss == 0);
  CHECK_FALSE(got.has_timestamps);
  CHECK_FALSE(got.has_window_scale);
}

TEST_CASE("a shift above fourteen counts as fourteen") {
  CHECK(options_of(segment(nop() + wscale(14))).window_scale == 14);
  CHECK(options_of(segment(nop() + wscale(15))).window_scale == 14);
  CHECK(options_of(segment(nop() + wscale(255))).window_scale == 14);
  CHECK(options_of(segment(nop() + wscale(0))).has_window_scale);
}

TEST_CASE("selective acknowledgments are read in whole blocks, at most four") {
  const auto three = options_of(segment(nop() + nop() + sack({{10, 20}, {0xFFFFFFF0, 5}, {30, 40}})));
  REQUIRE(three.sack_count == 3);
  CHECK(three.sack[0].left == 10);
  CHECK(three.sack[0].right == 20);
  CHECK(three.sack[1].left == 0xFFFFFFF0);
  CHECK(three.sack[1].right == 5);
  CHECK(three.sack[2].left == 30);
  CHECK(three.sack[2].right == 40);
  const auto four = options_of(segment(nop() + nop() + sack({{1, 2}, {3, 4}, {5, 6}, {7, 8}})));
  CHECK(four.sack_count == 4);
  CHECK(four.sack[3].right == 8);
  const auto one_and_a_half = options_of(segment({{5, 14, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}}));
  CHECK(one_and_a_half.sack_count == 1);
  CHECK(options_of(segment({{5, 2, 1, 1}})).sack_count == 0);
}

TEST_CASE("an option with a length that its kind cannot have says nothing, and the walk goes on") {
  const auto got =
      options_of(segment(Options{{2, 3, 9}} + Options{{3, 4, 9, 9}} + Options{{8, 6, 9, 9, 9, 9}} + mss(536)));
  CHECK(got.mss == 536);
  CHECK_FALSE(got.has_window_scale);
  CHECK_FALSE(got.has_timestamps);
}

TEST_CASE("nothing is read behind the end of the list, nor behind a length below two") {
  CHECK(options_of(segment(end_of_options() + mss(1460))).mss == 0);
  CHECK(options_of(segment(end_of_options())).kinds == kinds({0}));
  CHECK(options_of(segment(wscale(3) + Options{{99, 0}} + mss(1460))).mss == 0);
  CHECK(options_of(segment(wscale(3) + Options{{99, 1}} + mss(1460))).has_window_scale);
  CHECK(options_of(segment(Options{{77, 4, 0, 0}} + mss(1460))).mss == 1460);
}

TEST_CASE("an option that runs beyond the header is absent, though octets of the payload follow") {
  CHECK_FALSE(options_of(segment(nop() + nop() + Options{{8, 10}})).has_timestamps);
  CHECK(options_of(segment(nop() + nop() + nop() + Options{{4}})).kinds == kinds({1}));
}

TEST_CASE("an option that was not wholly captured is absent, those before it count") {
  const Bytes whole = segment(mss(1460) + nop() + wscale(7) + nop() + nop() + timestamps(1, 2));
  for (std::size_t captured = 14 + 20 + 20; captured <= 14 + 20 + 40; ++captured) {
    const auto got = decode(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(captured)));
    REQUIRE(got.packet.tcp != nullptr);
    const auto options = read_tcp_options(got.packet);
    CHECK((options.mss == 1460) == (captured >= 14 + 20 + 24));
    CHECK(options.has_window_scale == (captured >= 14 + 20 + 28));
    CHECK(options.has_timestamps == (captured >= 14 + 20 + 40));
  }
}
