// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/time_scale.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

using namespace whiteowl;

namespace {

std::int64_t nanoseconds(std::uint8_t resolution, std::int64_t offset, std::uint64_t ticks) {
  return TimeScale{resolution, offset}.stamp(ticks).time_since_epoch().count();
}
constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
constexpr std::int64_t kEdge = (std::int64_t{1} << 62) - 1;

}  // namespace

TEST_CASE("decimal units become nanoseconds") {
  CHECK(TimeScale{}.stamp(1'500'000).time_since_epoch().count() == 1'500'000'000);  // microseconds by default
  CHECK(nanoseconds(0, 0, 7) == 7'000'000'000);
  CHECK(nanoseconds(3, 0, 1'234) == 1'234'000'000);
  CHECK(nanoseconds(9, 0, 1'340'954'905'298'858'123) == 1'340'954'905'298'858'123);
}

TEST_CASE("units finer than a nanosecond are floored") {
  CHECK(nanoseconds(12, 0, 1'999) == 1);
  CHECK(nanoseconds(28, 0, 10'000'000'000'000'000'000ULL) == 1);  // 10^19 units of 10^-28 s
  CHECK(nanoseconds(29, 0, kMost) == 0);
  CHECK(nanoseconds(127, 0, kMost) == 0);
}

TEST_CASE("binary units become nanoseconds") {
  CHECK(nanoseconds(0x80, 0, 5) == 5'000'000'000);
  CHECK(nanoseconds(0x80 | 10, 0, 1'536) == 1'500'000'000);                          // 1.5 s of 1/1024 s
  CHECK(nanoseconds(0x80 | 32, 0, (3ULL << 32U) | (1ULL << 31U)) == 3'500'000'000);  // as NTP counts
  CHECK(nanoseconds(0x80 | 60, 0, (7ULL << 60U) | (1ULL << 58U)) == 7'250'000'000);
  CHECK(nanoseconds(0x80 | 64, 0, 1ULL << 63U) == 500'000'000);
  CHECK(nanoseconds(0x80 | 127, 0, kMost) == 0);
}

TEST_CASE("an offset in seconds is added, also a negative one") {
  CHECK(nanoseconds(6, 100, 1) == 100'000'001'000);
  CHECK(nanoseconds(6, -100, 1) == -99'999'999'000);
}

TEST_CASE("absurd stamps stop where their differences still fit") {
  CHECK(nanoseconds(0, 0, kMost) == kEdge);
  CHECK(nanoseconds(6, std::numeric_limits<std::int64_t>::max(), kMost) == kEdge);
  CHECK(nanoseconds(9, std::numeric_limits<std::int64_t>::min(), 0) >= -kEdge);
  CHECK(nanoseconds(0x80, 0, kMost) == kEdge);
  // 0xFFFFFFFF seconds, the latest that classic pcap can say, is inside.
  CHECK(nanoseconds(0, 0, 0xFFFFFFFF) == 4'294'967'295'000'000'000);
}
