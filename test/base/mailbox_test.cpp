// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/mailbox.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace whiteowl;

TEST_CASE("the newest letter is taken, once") {
  Mailbox<int> box;
  CHECK(box.take() == nullptr);
  box.post(std::make_unique<int>(1));
  box.post(std::make_unique<int>(2));
  const auto letter = box.take();
  REQUIRE(letter != nullptr);
  CHECK(*letter == 2);
  CHECK(box.take() == nullptr);
  box.post(std::make_unique<int>(3));  // freed with the box
}

TEST_CASE("letters arrive whole and in order, the last one surely") {
  struct Pair {
    int a, b;
  };
  constexpr int kLast = 20'000;
  Mailbox<Pair> box;
  std::jthread writer{[&] {
    for (int i = 1; i <= kLast; ++i) box.post(std::make_unique<Pair>(Pair{i, -i}));
  }};
  int seen = 0;
  bool whole = true;
  while (seen != kLast) {
    const auto letter = box.take();
    if (letter == nullptr) continue;
    whole = whole && letter->a == -letter->b && letter->a > seen;
    seen = letter->a;
  }
  CHECK(whole);
}
