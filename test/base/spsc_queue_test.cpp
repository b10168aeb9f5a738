// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/spsc_queue.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <thread>

using namespace whiteowl;

TEST_CASE("a full queue refuses and keeps what it has") {
  SpscQueue<int> queue{4};
  for (int i = 0; i < 4; ++i) CHECK(queue.try_push(i));
  CHECK_FALSE(queue.try_push(4));
  CHECK(queue.size() == 4);
  for (int i = 0; i < 4; ++i) {
    REQUIRE(queue.front() != nullptr);
    CHECK(*queue.front() == i);
    queue.pop();
  }
  CHECK(queue.front() == nullptr);
  CHECK_FALSE(queue.finished());
  queue.close();
  CHECK(queue.finished());
}

TEST_CASE("a queue is crowded from a quarter on, and no longer when its consumer took some") {
  SpscQueue<int> queue{16};
  for (int i = 0; i < 16; ++i) {
    CHECK(queue.crowded() == (i > 3));
    CHECK(queue.try_push(i));
  }
  for (int i = 16; i > 0; --i) {
    CHECK(queue.crowded() == (i > 3));
    queue.pop();
  }
  CHECK_FALSE(queue.crowded());
}

TEST_CASE("every item crosses once and in order, and close is seen after the last") {
  constexpr std::uint64_t kItems = 200'000;
  SpscQueue<std::uint64_t> queue{64};
  std::jthread producer{[&queue] {
    for (std::uint64_t i = 0; i < kItems;) {
      if (queue.try_push(i))
        ++i;
      else
        std::this_thread::yield();
    }
    queue.close();
  }};
  std::uint64_t expected = 0;
  bool in_order = true;
  while (!queue.finished()) {
    if (const auto* item = queue.front(); item != nullptr) {
      in_order = in_order && *item == expected;
      ++expected;
      queue.pop();
    } else {
      std::this_thread::yield();
    }
  }
  CHECK(in_order);
  CHECK(expected == kItems);
}
