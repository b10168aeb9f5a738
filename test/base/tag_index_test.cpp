// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/tag_index.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <unordered_map>
#include <vector>

using namespace whiteowl;

TEST_CASE("an index finds what a map finds, also where hashes meet, and says when it has no room") {
  constexpr std::uint32_t kRoom = 1000;
  // Few homes: buckets overflow into each other, and tags are equal by far more often than by chance.
  for (const std::uint64_t mask :
       {~std::uint64_t{0}, std::uint64_t{0x30000003F}, std::uint64_t{0x300000003}, std::uint64_t{0}}) {
    CAPTURE(mask);
    TagIndex index{kRoom, Prefault::no};
    std::unordered_map<std::uint32_t, std::uint64_t> model;  // hash by number
    std::mt19937_64 random{7};
    bool right = true;
    int crowded = 0;
    for (int i = 0; i < 20'000; ++i) {
      const auto number = static_cast<std::uint32_t>(random() % (2 * kRoom));
      const std::uint64_t hash = std::mt19937_64{number}() & mask;
      unsigned asked = 0;
      const auto is = [number, &asked](std::uint32_t found) { return ++asked, found == number; };
      const bool known = model.contains(number);
      right = right && index.find(hash, is) == (known ? number : TagIndex::kNone);
      right = right && asked <= TagIndex::kLongestWay * 7;
      if (known) {
        index.erase(hash, is);
        model.erase(number);
      } else if (model.size() < kRoom) {
        for (; !index.has_room(hash); ++crowded) {
          std::uint32_t in_the_way = TagIndex::kNone;
          index.for_each_in_the_way(hash, [&](std::uint32_t found) {
            right = right && model.contains(found);
            in_the_way = found;
          });
          REQUIRE(in_the_way != TagIndex::kNone);
          index.erase(model.at(in_the_way), [in_the_way](std::uint32_t found) { return found == in_the_way; });
          model.erase(in_the_way);
        }
        index.insert(hash, number);
        model.emplace(number, hash);
      }
    }
    for (const auto& [number, hash] : model)
      right = right && index.find(hash, [wanted = number](std::uint32_t found) { return found == wanted; }) == number;
    CHECK(right);
    if (mask == ~std::uint64_t{0}) {
      CHECK(crowded == 0);
      CHECK(model.size() > kRoom / 2);
    } else {
      CHECK(crowded > 0);
    }
    if (mask == 0) CHECK(model.size() == TagIndex::kMostAlike);
    index.clear();
    for (const auto& [number, hash] : model)
      right = right && index.find(hash, [](std::uint32_t) { return true; }) == TagIndex::kNone;
    CHECK(right);
  }
}

TEST_CASE("whoever knows the hashes cannot make a search look at more than a few buckets and numbers") {
  TagIndex index{100'000, Prefault::no};
  // Homes that follow each other, tags that are equal: the longest ways that can be made.
  std::uint32_t inside = 0;
  for (std::uint32_t number = 0; number < 90'000; ++number) {
    const std::uint64_t hash = std::uint64_t{5} << 32U | number % 8;
    if (!index.has_room(hash)) continue;
    index.insert(hash, number);
    ++inside;
  }
  CHECK(inside <= 8 * TagIndex::kMostAlike + 8 * 7);
  for (std::uint64_t home = 0; home < 8; ++home) {
    unsigned asked = 0;
    CHECK(index.find(std::uint64_t{5} << 32U | home, [&](std::uint32_t) { return ++asked, false; }) == TagIndex::kNone);
    CHECK(asked <= 8 * TagIndex::kMostAlike + 8 * 7);
  }
  // Unlike tags: the way alone is the limit.
  TagIndex unlike{100'000, Prefault::no};
  inside = 0;
  for (std::uint32_t number = 0; number < 90'000; ++number) {
    const std::uint64_t hash = std::uint64_t{number} << 33U | 7U;
    if (!unlike.has_room(hash)) continue;
    unlike.insert(hash, number);
    ++inside;
  }
  CHECK(inside == 7 * TagIndex::kLongestWay);
}

TEST_CASE("with random hashes an index has room for all that it promises") {
  constexpr std::uint32_t kRoom = 1U << 16U;
  TagIndex index{kRoom, Prefault::no};
  std::mt19937_64 random{3};
  std::vector<std::uint64_t> hashes;
  bool room = true;
  for (std::uint32_t number = 0; number < kRoom; ++number) {
    hashes.push_back(random());
    room = room && index.has_room(hashes.back());
    index.insert(hashes.back(), number);
  }
  for (int i = 0; i < 1'000'000; ++i) {
    const auto number = static_cast<std::uint32_t>(random() % kRoom);
    index.erase(hashes[number], [number](std::uint32_t found) { return found == number; });
    hashes[number] = random();
    room = room && index.has_room(hashes[number]);
    index.insert(hashes[number], number);
  }
  CHECK(room);
}

TEST_CASE("a candidate has the tag of the hash") {
  TagIndex index{8, Prefault::no};
  CHECK(index.candidate(5) == TagIndex::kNone);
  index.insert(std::uint64_t{9} << 32U | 5U, 42);
  CHECK(index.candidate(std::uint64_t{9} << 32U | 5U) == 42);
  CHECK(index.candidate(std::uint64_t{11} << 32U | 5U) == TagIndex::kNone);
}
