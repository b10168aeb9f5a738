// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/wire.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace whiteowl;

TEST_CASE("integers stand in network order, at any alignment") {
  const std::array<std::uint8_t, 9> bytes{0xAA, 1, 2, 3, 4, 5, 6, 7, 8};
  Cursor cursor{bytes};
  REQUIRE(cursor.skip(1));
  CHECK(cursor.peek<be16>()->value() == 0x0102);
  CHECK(cursor.peek<be32>()->value() == 0x01020304);
  CHECK(cursor.peek<be64>()->value() == 0x0102030405060708);
}

TEST_CASE("a cursor neither takes nor steps past its end") {
  const std::array<std::uint8_t, 3> bytes{1, 2, 3};
  Cursor cursor{bytes};
  CHECK(cursor.take<be32>() == nullptr);
  CHECK(cursor.remaining() == 3);
  CHECK_FALSE(cursor.skip(4));
  CHECK(cursor.take<be16>() != nullptr);
  CHECK(cursor.take<be16>() == nullptr);
  CHECK(cursor.remaining() == 1);
  cursor.limit(5);
  CHECK(cursor.remaining() == 1);
  cursor.limit(0);
  CHECK(cursor.remaining() == 0);
}

TEST_CASE("a writer writes network order") {
  std::array<std::uint8_t, 16> room{};
  Writer writer{room};
  writer.put(std::uint16_t{0x0A0B});
  writer.put(std::uint32_t{0x01020304});
  writer.put(std::uint64_t{0x1112131415161718});
  CHECK(writer.written() == 14);
  CHECK(writer.room() == 2);
  const std::array<std::uint8_t, 16> want{0x0A, 0x0B, 1, 2, 3, 4, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0, 0};
  CHECK(room == want);
}
