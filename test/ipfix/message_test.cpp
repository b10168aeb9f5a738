// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/ipfix/message.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <vector>

using namespace whiteowl;

namespace {

void put(MessageWriter& writer, std::uint16_t set, std::initializer_list<std::uint8_t> octets, bool padded) {
  std::uint8_t* place = writer.add(set, octets.size(), padded);
  REQUIRE(place != nullptr);
  std::copy(octets.begin(), octets.end(), place);
}

}  // namespace

TEST_CASE("a message is header, sets and padding as RFC 7011 3.1 and 3.3 draw them") {
  MessageWriter writer{0x01020304};
  writer.clear(1000);
  CHECK(writer.empty());
  put(writer, 2, {0xAA, 0xBB}, false);
  put(writer, 256, {1, 2, 3, 4, 5}, true);
  put(writer, 256, {6, 7, 8, 9, 10}, true);
  put(writer, 257, {0xCC}, false);
  const std::vector<std::uint8_t> expected{
      0, 10, 0, 43, 0x65, 0,    0, 1, 0, 0, 0, 9, 1, 2,  3, 4,  // version, length, export time, sequence, domain
      0, 2,  0, 6,  0xAA, 0xBB,                                 // a Template Set is not padded
      1, 0,  0, 16, 1,    2,    3, 4, 5, 6, 7, 8, 9, 10, 0, 0,  // one Set for both records, ending on four octets
      1, 1,  0, 5,  0xCC,
  };
  const auto bytes = writer.finish(9, 0x65000001);
  CHECK(std::vector<std::uint8_t>(bytes.begin(), bytes.end()) == expected);
  CHECK(writer.data_records() == 3);
  CHECK(writer.template_records() == 1);
}

TEST_CASE("a message that was finished can be finished anew and still grow") {
  MessageWriter writer{1};
  writer.clear(1000);
  put(writer, 300, {1, 2, 3, 4, 5}, true);
  CHECK(writer.finish(0, 0).size() == 16 + 4 + 8);
  put(writer, 300, {6, 7, 8, 9, 10}, true);
  const auto bytes = writer.finish(4, 0);
  REQUIRE(bytes.size() == 16 + 4 + 12);
  CHECK(bytes[11] == 4);
  CHECK(bytes[20 + 5] == 6);
}

TEST_CASE("no message is longer than its limit, whatever is put into it") {
  for (std::size_t limit = 512; limit < 560; ++limit) {
    MessageWriter writer{1};
    writer.clear(limit);
    std::uint16_t set = 256;
    std::size_t records = 0;
    while (std::uint8_t* place = writer.add(set, 13, set % 2 == 0)) {
      std::memset(place, 1, 13);
      if (++records % 3 == 0) ++set;
    }
    const std::size_t size = writer.finish(0, 0).size();
    CHECK(size <= limit);
    CHECK(size + 13 + 4 + 3 + 3 > limit);
    CHECK(writer.data_records() == records);
  }
}
