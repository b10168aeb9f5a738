// SPDX-License-Identifier: Apache-2.0
// Bytes in network order, in and out.
// Promise: no alignment is assumed, nothing outside the given bytes is read or written, no swapping by hand elsewhere.
#pragma once

#include <bit>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "whiteowl/base/branchless.hpp"

namespace whiteowl {

// Network order to host order and back: the same swap.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T from_network(T value) noexcept {
  if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

// Octets as they lie in memory, in no order of numbers: to be compared, hashed and mixed.
template <std::unsigned_integral T>
[[nodiscard]] inline T load_octets(const std::uint8_t* octets) noexcept {
  T value;
  std::memcpy(&value, octets, sizeof value);
  return value;
}

// An unsigned integer as it stands in a packet: big-endian, alignment 1.  Reading one compiles to a load and a byte
// swap.
template <std::unsigned_integral T>
struct Be {
  std::uint8_t octets[sizeof(T)];

  [[nodiscard]] constexpr T value() const noexcept { return from_network(std::bit_cast<T>(*this)); }
  constexpr operator T() const noexcept {
    return value();
  }  // NOLINT(google-explicit-constructor): reads like the field
};

using be8 = std::uint8_t;
using be16 = Be<std::uint16_t>;
using be32 = Be<std::uint32_t>;
using be64 = Be<std::uint64_t>;

// What may be laid over packet bytes: only octets inside, so neither alignment nor padding can bite.
template <typename T>
concept WireStruct = std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T> && alignof(T) == 1;

// Walks over bytes that somebody else owns, and is the one place where their end is checked.
class Cursor {
 public:
  constexpr Cursor(const std::uint8_t* data, std::size_t size) noexcept : next_{data}, end_{data + size} {}
  constexpr explicit Cursor(std::span<const std::uint8_t> bytes) noexcept : Cursor{bytes.data(), bytes.size()} {}

  // The next bytes as T, stepping over them; null, and no step, if fewer are left.
  template <WireStruct T>
  [[nodiscard]] const T* take() noexcept {
    const auto* at = peek<T>();
    if (at != nullptr) next_ += sizeof(T);
    return at;
  }
  template <WireStruct T>
  [[nodiscard]] const T* peek() const noexcept {
    return remaining() < sizeof(T) ? nullptr : reinterpret_cast<const T*>(next_);
  }
  // False, and no step, if fewer than `octets` are left.
  [[nodiscard]] bool skip(std::size_t octets) noexcept {
    if (remaining() < octets) return false;
    next_ += octets;
    return true;
  }
  // Forgets what lies beyond the next `octets`; more than is left changes nothing.
  // Without a branch: data are cut by the snap length, acknowledgments padded by the link.
  void limit(std::size_t octets) noexcept {
    const std::size_t left = remaining();
    end_ = next_ + chosen(octets < left, octets, left);
  }
  [[nodiscard]] std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - next_); }
  [[nodiscard]] const std::uint8_t* position() const noexcept { return next_; }

 private:
  const std::uint8_t* next_;
  const std::uint8_t* end_;
};

// Writes in network order into bytes that somebody else owns.  The caller has made sure that they suffice: what a
// message needs is known from its template before the first octet is written.
class Writer {
 public:
  explicit Writer(std::span<std::uint8_t> room) noexcept
      : begin_{room.data()}, next_{room.data()}, end_{room.data() + room.size()} {}

  template <std::unsigned_integral T>
  void put(T value) noexcept {
    value = from_network(value);
    put_octets(&value, sizeof(T));
  }
  void put_octets(const void* octets, std::size_t size) noexcept {
    assert(room() >= size);
    std::memcpy(next_, octets, size);
    next_ += size;
  }
  void put_zeros(std::size_t size) noexcept {
    assert(room() >= size);
    std::memset(next_, 0, size);
    next_ += size;
  }
  [[nodiscard]] std::size_t written() const noexcept { return static_cast<std::size_t>(next_ - begin_); }
  [[nodiscard]] std::size_t room() const noexcept { return static_cast<std::size_t>(end_ - next_); }

 private:
  std::uint8_t* begin_;
  std::uint8_t* next_;
  std::uint8_t* end_;
};

}  // namespace whiteowl
