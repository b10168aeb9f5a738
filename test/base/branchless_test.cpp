// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/branchless.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>

using namespace whiteowl;

TEST_CASE("a choice by mask is the choice that a branch makes") {
  struct Pair {
    std::uint32_t left, right;
  };
  const int here = 1, there = 2;
  for (const bool condition : {false, true}) {
    CHECK(mask_of(condition) == (condition ? UINT64_MAX : 0));
    CHECK(chosen(condition, std::uint64_t{1} << 63U, std::uint64_t{7}) == (condition ? std::uint64_t{1} << 63U : 7));
    CHECK(chosen(condition, std::uint32_t{0x80000001}, std::uint32_t{5}) == (condition ? 0x80000001U : 5U));
    CHECK(chosen(condition, &here, &there) == (condition ? &here : &there));
    const Pair pair = chosen(condition, Pair{1, 2}, Pair{3, 4});
    CHECK(pair.left == (condition ? 1U : 3U));
    CHECK(pair.right == (condition ? 2U : 4U));
  }
}
