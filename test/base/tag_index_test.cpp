// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/tag_index.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <unordered_map>

using namespace whiteowl;

TEST_CASE("an index finds what a map finds, also where hashes meet") {
  constexpr std::uint32_t kRoom = 1000;
  // Few homes: buckets overflow into each other, and tags are equal by far more often than by chance.
  for (const std::uint64_t mask : {~std::uint64_t{0}, std::uint64_t{0x300000003}, std::uint64_t{0}}) {
    CAPTURE(mask);
    TagIndex index{kRoom, Prefault::no};
    std::unordered_map<std::uint32_t, std::uint64_t> model;  // hash by number
    std::mt19937_64 random{7};
    bool right = true;
    for (int i = 0; i < 20'000; ++i) {
      const auto number = static_cast<std::uint32_t>(random() % (2 * kRoom));
      const std::uint64_t hash = std::mt19937_64{number}() & mask;
      const auto is = [number](std::uint32_t found) { return found == number; };
      const bool known = model.contains(number);
      right = right && index.find(hash, is) == (known ? number : TagIndex::kNone);
      if (known) {
        index.erase(hash, is);
        model.erase(number);
      } else if (model.size() < kRoom) {
        index.insert(hash, number);
        model.emplace(number, hash);
      }
    }
    for (const auto& [number, hash] : model)
      right = right && index.find(hash, [wanted = number](std::uint32_t found) { return found == wanted; }) == number;
    CHECK(right);
    CHECK(model.size() > kRoom / 2);
    index.clear();
    for (const auto& [number, hash] : model)
      right = right && index.find(hash, [](std::uint32_t) { return true; }) == TagIndex::kNone;
    CHECK(right);
  }
}

TEST_CASE("a candidate has the tag of the hash") {
  TagIndex index{8, Prefault::no};
  CHECK(index.candidate(5) == TagIndex::kNone);
  index.insert(std::uint64_t{9} << 32U | 5U, 42);
  CHECK(index.candidate(std::uint64_t{9} << 32U | 5U) == 42);
  CHECK(index.candidate(std::uint64_t{11} << 32U | 5U) == TagIndex::kNone);
}
