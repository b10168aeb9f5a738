// SPDX-License-Identifier: Apache-2.0
// What the two capture file formats share: both turn octets that lie in a buffer into frames in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "whiteowl/base/wire.hpp"
#include "whiteowl/packet/frame.hpp"

namespace whiteowl {

// No capture program writes longer frames (262144 is libpcap's and Wireshark's limit too): a larger number is damage,
// and believing it would swallow what follows.
inline constexpr std::uint32_t kMaxCapturedOctets = 262'144;

// Numbers of a file written on a host of either byte order.
struct ByteOrder {
  bool swapped = false;  // other than ours

  template <std::unsigned_integral T>
  [[nodiscard]] T load(const std::uint8_t* at) const noexcept {
    T value;
    std::memcpy(&value, at, sizeof value);
    if (!swapped) return value;
    if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
    if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
  }
};

struct OctetWindow {
  const std::uint8_t* next;
  const std::uint8_t* end;
  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(end - next); }
};

// Why a format stopped filling a batch.
struct FillResult {
  enum class Why : std::uint8_t {
    full,
    more,
    damaged,
    paused,  // kMostLooks records were looked at and none was for us
  };
  // Each of them may cost a run of the filter, and a large buffer holds a million.
  static constexpr std::uint32_t kMostLooks = 65'536;
  Why why;
  std::size_t wanted = 0;           // more: octets needed from window.next on, beyond those there
  const char* damage = nullptr;     // damaged: what is wrong at window.next
  const char* inside = "a header";  // more: what the file is cut short in if nothing follows

  static FillResult full() noexcept { return {Why::full}; }
  static FillResult more(std::size_t octets, const char* what) noexcept { return {Why::more, octets, nullptr, what}; }
  static FillResult paused() noexcept { return {Why::paused}; }
  static FillResult damaged(const char* what) noexcept { return {Why::damaged, 0, what}; }
};

// What a batch adds to the counters.
struct FileTally {
  std::uint64_t packets = 0, octets = 0, filtered = 0, unsupported = 0, cut = 0;

  void count(const Frame& frame) noexcept {
    ++packets;
    octets += frame.wire_octets;
    cut += frame.captured_octets < frame.wire_octets ? 1U : 0U;
  }
};

}  // namespace whiteowl
