// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/hash.hpp"

#include <sys/random.h>

#include <chrono>

namespace whiteowl {

HashKey random_hash_key() noexcept {
  HashKey key{};
  if (::getrandom(&key, sizeof key, 0) != static_cast<ssize_t>(sizeof key)) {
    const auto ticks = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    key = {fold(ticks, 0x9E3779B97F4A7C15U), fold(ticks, 0xC2B2AE3D27D4EB4FU), fold(ticks, 0x165667B19E3779F9U)};
  }
  return key;
}

}  // namespace whiteowl
