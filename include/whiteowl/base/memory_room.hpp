// SPDX-License-Identifier: Apache-2.0
// How much memory this process could still take before the kernel ends somebody for it: of the machine, and of the
// control groups that it is in (cgroups(7), both versions).
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace whiteowl {

struct MemoryRoom {
  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
  struct Place {
    std::uint64_t left = kNoLimit;   // without pushing anything out that is in use
    std::uint64_t total = kNoLimit;  // were nothing else there
  };
  Place machine;
  Place group;  // the narrowest of the groups on the way to the root
};

// Octets.  What the kernel does not say is no limit.  `root` is put before every path.
[[nodiscard]] MemoryRoom memory_room(const std::string& root = {});

}  // namespace whiteowl
