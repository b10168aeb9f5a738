// SPDX-License-Identifier: Apache-2.0
// A letter from one thread to another, the newest only: one that was not yet taken is replaced.
// Cost for the reader while there is none: one load of a line that nobody writes.
#pragma once

#include <atomic>
#include <memory>

namespace whiteowl {

template <typename T>
class Mailbox {
 public:
  Mailbox() = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox() { static_cast<void>(take()); }

  // Any thread.
  void post(std::unique_ptr<T> letter) noexcept {
    const std::unique_ptr<T> old{letter_.exchange(letter.release(), std::memory_order_acq_rel)};
  }
  // Null when there is none.
  [[nodiscard]] std::unique_ptr<T> take() noexcept {
    if (letter_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    return std::unique_ptr<T>{letter_.exchange(nullptr, std::memory_order_acq_rel)};
  }

 private:
  std::atomic<T*> letter_{nullptr};
};

}  // namespace whiteowl
