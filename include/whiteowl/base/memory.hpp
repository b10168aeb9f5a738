// SPDX-License-Identifier: Apache-2.0
// Large zeroed arrays taken once at start, on huge pages where the kernel has them; lines of them fetched before use.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

#include "whiteowl/base/counter.hpp"

namespace whiteowl {

// Asks for the cache line at `at`, which will be written to.  The empty statement: a function that does nothing but
// fetch is pure to GCC, and calls of it are left out.
inline void fetch_line(const void* at) noexcept {
  __builtin_prefetch(at, 1);
  __asm__ volatile("" : : "r"(at));
}

// The same of a line that is only read.
inline void fetch_line_to_read(const void* at) noexcept {
  __builtin_prefetch(at, 0);
  __asm__ volatile("" : : "r"(at));
}

// All lines of it, or those of its first `octets`.
template <typename T>
void fetch_lines(const T& object, std::size_t octets = sizeof(T)) noexcept {
  const auto* begin = reinterpret_cast<const char*>(&object);
  for (std::size_t at = 0; at < octets; at += kCacheLine) fetch_line(begin + at);
}

// Whether the pages are touched at once: a live capture must not meet a page fault in a burst; a short file need not
// pay for a table that it will not fill.
enum class Prefault : bool { no, yes };

// Huge pages spare the misses of random access; what is gone through in order has none, and would only have 2 MiB
// cleared for its first octet.
enum class Access : bool { random, in_order };

class ZeroedMemory {
 public:
  // Throws std::bad_alloc.
  ZeroedMemory(std::size_t size, Prefault prefault, Access access = Access::random);
  ZeroedMemory(const ZeroedMemory&) = delete;
  ZeroedMemory& operator=(const ZeroedMemory&) = delete;
  ~ZeroedMemory();
  void clear() noexcept;  // zero again; gives the pages back to the kernel
  [[nodiscard]] void* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // What it takes once all of it was touched: whole pages.
  [[nodiscard]] std::size_t taken() const noexcept;

 private:
  void* mapping_ = nullptr;  // as mmap gave it
  std::size_t mapped_ = 0;
  void* data_ = nullptr;  // aligned to a huge page
  std::size_t size_;
  std::size_t page_;
};

// An array of all-zero T: T must mean something useful when every octet is zero.
template <typename T>
requires std::is_trivially_destructible_v<T> && std::is_trivially_copyable_v<T>
class ZeroedArray {
 public:
  ZeroedArray(std::size_t count, Prefault prefault, Access access = Access::random)
      : memory_{count * sizeof(T), prefault, access}, count_{count} {}
  [[nodiscard]] T& operator[](std::size_t index) noexcept { return static_cast<T*>(memory_.data())[index]; }
  [[nodiscard]] const T& operator[](std::size_t index) const noexcept {
    return static_cast<const T*>(memory_.data())[index];
  }
  [[nodiscard]] T* data() const noexcept { return static_cast<T*>(memory_.data()); }
  void clear() noexcept { memory_.clear(); }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] std::size_t octets() const noexcept { return memory_.taken(); }

 private:
  ZeroedMemory memory_;
  std::size_t count_;
};

}  // namespace whiteowl
