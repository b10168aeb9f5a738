// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/hash.hpp"

#include <sys/random.h>

#include <chrono>

namespace whiteowl {

HashKey random_hash_key() noexcept {
  HashKey key{};
  if (::getrandom(&key, sizeof key, 0) != static_cast<ssize_t>(sizeof key)) {
    const auto ticks = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    std::uint64_t number = 0;
    for (std::uint64_t& word : key.words) word = fold(ticks + ++number, 0x9E3779B97F4A7C15U) | 1U;
  }
  return key;
}

}  // namespace whiteowl
