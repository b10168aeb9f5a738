// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/hash.hpp"

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

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
  for (std::size_t i = 0; i < one.words.size(); ++i) CHECK(one.words[i] != two.words[i]);
  const std::uint64_t words[5] = {1, 2, 3, 4, 5};
  CHECK(hash_words(words, one) == hash_words(words, one));
  CHECK(hash_words(words, one) != hash_words(words, two));
}

TEST_CASE("each bit of each word moves about half of the hash") {
  const HashKey key{0x0123456789ABCDEFU, 0xFEDCBA9876543210U, 0x5555AAAA3333CCCCU, 0x89AB012345CDEF67U,
                    0x1032547698BADCFEU, 0x5A5A3C3C0F0F6996U, 0x0F1E2D3C4B5A6978U, 0x13579BDF02468ACEU};
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

namespace {

using Words = std::array<std::uint64_t, 5>;

std::uint64_t hash_of(const Words& w, const HashKey& key) { return hash_words({w[0], w[1], w[2], w[3], w[4]}, key); }

// What somebody can do who knows the function and not the key: hold words at what cancels a public constant, or zero,
// or all ones, and count in the others, wherever the counter's bits lie.
std::vector<Words> chosen_words(std::uint64_t held, unsigned held_at, unsigned counted_at, unsigned shift,
                                bool reversed) {
  std::vector<Words> all;
  for (std::uint64_t i = 0; i < 4096; ++i) {
    Words words{0x20010DB800000000U, 0xFFFFFFFFFFFFFFFFU, 0xFFFFFFFFFFFFFFFFU, 0xFFFFFFFFFFFFFFFFU,
                0x1234005000001106U};
    words[held_at] = held;
    std::uint64_t number = i;
    if (reversed) {
      number = 0;
      for (unsigned bit = 0; bit < 12; ++bit) number |= (i >> bit & 1U) << (63 - bit);
    }
    words[counted_at] ^= reversed ? number >> shift : number << shift;
    all.push_back(words);
  }
  return all;
}

}  // namespace

TEST_CASE("words chosen without the key fall together no more often than random ones") {
  constexpr std::uint64_t kHeld[] = {0,
                                     ~std::uint64_t{0},
                                     0x9E3779B97F4A7C15U,
                                     0xC2B2AE3D27D4EB4FU,
                                     0x165667B19E3779F9U,
                                     0x243F6A8885A308D3U,
                                     0x13198A2E03707344U,
                                     0xA4093822299F31D0U,
                                     1,
                                     0x8000000000000000U};
  std::mt19937_64 random{20};  // the keys: the same in each run, or chance would fail the test now and then
  HashKey key;
  for (std::uint64_t& word : key.words) word = random();
  int families = 0;
  std::uint64_t fullest = 0;
  double worst = 0;
  for (const std::uint64_t held : kHeld) {
    for (unsigned held_at = 0; held_at < 5; ++held_at) {
      for (unsigned counted_at = 0; counted_at < 5; ++counted_at) {
        if (counted_at == held_at) continue;
        for (const unsigned shift : {0U, 16U, 32U, 48U}) {
          for (const bool reversed : {false, true}) {
            std::array<std::uint64_t, 1024> bucket{};
            std::set<std::uint64_t> whole;
            for (const Words& words : chosen_words(held, held_at, counted_at, shift, reversed)) {
              const std::uint64_t hash = hash_of(words, key);
              ++bucket[hash % bucket.size()];
              whole.insert(hash);
            }
            if (!reversed && whole.size() == 4096) ++families;
            // A shift may push the counter's bits out: then some words are the same.
            if (whole.size() != 4096) continue;
            double chi = 0;
            for (const std::uint64_t load : bucket) {
              fullest = std::max(fullest, load);
              chi += (static_cast<double>(load) - 4) * (static_cast<double>(load) - 4) / 4;
            }
            worst = std::max(worst, chi);
          }
        }
      }
    }
  }
  CHECK(families == 10 * 20 * 4);
  // 4 on average.  Of 1.6 million Poisson variables one above 20 is expected once in thousands of such tests.
  CHECK(fullest <= 22);
  // Chi-square with 1,023 degrees of freedom: 1,023 +- 45.  A product leaves a little structure in some families: twice
  // the mean is as if 1,024 buckets were 512.
  CHECK(worst < 2 * 1023);
}
