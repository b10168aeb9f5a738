// SPDX-License-Identifier: Apache-2.0
// Whether the memory that the settings ask for is there, said before any of it is touched: the kernel promises more
// than it has, and ends a process, which need not be this one, when the promise is due.
#pragma once

#include <cstdint>

#include "whiteowl/base/memory_room.hpp"
#include "whiteowl/config/config.hpp"
#include "whiteowl/daemon/probe.hpp"

namespace whiteowl {

struct MemoryNeed {
  std::uint64_t tables = 0;  // of all workers, queues included, and of the reader of a file
  std::uint64_t rings = 0;   // the kernel's: of the machine, but charged to no control group
};

// What a probe with these settings takes and will not exceed.
// Errors: throws std::bad_alloc when not even the addresses are to be had.
[[nodiscard]] MemoryNeed memory_need(const Config& config, InputKind kind);

enum class Rings : bool { to_be_made, there };

// A live capture touches its memory at the start: it has to be left.  A file's tables fill as conversations come, which
// may be few: only what could not be held if nothing else was there is refused.
// Errors: throws StartError (1): what is needed, what there is, which setting to lower, and to what.
void require_memory(const Config& config, InputKind kind, const MemoryRoom& room, Rings rings = Rings::to_be_made);

}  // namespace whiteowl
