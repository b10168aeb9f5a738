// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/flow/eviction.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <list>
#include <random>
#include <vector>

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

std::vector<std::uint32_t> in_order(const EvictionList& list) {
  std::vector<std::uint32_t> all;
  for (unsigned place = 0; list.later(place) != EvictionList::kNone; ++place) all.push_back(list.later(place));
  return all;
}

}  // namespace

TEST_CASE("two lists hold what two lists of the standard library hold, in their order") {
  EvictionList::Links links{50, Prefault::no};
  EvictionList lists[2]{EvictionList{links}, EvictionList{links}};
  std::list<std::uint32_t> models[2];
  std::mt19937 random{5};
  bool right = true;
  for (int step = 0; step < 20'000; ++step) {
    const auto index = static_cast<std::uint32_t>(random() % 50);
    const auto target = static_cast<unsigned>(random() % 3);  // 2: no list
    for (unsigned from = 0; from < 2; ++from) {
      const auto at = std::find(models[from].begin(), models[from].end(), index);
      if (at == models[from].end()) continue;
      models[from].erase(at);
      lists[from].remove(index);
    }
    if (target < 2) {
      models[target].push_back(index);
      lists[target].append(index, 1s * step);
    }
    for (unsigned i = 0; i < 2; ++i) {
      right = right && in_order(lists[i]) == std::vector<std::uint32_t>(models[i].begin(), models[i].end());
      right = right && lists[i].front() == (models[i].empty() ? EvictionList::kNone : models[i].front());
    }
  }
  CHECK(right);
}

TEST_CASE("an entry was active if a packet came after it was placed, also years later") {
  EvictionList::Links links{2, Prefault::no};
  EvictionList list{links};
  for (const Duration placed : {Duration{10s}, Duration{24h * 365 * 60}}) {
    list.append(1, placed);
    CHECK_FALSE(list.active_since_placed(1, placed));
    CHECK_FALSE(list.active_since_placed(1, placed - 5s));
    CHECK(list.active_since_placed(1, placed + 20ms));
    CHECK(list.active_since_placed(1, placed + 1000h));
    list.remove(1);
  }
}
