// SPDX-License-Identifier: Apache-2.0
// A bounded queue from one thread to one other: the only place where a record changes threads.
// Each side keeps a copy of the other side's index and reads the shared one only when its copy runs out, so a queue
// that is neither full nor empty costs no cache line transfer per item beyond the item itself.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "whiteowl/base/counter.hpp"
#include "whiteowl/base/memory.hpp"

namespace whiteowl {

template <typename T>
requires std::is_trivially_copyable_v<T>
class SpscQueue {
 public:
  // Room for `capacity` items, rounded up to a power of two.  Throws std::bad_alloc.
  explicit SpscQueue(std::size_t capacity, Prefault prefault = Prefault::no)
      : mask_{std::bit_ceil(capacity < 2 ? std::size_t{2} : capacity) - 1},
        items_{mask_ + 1, prefault, Access::in_order} {}
  SpscQueue(const SpscQueue&) = delete;
  SpscQueue& operator=(const SpscQueue&) = delete;

  // Producer only.  False, and nothing stored, when full.  `Octets`: how much of it is stored; of the rest the consumer
  // sees what an earlier item left there, zeros if none did.
  template <std::size_t Octets = sizeof(T)>
  [[nodiscard]] bool try_push(const T& item) noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - producer_head_ > mask_) {
      producer_head_ = head_.load(std::memory_order_acquire);
      if (tail - producer_head_ > mask_) return false;
    }
    // Its lines lie in the consumer's cache, and come while the next items are made.
    if (tail + kFetchedAhead - producer_head_ <= mask_) fetch_lines(items_[(tail + kFetchedAhead) & mask_], Octets);
    std::memcpy(static_cast<void*>(&items_[tail & mask_]), &item, Octets);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  // Producer only: a quarter of it or more waits for the consumer.
  [[nodiscard]] bool crowded() noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - producer_head_ <= mask_ / 4) [[likely]]
      return false;
    producer_head_ = head_.load(std::memory_order_acquire);
    return tail - producer_head_ > mask_ / 4;
  }
  // Producer only: nothing more will come.  The consumer sees it after the last item.
  void close() noexcept { closed_.store(true, std::memory_order_release); }

  // Consumer only.  The oldest item, valid until pop(); null when empty.
  [[nodiscard]] const T* front() noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == consumer_tail_) {
      consumer_tail_ = tail_.load(std::memory_order_acquire);
      if (head == consumer_tail_) return nullptr;
    }
    // Never one that is not there yet: the producer would lose the lines that it writes to.
    if (consumer_tail_ - head > kFetchedAhead) fetch_lines(items_[(head + kFetchedAhead) & mask_], kBegin);
    return &items_[head & mask_];
  }
  // Consumer only; front() was not null.
  void pop() noexcept { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  // Consumer only: closed and everything taken.
  [[nodiscard]] bool finished() noexcept { return closed_.load(std::memory_order_acquire) && front() == nullptr; }

  // Any thread; a moment's view.
  [[nodiscard]] std::size_t size() const noexcept {
    return tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }

 private:
  static constexpr std::size_t kFetchedAhead = 2;
  static constexpr std::size_t kBegin = std::min(sizeof(T), 4 * kCacheLine);  // what every consumer looks at

  const std::size_t mask_;
  ZeroedArray<T> items_;
  alignas(kCacheLine) std::atomic<std::size_t> tail_{0};
  std::size_t producer_head_ = 0;
  std::atomic<bool> closed_{false};
  alignas(kCacheLine) std::atomic<std::size_t> head_{0};
  std::size_t consumer_tail_ = 0;
};

}  // namespace whiteowl
