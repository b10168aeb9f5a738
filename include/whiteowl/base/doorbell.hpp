// SPDX-License-Identifier: Apache-2.0
// Lets a thread that has nothing to do sleep long, and be called when there is.
// Promise: whoever calls pays one load while nobody sleeps, and one system call each time that it wakes somebody.
#pragma once

#include <atomic>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/base/time.hpp"

namespace whiteowl {

class Doorbell {
 public:
  Doorbell();  // throws std::system_error

  // One thread: sleeps until it rings, or for `longest`; not at all if ring() came since the last time.
  void wait(Duration longest) noexcept;
  // Any thread.
  void ring() noexcept;
  // The same, unless nobody waits.  What is told to a thread that is just falling asleep may be missed: for callers who
  // call again.
  void ring_if_waiting() noexcept {
    if (waiting_.load(std::memory_order_relaxed) && waiting_.exchange(false, std::memory_order_relaxed)) ring();
  }

 private:
  UniqueFd event_;
  std::atomic<bool> waiting_{false};
};

}  // namespace whiteowl
