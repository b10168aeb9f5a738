// SPDX-License-Identifier: Apache-2.0
// An index by hash of things that lie elsewhere: fixed capacity, all memory taken at start, no lock.
//
// Buckets of one cache line: seven 32-bit tags, how many had to go past, seven numbers.  One that found its bucket full
// lies in a following one, and every bucket on its way counts it, so a search ends at the first bucket that nobody had
// to pass, and erase leaves no tombstone.  With four numbers a bucket on average, one cache line answers nearly all,
// and without a branch on where in the bucket it lies.
//
// A hash that nobody outside can predict keeps ways short.  What holds even if somebody can: no number lies further
// from its home than kLongestWay buckets, and hardly more than kMostAlike numbers have the same home and tag.  Where
// that would be exceeded, has_room() says no, and the caller gives up one of those that are in the way.  With random
// hashes and all places taken that `capacity` allows, the longest way of four million was 18 buckets.
// Promise: find, insert and erase are O(1) and touch no memory but the buckets and what their caller looks at.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "whiteowl/base/memory.hpp"

namespace whiteowl {

class TagIndex {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;  // no number
  static constexpr unsigned kLongestWay = 32;         // buckets that a search may look at
  static constexpr unsigned kMostAlike = 8;           // numbers that a search may ask its caller about

  // Room for `capacity` numbers, which take four and a half of seven places at most.  Throws std::bad_alloc.
  TagIndex(std::uint32_t capacity, Prefault prefault)
      : mask_{std::bit_ceil(std::max(buckets_for(capacity), 2U)) - 1},
        longest_way_{std::min<std::uint32_t>(mask_ + 1, kLongestWay)},
        buckets_{std::size_t{mask_} + 1, prefault} {}

  // What find() and insert() will need is asked of the memory.
  void fetch(std::uint64_t hash) const noexcept { fetch_line(&buckets_[home(hash)]); }
  // A number that may be the wanted one: the first with its tag.  kNone: surely none in the home bucket.
  [[nodiscard]] std::uint32_t candidate(std::uint64_t hash) const noexcept {
    const Bucket& bucket = buckets_[home(hash)];
    const unsigned hits = bucket.equal(tag_of(hash));
    return hits == 0 ? kNone : bucket.number[std::countr_zero(hits)];
  }
  // The number under this hash of which is(number) says that it is the wanted one, or kNone.
  template <typename Is>
  [[nodiscard]] std::uint32_t find(std::uint64_t hash, Is&& is) const noexcept {
    const std::uint32_t tag = tag_of(hash);
    std::uint32_t at = home(hash);
    for (unsigned looked = 0; looked < longest_way_; ++looked, at = (at + 1) & mask_) {
      const Bucket& bucket = buckets_[at];
      for (unsigned hits = bucket.equal(tag); hits != 0; hits &= hits - 1) {
        const std::uint32_t number = bucket.number[std::countr_zero(hits)];
        if (is(number)) return number;
      }
      if (bucket.passed == 0) break;
    }
    return kNone;
  }
  // Whether insert() may be called.
  [[nodiscard]] bool has_room(std::uint64_t hash) const noexcept {
    const Bucket& bucket = buckets_[home(hash)];
    if (bucket.passed == 0 && bucket.equal(0) != 0) [[likely]]
      return true;
    const Crowd crowd = crowd_of(hash);
    return crowd.room && crowd.alike < kMostAlike;
  }
  // After has_room() said no: calls each(number) for those of which one has to go, until has_room() says yes.
  template <typename Each>
  void for_each_in_the_way(std::uint64_t hash, Each&& each) const noexcept {
    const bool alike_only = crowd_of(hash).alike >= kMostAlike;
    const std::uint32_t tag = tag_of(hash);
    std::uint32_t at = home(hash);
    for (unsigned looked = 0; looked < longest_way_; ++looked, at = (at + 1) & mask_) {
      const Bucket& bucket = buckets_[at];
      for (unsigned place = 0; place < 7; ++place) {
        if (alike_only ? bucket.tag[place] == tag : bucket.tag[place] != 0) each(bucket.number[place]);
      }
      if (alike_only && bucket.passed == 0) break;
    }
  }
  // Requires: the number is not in the index, fewer than `capacity` are, has_room(hash).
  void insert(std::uint64_t hash, std::uint32_t number) noexcept {
    std::uint32_t at = home(hash);
    unsigned room = 0;
    while ((room = buckets_[at].equal(0)) == 0) {
      ++buckets_[at].passed;
      at = (at + 1) & mask_;
    }
    const auto place = static_cast<unsigned>(std::countr_zero(room));
    buckets_[at].tag[place] = tag_of(hash);
    buckets_[at].number[place] = number;
  }
  // Requires: the number is in the index under this hash.
  template <typename Is>
  void erase(std::uint64_t hash, Is&& is) noexcept {
    const std::uint32_t tag = tag_of(hash);
    for (std::uint32_t at = home(hash);; at = (at + 1) & mask_) {
      Bucket& bucket = buckets_[at];
      for (unsigned hits = bucket.equal(tag); hits != 0; hits &= hits - 1) {
        const auto place = static_cast<unsigned>(std::countr_zero(hits));
        if (!is(bucket.number[place])) continue;
        bucket.tag[place] = 0;
        return;
      }
      assert(bucket.passed > 0);
      --bucket.passed;
    }
  }
  void clear() noexcept { buckets_.clear(); }  // as constructed

  [[nodiscard]] std::size_t octets() const noexcept { return buckets_.octets(); }

 private:
  struct alignas(kCacheLine) Bucket {
    std::uint32_t tag[7];  // 0 = free
    std::uint32_t passed;  // those that belong here or before and lie behind this bucket
    std::uint32_t number[7];
    std::uint32_t spare;

    // Bit i: tag[i] == wanted.
    [[nodiscard]] unsigned equal(std::uint32_t wanted) const noexcept {
#if defined(__SSE2__)
      const __m128i want = _mm_set1_epi32(static_cast<int>(wanted));
      const __m128i left = _mm_cmpeq_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(&tag[0])), want);
      const __m128i right = _mm_cmpeq_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(&tag[4])), want);
      const int bits = _mm_movemask_ps(_mm_castsi128_ps(left)) | _mm_movemask_ps(_mm_castsi128_ps(right)) << 4;
      return static_cast<unsigned>(bits) & 0x7FU;
#else
      unsigned bits = 0;
      for (unsigned i = 0; i < 7; ++i) bits |= static_cast<unsigned>(tag[i] == wanted) << i;
      return bits;
#endif
    }
  };
  static_assert(sizeof(Bucket) == kCacheLine);

  [[nodiscard]] static constexpr std::uint32_t buckets_for(std::uint32_t capacity) noexcept {
    return static_cast<std::uint32_t>((std::uint64_t{capacity} * 2 + 8) / 9);
  }
  struct Crowd {
    unsigned alike;  // numbers under the very same home and tag
    bool room;       // a free place on its way
  };
  [[nodiscard]] Crowd crowd_of(std::uint64_t hash) const noexcept {
    const std::uint32_t tag = tag_of(hash);
    Crowd crowd{};
    std::uint32_t at = home(hash);
    bool searched = false;  // nothing under this hash lies further on
    for (unsigned looked = 0; looked < longest_way_ && !(searched && crowd.room); ++looked, at = (at + 1) & mask_) {
      const Bucket& bucket = buckets_[at];
      if (!searched) crowd.alike += static_cast<unsigned>(std::popcount(bucket.equal(tag)));
      searched = searched || bucket.passed == 0;
      crowd.room = crowd.room || bucket.equal(0) != 0;
    }
    return crowd;
  }

  // The place takes the low bits of the hash, the tag the high ones: they say different things.
  [[nodiscard]] std::uint32_t home(std::uint64_t hash) const noexcept {
    return static_cast<std::uint32_t>(hash) & mask_;
  }
  [[nodiscard]] static std::uint32_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash >> 32U) | 1U;
  }

  std::uint32_t mask_;
  std::uint32_t longest_way_;  // buckets
  ZeroedArray<Bucket> buckets_;
};

}  // namespace whiteowl
