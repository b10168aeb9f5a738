// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/hash.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <set>

using namespace whiteowl;

TEST_CASE("folding is the upper half of the product over the lower half") {
  // (2^64 - 1)^2 = (2^64 - 2) x 2^64 + 1
  CHECK(fold(~std::uint64_t{0}, ~std::uint64_t{0}) == ((~std::uint64_t{0} - 1) ^ 1U));
  CHECK(fold(3, 5) == 15);
  CHECK(fold(std::uint64_t{1} << 63U, 4) == 2);
}

TEST_CASE("two processes hash the same words differently") {
  const HashKey one = random_hash_key();
  const HashKey two = random_hash_key();
  CHECK((one.a != two.a || one.b != two.b || one.c != two.c));
  const std::uint64_t words[5] = {1, 2, 3, 4, 5};
  CHECK(hash_words(words, one) == hash_words(words, one));
  CHECK(hash_words(words, one) != hash_words(words, two));
}

TEST_CASE("each bit of each word moves about half of the hash") {
  const HashKey key{0x0123456789ABCDEFU, 0xFEDCBA9876543210U, 0x5555AAAA3333CCCCU};
  const std::uint64_t words[5] = {0xC612000100000000U, 0xC612000200000000U, 0x01BB9C4100000006U, 0, 0};
  const std::uint64_t base = hash_words(words, key);
  std::set<std::uint64_t> seen{base};
  int moved = 0;
  for (unsigned bit = 0; bit < 320; ++bit) {
    std::uint64_t other[5] = {words[0], words[1], words[2], words[3], words[4]};
    other[bit / 64] ^= std::uint64_t{1} << (bit % 64);
    const std::uint64_t hash = hash_words(other, key);
    moved += std::popcount(hash ^ base);
    CHECK(seen.insert(hash).second);
  }
  // 320 x 64 coin flips: 10240, standard deviation 72; ten of them either way.
  CHECK(moved > 9520);
  CHECK(moved < 10960);
}
