// SPDX-License-Identifier: Apache-2.0
// A buffer of octets that were read and are looked at in place, perhaps by several threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace whiteowl {

struct InputBuffer {
  std::unique_ptr<std::uint8_t[]> octets;
  std::size_t capacity = 0;

  // The reader's thread, while its frames are still good: somebody else looks at them from now on.
  void hold() noexcept { holds_.fetch_add(1, std::memory_order_relaxed); }
  // The thread that looked: its last look is over.
  void release() noexcept {
    if (holds_.fetch_sub(1, std::memory_order_release) == 1) holds_.notify_one();
  }
  // The reader's thread: returns when it may be filled again.
  void await_free() const noexcept {
    for (std::uint32_t holds; (holds = holds_.load(std::memory_order_acquire)) != 0;) holds_.wait(holds);
  }

 private:
  std::atomic<std::uint32_t> holds_{0};
};

}  // namespace whiteowl
