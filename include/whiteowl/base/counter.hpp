// SPDX-License-Identifier: Apache-2.0
// A number with one writing thread and any readers: no locked instruction, no torn value.
#pragma once

#include <atomic>
#include <cstdint>

namespace whiteowl {

class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

inline constexpr std::size_t kCacheLine = 64;

}  // namespace whiteowl
