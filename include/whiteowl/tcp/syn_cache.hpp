// SPDX-License-Identifier: Apache-2.0

// SYNs that wait for their SYN-ACK: the handshake's round-trip time also where the flow entry is gone meanwhile.
//
// A worker's share of the probe's cache; both directions of a tuple reach the same worker, so the shares together are
// one cache without a lock.  Bounded: when full the oldest tenth goes.  All memory is taken at construction.
// Promise: nothing older than the time to live is ever matched; a SYN whose repeat cannot be told from it gives no time
// (Karn, RFC 6298 3), unless time stamps say which of the two was answered (RFC 7323 4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "whiteowl/base/memory.hpp"
#include "whiteowl/base/tag_index.hpp"
#include "whiteowl/tcp/counters.hpp"
#include "whiteowl/tcp/segment.hpp"

namespace whiteowl {

class SynCache {
 public:
  // Throws std::bad_alloc.  `counters` outlive the cache.
  SynCache(std::uint32_t capacity, Duration time_to_live, TcpCounters& counters, Prefault prefault = Prefault::no);

  // What insert() or answer() will need of the index for this key is asked of the memory.
  void fetch(std::uint64_t key) const noexcept { index_.fetch(key); }
  // A SYN without ACK passed.  `key` stands for the tuple as the SYN's sender sees it.  Octets of payload that the
  // first of the SYNs with this sequence number carried (RFC 7413), at most 65535.
  std::uint16_t insert(std::uint64_t key, const Segment& syn) noexcept;
  // The SYN-ACK to a SYN under `key` passed: microseconds since the SYN that it answers.  The SYN is forgotten with it.
  [[nodiscard]] std::optional<std::int64_t> answer(std::uint64_t key, const Segment& syn_ack) noexcept;

  // A remembered SYN, for those who saw it pass and did not know yet that it would matter.
  struct Syn {
    std::int64_t first_age_us;  // of the first one
    bool repeated;
    bool has_timestamps;     // the last one
    std::uint32_t ts_value;  // of the last one
    std::uint16_t payload;
  };
  [[nodiscard]] std::optional<Syn> find(std::uint64_t key, SeqNum isn, std::int64_t now_us) const noexcept;

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return static_cast<std::uint32_t>(entries_.size()); }
  [[nodiscard]] std::size_t memory_octets() const noexcept;

 private:
  using Place = std::uint32_t;  // in entries_; kNowhere ends a list
  static constexpr Place kNowhere = TagIndex::kNone;

  struct Entry {
    std::uint64_t key;
    SeqNum isn;
    std::uint32_t first_us, last_us;  // low 32 bits; the time to live keeps them near each other
    std::uint32_t ts_first, ts_last;
    std::uint16_t payload;
    std::uint8_t last_era;  // bits 32 to 39 of last_us: a stamp means something for six days
    std::uint8_t flags;
    Place older, younger;  // the list by age; unused entries are chained by `older`
  };
  static_assert(sizeof(Entry) == 40);
  [[nodiscard]] std::int64_t age(const Entry& entry, std::int64_t now_us) const noexcept;
  [[nodiscard]] std::int64_t first_age(const Entry& entry, std::int64_t now_us) const noexcept;
  [[nodiscard]] Place place_of(std::uint64_t key) const noexcept;
  void link_youngest(Place place) noexcept;
  void unlink(Place place) noexcept;
  void remove(Place place) noexcept;
  void remove_oldest(std::uint32_t count) noexcept;
  void remove_oldest_in_the_way(std::uint64_t key) noexcept;
  void make_room(std::int64_t now_us) noexcept;

  ZeroedArray<Entry> entries_;
  TagIndex index_;  // of places by key, which is a hash
  std::int64_t time_to_live_us_;
  TcpCounters& counters_;
  Place oldest_ = kNowhere, youngest_ = kNowhere, unused_ = kNowhere;
  std::uint32_t size_ = 0;
  std::uint32_t fresh_ = 0;  // entries from here on were never used
};

}  // namespace whiteowl
