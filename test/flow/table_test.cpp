// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/flow/table.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

using namespace whiteowl;

namespace {

FlowKey key_of(std::uint64_t n) { return FlowKey{{n, 0}, {~n, 0}, n << 32U | 0x0604U}; }
constexpr HashKey kHash{1, 2, 3, 4, 5, 6, 7, 8};

}  // namespace

TEST_CASE("what was inserted is found, what was erased is not, at any filling") {
  FlowTable table{1000, Prefault::no};
  std::map<std::uint64_t, std::uint32_t> model;  // key number -> entry
  std::mt19937_64 random{7};
  bool right = true;
  for (int step = 0; step < 200'000; ++step) {
    const std::uint64_t n = random() % 1500;
    const FlowKey key = key_of(n);
    const std::uint64_t hash = key.hash(kHash);
    const std::uint32_t found = table.find(key, hash);
    const auto known = model.find(n);
    right = right && found == (known == model.end() ? FlowTable::kNone : known->second);
    // A candidate is the key's entry, or shows that it is not.
    const auto first = table.candidate(hash, 0);
    right = right && (!FlowTable::is(first, key) || first.index == found);
    Flow& any = table.flow(static_cast<std::uint32_t>(random() % table.capacity()));
    right = right && (!FlowTable::is({&any, nullptr, 0}, key) || &any == &table.flow(found));
    if (known != model.end() && random() % 2 == 0) {
      table.erase(found, hash);
      model.erase(known);
    } else if (known == model.end() && !table.full()) {
      const auto near = static_cast<std::uint32_t>(random() % 2);
      const std::uint32_t index = model[n] = table.insert(key, hash, near);
      right = right && table.flow(index).near == near;
      for (const std::uint32_t direction : {near, near ^ 1U}) {
        const auto candidate = table.candidate(hash, direction);
        right = right && (!FlowTable::is(candidate, key) || candidate.way == &table.open_way(index, direction));
      }
    }
    right = right && table.size() == model.size();
  }
  CHECK(right);
  for (const auto& [n, index] : model) CHECK(table.flow(index).key == key_of(n));
  table.clear();
  CHECK(table.size() == 0);
  for (const auto& [n, index] : model)
    right = right && table.find(key_of(n), key_of(n).hash(kHash)) == FlowTable::kNone;
  CHECK(right);
  while (!table.full()) static_cast<void>(table.insert(key_of(table.size()), key_of(table.size()).hash(kHash), 0));
  CHECK(table.size() == 1000);
}

TEST_CASE("keys that fall into one bucket find their way past it and leave no trace") {
  FlowTable table{64, Prefault::no};
  constexpr std::uint64_t kSame = 5;  // home bucket of all; the tags differ
  std::uint32_t entries[40];
  for (std::uint64_t i = 0; i < 40; ++i) entries[i] = table.insert(key_of(i), kSame | i << 40U, 1);
  for (std::uint64_t i = 0; i < 40; ++i) CHECK(table.find(key_of(i), kSame | i << 40U) == entries[i]);
  for (std::uint64_t i = 0; i < 40; i += 2) table.erase(entries[i], kSame | i << 40U);
  for (std::uint64_t i = 0; i < 40; ++i)
    CHECK(table.find(key_of(i), kSame | i << 40U) == (i % 2 == 0 ? FlowTable::kNone : entries[i]));
  for (std::uint64_t i = 1; i < 40; i += 2) table.erase(entries[i], kSame | i << 40U);
  CHECK(table.size() == 0);
  CHECK(table.candidate(kSame, 0).flow == nullptr);
}

TEST_CASE("equal tags of different keys are told apart by the whole key") {
  FlowTable table{16, Prefault::no};
  const std::uint64_t hash = 0x1234'5678'0000'0001;
  const std::uint32_t a = table.insert(key_of(1), hash, 0);
  const std::uint32_t b = table.insert(key_of(2), hash, 0);
  CHECK(a != b);
  CHECK(table.find(key_of(1), hash) == a);
  CHECK(table.find(key_of(2), hash) == b);
  CHECK(table.find(key_of(3), hash) == FlowTable::kNone);
}

TEST_CASE("a table takes as many conversations as it was made for, and no more") {
  for (const std::uint32_t capacity : {1U, 2U, 7U, 100U}) {
    FlowTable table{capacity, Prefault::no};
    for (std::uint64_t i = 0; i < capacity; ++i) {
      CHECK_FALSE(table.full());
      (void)table.insert(key_of(i), key_of(i).hash(kHash), 0);
    }
    CHECK(table.full());
    CHECK(table.size() == capacity);
  }
}

TEST_CASE("a direction that was not seen is all zero, whatever the entry's last owner left") {
  FlowTable table{1, Prefault::no};
  for (const std::uint32_t near : {0U, 1U, 1U, 0U}) {
    const std::uint64_t hash = key_of(near).hash(kHash);
    const std::uint32_t index = table.insert(key_of(near), hash, near);
    CHECK(table.way(index, near).packets == 0);
    CHECK(table.way(index, near ^ 1U).packets == 0);
    CHECK(table.way(index, near ^ 1U).ever == 0);
    for (const std::uint32_t direction : {0U, 1U}) CHECK(table.candidate(hash, direction).way->packets == 0);
    for (const std::uint32_t direction : {0U, 1U}) {
      table.open_way(index, direction).packets = 7 + direction;
      table.open_way(index, direction).ever = 1;
      table.cold(index, direction).mpls_label = 70 + direction;
    }
    for (const std::uint32_t direction : {0U, 1U}) {
      CHECK(table.way(index, direction).packets == 7 + direction);
      CHECK(table.cold(index, direction).mpls_label == 70 + direction);
    }
    table.forget_ways(index);
    CHECK(table.way(index, 0).packets + table.way(index, 1).packets == 0);
    table.open_way(index, 1).packets = 1;
    table.open_way(index, 0).packets = 1;
    table.erase(index, hash);
  }
}
