// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/flow/table.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

using namespace whiteowl;

namespace {

FlowKey key_of(std::uint64_t n) { return FlowKey{{n, 0}, {~n, 0}, n << 32U | 0x0604U}; }
constexpr HashKey kHash{1, 2, 3};

}  // namespace

TEST_CASE("what was inserted is found, what was erased is not, at any filling") {
  FlowTable table{1000, false, Prefault::no};
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
    // Whatever entry is tried first.
    right = right && found == table.find(key, hash, static_cast<std::uint32_t>(random() % table.capacity()));
    right = right && found == table.find(key, hash, table.candidate(hash));
    if (known != model.end() && random() % 2 == 0) {
      table.erase(found, hash);
      model.erase(known);
    } else if (known == model.end() && !table.full()) {
      model[n] = table.insert(key, hash);
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
  while (!table.full()) static_cast<void>(table.insert(key_of(table.size()), key_of(table.size()).hash(kHash)));
  CHECK(table.size() == 1000);
}

TEST_CASE("keys that fall into one bucket find their way past it and leave no trace") {
  FlowTable table{64, false, Prefault::no};
  constexpr std::uint64_t kSame = 5;  // home bucket of all; the tags differ
  std::uint32_t entries[40];
  for (std::uint64_t i = 0; i < 40; ++i) entries[i] = table.insert(key_of(i), kSame | i << 40U);
  for (std::uint64_t i = 0; i < 40; ++i) CHECK(table.find(key_of(i), kSame | i << 40U) == entries[i]);
  for (std::uint64_t i = 0; i < 40; i += 2) table.erase(entries[i], kSame | i << 40U);
  for (std::uint64_t i = 0; i < 40; ++i)
    CHECK(table.find(key_of(i), kSame | i << 40U) == (i % 2 == 0 ? FlowTable::kNone : entries[i]));
  for (std::uint64_t i = 1; i < 40; i += 2) table.erase(entries[i], kSame | i << 40U);
  CHECK(table.size() == 0);
  CHECK(table.candidate(kSame) == FlowTable::kNone);
}

TEST_CASE("equal tags of different keys are told apart by the whole key") {
  FlowTable table{16, false, Prefault::no};
  const std::uint64_t hash = 0x1234'5678'0000'0001;
  const std::uint32_t a = table.insert(key_of(1), hash);
  const std::uint32_t b = table.insert(key_of(2), hash);
  CHECK(a != b);
  CHECK(table.find(key_of(1), hash) == a);
  CHECK(table.find(key_of(2), hash) == b);
  CHECK(table.find(key_of(3), hash) == FlowTable::kNone);
}

TEST_CASE("a table takes as many conversations as it was made for, and no more") {
  for (const std::uint32_t capacity : {1U, 2U, 7U, 100U}) {
    FlowTable table{capacity, true, Prefault::no};
    for (std::uint64_t i = 0; i < capacity; ++i) {
      CHECK_FALSE(table.full());
      (void)table.insert(key_of(i), key_of(i).hash(kHash));
    }
    CHECK(table.full());
    CHECK(table.size() == capacity);
  }
}
