// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/flow/expiry.hpp"

#include <doctest/doctest.h>

#include <set>
#include <vector>

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {
constexpr auto kNobody = [](std::uint32_t) {};
constexpr Duration kSlot{std::int64_t{1} << ExpiryWheel::kSlotBits};
}  // namespace

TEST_CASE("an entry is looked at after its deadline and at most one slot later") {
  ExpiryWheel wheel{1000, Prefault::no};
  for (std::uint32_t i = 0; i < 1000; ++i) wheel.schedule(i, i * 17ms);
  std::set<std::uint32_t> seen, announced;
  bool in_time = true, all_announced = true;
  for (Duration now{}; now < 20s; now += 11ms) {
    const auto look = [&](std::uint32_t i) {
      CHECK_FALSE(wheel.is_scheduled(i));
      seen.insert(i);
      all_announced = all_announced && announced.erase(i) == 1;
      const Duration deadline = i * 17ms;
      in_time = in_time && deadline <= now && now - deadline <= kSlot + 11ms;
    };
    wheel.advance(now, look, [&](std::uint32_t i) { announced.insert(i); });
  }
  CHECK(in_time);
  CHECK(all_announced);
  CHECK(announced.empty());
  CHECK(seen.size() == 1000);
}

TEST_CASE("a deadline beyond the horizon is met in several looks, and a jump over everything looks once at each") {
  ExpiryWheel wheel{2, Prefault::no};
  wheel.schedule(0, 10'000s);
  int looks = 0;
  bool met = false;
  for (Duration now{}; now < 10'002s; now += 1s) {
    const auto look = [&](std::uint32_t i) {
      ++looks;
      if (now < 10'000s)
        wheel.schedule(i, 10'000s);
      else
        met = true;
    };
    wheel.advance(now, look, kNobody);
  }
  CHECK(met);
  CHECK(looks < 25);
  wheel.schedule(1, 10'003s);
  int again = 0;
  wheel.advance(
      10'000'000s, [&](std::uint32_t) { ++again; }, kNobody);
  CHECK(again == 1);
}

TEST_CASE("all are looked at once, also those that are put where was looked before") {
  ExpiryWheel wheel{100, Prefault::no};
  for (std::uint32_t i = 0; i < 100; ++i) wheel.schedule(i, 1s + i * 1s);
  std::multiset<std::uint32_t> seen;
  wheel.look_at_all([&](std::uint32_t i) {
    seen.insert(i);
    if (i % 2 == 0) wheel.schedule(i, (100 - i) * 500ms);
  });
  CHECK(seen.size() == 100);
  CHECK(std::set<std::uint32_t>(seen.begin(), seen.end()).size() == 100);
  std::set<std::uint32_t> left;
  wheel.advance(
      200s, [&](std::uint32_t i) { left.insert(i); }, kNobody);
  CHECK(left.size() == 50);
}

TEST_CASE(
    "a closed conversation is due once its slot is over, however long its linger and whatever the clock leaps to") {
  for (const Duration due : {Duration{1s}, Duration{1000h}, Duration{10'000'000s}}) {
    for (const Duration now : {Duration::zero(), Duration{24h * 365 * 100}}) {
      const ClosedItem item = ClosedItem::at(7, now + due);
      CHECK(item.index == 7);
      CHECK(item.is_ahead_of(now));
      CHECK(item.is_ahead_of(now + due));
      CHECK_FALSE(item.is_ahead_of(now + due + 135ms));
      CHECK_FALSE(item.is_ahead_of(now + due + 700h));
      CHECK_FALSE(item.is_ahead_of(now + due + 24h * 365 * 50));
    }
  }
}

TEST_CASE("a queue of entries keeps their order through any number of turns") {
  IndexQueue<ClosedItem> queue{3, Prefault::no};
  for (std::uint32_t i = 0; i < 100; ++i) {
    queue.push(ClosedItem::at(i, i * 1s));
    queue.push(ClosedItem::at(i + 1000, 0s));
    CHECK(queue.front()->index == i);
    queue.pop();
    CHECK(queue.front()->index == i + 1000);
    queue.pop();
    CHECK(queue.front() == nullptr);
  }
}
