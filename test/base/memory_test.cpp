// SPDX-License-Identifier: Apache-2.0
// Memory taken at start: zeroed, aligned, bounded.
#include "whiteowl/base/memory.hpp"

#include <doctest/doctest.h>

#include <cstdint>

using namespace whiteowl;

TEST_CASE("memory taken at start is zero and writable to its last octet") {
  for (const auto prefault : {Prefault::no, Prefault::yes})
    for (const std::size_t size : {std::size_t{1}, std::size_t{4097}, std::size_t{3} << 20U}) {
      CAPTURE(size);
      const ZeroedMemory memory{size, prefault};
      REQUIRE(memory.size() == size);
      auto* octets = static_cast<unsigned char*>(memory.data());
      CHECK(octets[0] == 0);
      CHECK(octets[size - 1] == 0);
      octets[size - 1] = 1;
      CHECK(octets[size - 1] == 1);
    }
}

TEST_CASE("a large table begins at a huge page, a small one at a page") {
  const ZeroedMemory large{std::size_t{5} << 20U, Prefault::no};
  const ZeroedMemory small{100, Prefault::no};
  CHECK(reinterpret_cast<std::uintptr_t>(large.data()) % (std::size_t{2} << 20U) == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(small.data()) % 4096 == 0);
}

TEST_CASE("an array gives its items in order and knows its octets") {
  ZeroedArray<std::uint64_t> numbers{1000, Prefault::no};
  numbers[999] = 7;
  CHECK(numbers.size() == 1000);
  CHECK(numbers.octets() == 8192);  // whole pages
  CHECK(numbers.data()[999] == 7);
  CHECK(numbers[0] == 0);
}

TEST_CASE("an array that was cleared is zero again, and can be written again") {
  for (const std::size_t count : {std::size_t{3}, std::size_t{1'000'000}}) {
    CAPTURE(count);
    ZeroedArray<std::uint64_t> numbers{count, Prefault::no};
    numbers[0] = numbers[count - 1] = 7;
    numbers.clear();
    CHECK(numbers[0] == 0);
    CHECK(numbers[count - 1] == 0);
    numbers[count - 1] = 8;
    CHECK(numbers[count - 1] == 8);
  }
}
