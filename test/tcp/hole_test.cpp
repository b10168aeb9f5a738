// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/tcp/hole.hpp"

#include <doctest/doctest.h>

#include <set>

#include "random_stream.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

Hole hole(std::uint32_t left, std::uint32_t right, std::int64_t us = 0) {
  return {SeqNum{left}, SeqNum{right}, UsStamp{us}};
}

// Every octet that stands in a hole.
std::set<std::uint32_t> octets(const TcpColdDirection& direction) {
  std::set<std::uint32_t> all;
  for (unsigned i = 0; i < direction.hole_count; ++i)
    for (std::uint32_t at = direction.holes[i].left.value(); at != direction.holes[i].right.value(); ++at)
      all.insert(at);
  return all;
}

}  // namespace

TEST_CASE("a segment inside a hole splits it, and both rests keep the hole's time") {
  TcpColdDirection direction{};
  add_hole(direction, hole(100, 200, 7));
  CHECK(fill_holes(direction, SeqNum{120}, SeqNum{150}) == 30);
  REQUIRE(direction.hole_count == 2);
  CHECK(direction.holes[0].right == SeqNum{120});
  CHECK(direction.holes[1].left == SeqNum{150});
  CHECK(direction.holes[1].seen_at - UsStamp{7} == 0);
}

TEST_CASE("a segment over several holes fills what each of them lacks") {
  TcpColdDirection direction{};
  add_hole(direction, hole(100, 200));
  add_hole(direction, hole(300, 400));
  CHECK(fill_holes(direction, SeqNum{150}, SeqNum{350}) == 100);
  CHECK(octets(direction).size() == 100);
  CHECK(fill_holes(direction, SeqNum{200}, SeqNum{300}) == 0);
}

TEST_CASE("the fourth hole costs the oldest, and the direction says so") {
  TcpColdDirection direction{};
  for (std::uint32_t i = 0; i < 3; ++i) add_hole(direction, hole(100 * i, 100 * i + 50));
  CHECK(!direction.has(cold_flag::kHolesForgotten));
  CHECK(fill_holes(direction, SeqNum{110}, SeqNum{120}) == 10);  // splitting makes a fourth
  CHECK(direction.has(cold_flag::kHolesForgotten));
  CHECK(direction.hole_count == 3);
  CHECK(first_hole_in(direction, SeqNum{0}, SeqNum{50}) == nullptr);
}

TEST_CASE("an ACK closes what lies below it and cuts what it falls into") {
  TcpColdDirection direction{};
  add_hole(direction, hole(0xFFFFFF00, 0xFFFFFF80));
  add_hole(direction, hole(0xFFFFFFF0, 0x10));  // over the wrap
  CHECK(close_holes_below(direction, SeqNum{0}) == 0x80 + 0x10);
  REQUIRE(direction.hole_count == 1);
  CHECK(direction.holes[0].left == SeqNum{0});
  CHECK(close_holes_below(direction, SeqNum{0x10}) == 0x10);
  CHECK(direction.hole_count == 0);
}

TEST_CASE("holes behave as a set of octets while no more than three of them are needed") {
  Dice dice{11};
  for (int round = 0; round < 2000; ++round) {
    TcpColdDirection direction{};
    std::set<std::uint32_t> expected;
    std::uint32_t next = 1000;
    for (int step = 0; step < 30 && !direction.has(cold_flag::kHolesForgotten); ++step) {
      const auto from = static_cast<std::uint32_t>(990 + dice.below(next - 980));
      const auto to = from + 1 + static_cast<std::uint32_t>(dice.below(20));
      const TcpColdDirection before = direction;
      std::uint32_t removed = 0;
      std::uint32_t wanted = 0;
      if (dice.chance(300)) {
        const std::uint32_t left = next + 1;
        next = left + 1 + static_cast<std::uint32_t>(dice.below(15));
        add_hole(direction, hole(left, next));
        for (std::uint32_t at = left; at != next; ++at) expected.insert(at);
      } else if (dice.chance(800)) {
        removed = fill_holes(direction, SeqNum{from}, SeqNum{to});
        for (std::uint32_t at = from; at != to; ++at) wanted += static_cast<std::uint32_t>(expected.erase(at));
      } else {
        removed = close_holes_below(direction, SeqNum{from});
        while (!expected.empty() && *expected.begin() < from) wanted += (expected.erase(expected.begin()), 1U);
      }
      REQUIRE(direction.hole_count <= TcpColdDirection::kHoles);
      if (direction.has(cold_flag::kHolesForgotten)) break;
      REQUIRE(before.hole_count <= TcpColdDirection::kHoles);
      REQUIRE(removed == wanted);
      REQUIRE(octets(direction) == expected);
    }
  }
}
