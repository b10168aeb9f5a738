// SPDX-License-Identifier: Apache-2.0
// The table of conversations of one worker: fixed capacity, all memory taken at start, no lock.
//
//   index    buckets of one cache line: seven 32-bit tags, how many keys had to go past, seven entry numbers
//   entries  192 octets: line 0 the key and its housekeeping, line 1 the direction of the first packet, line 2 what is
//            written once a record, and the TCP conversation's own part
//   answers  64 and 16 octets an entry: the other direction, not touched before it is seen
//
// The entry number in the index says too which direction lies in the entry, so that the right lines can be fetched
// before the entry has been read.
//
// find: the bucket that the hash names; equal tags are compared as whole keys in the entry.  A key that found its
// bucket full lies in a following one, and every bucket on its way counts it, so a search ends at the first bucket that
// nobody had to pass, and erase leaves no tombstone.  With four entries a bucket on average, one cache line answers
// nearly all. Promise: find, insert and erase are O(1), touch no memory but the above, and never move an entry.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "whiteowl/base/address.hpp"
#include "whiteowl/base/memory.hpp"
#include "whiteowl/base/time.hpp"
#include "whiteowl/flow/key.hpp"
#include "whiteowl/tcp/conversation.hpp"

namespace whiteowl {

// One direction's record since the last export.  `packets` 0: no record is open.  Ages are AgeClock times.
struct alignas(64) FlowDirection {
  std::uint64_t packets;
  std::uint64_t octets;
  Timestamp start;  // smallest stamp
  Timestamp end;    // largest stamp
  Duration opened;  // age at the record's first packet
  Duration seen;    // age at the direction's last packet; outlives the record
  std::uint32_t tunnel_id;
  std::uint16_t tcp_flags;
  std::uint16_t vlan_id;
  std::uint16_t customer_vlan_id;
  std::uint8_t min_ttl;
  std::uint8_t max_ttl;
  std::uint8_t traffic_class;
  std::uint8_t interface;
  TunnelType tunnel_type : 6;
  std::uint8_t outgoing : 1;
  std::uint8_t ever : 1;  // a packet of this direction was seen
};
static_assert(sizeof(FlowDirection) == 64);

// What is written once a record.
struct FlowCold {
  MacAddress source_mac, destination_mac;
  std::uint32_t mpls_label;
};
static_assert(sizeof(FlowCold) == 16);

struct alignas(64) Flow {
  FlowKey key;
  Timestamp born;  // first packet's stamp: with the key, the identity of the conversation
  // Nothing of the conversation is due before this age, unless it is closed; in units of 2^24 ns, of which 39 bits hold
  // every age.
  std::uint64_t due : 40;
  std::uint64_t in_use : 1;
  std::uint64_t scheduled : 1;     // stands in the wheel
  std::uint64_t in_closed : 1;     // stands in the queue of closed conversations
  std::uint64_t in_half_open : 1;  // stands in the queue of conversations without an answer
  std::uint64_t closed : 1;        // both FINs acknowledged, or reset
  std::uint64_t near : 1;          // the direction that lies in the entry
  std::uint64_t answered : 1;      // the other one lies in the answers; else it is all zero, whatever lies there
  std::uint64_t initiator : 1;     // direction of the first packet, or of the one who was told to have begun
  std::uint64_t told : 1;          // a record has said who began: that is not said otherwise later
  std::uint64_t one_way : 1;       // counted as a conversation whose other direction is missing
  std::uint64_t fins : 2;          // bit d: FIN seen in direction d (kept only when TCP is not metered)
  std::uint32_t next;              // in the list of its wheel slot
  FlowDirection way;
  TcpConversation tcp;
  FlowCold cold;
};
static_assert(sizeof(Flow) == 192);

class FlowTable {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  static constexpr std::uint32_t kMaxCapacity = std::uint32_t{1} << 30U;

  // Room for `capacity` conversations, 1 at least and kMaxCapacity at most.  Throws std::bad_alloc.
  FlowTable(std::uint32_t capacity, Prefault prefault)
      : capacity_{std::clamp<std::uint32_t>(capacity, 1, kMaxCapacity)},
        mask_{std::bit_ceil(std::max<std::uint32_t>((capacity_ + 3) / 4, 2)) - 1},
        buckets_{std::size_t{mask_} + 1, prefault},
        entries_{capacity_, prefault},
        answers_{capacity_, prefault},
        cold_answers_{capacity_, prefault, Access::in_order},
        free_{capacity_, prefault, Access::in_order} {}

  void prefetch_bucket(std::uint64_t hash) const noexcept { __builtin_prefetch(&buckets_[home(hash)]); }
  // An entry that may be the key's: the first with its tag.  Index kNone: surely none in the home bucket.
  struct Candidate {
    std::uint32_t index;
    std::uint32_t near;
  };
  [[nodiscard]] Candidate candidate(std::uint64_t hash) const noexcept {
    const Bucket& bucket = buckets_[home(hash)];
    const unsigned hits = bucket.equal(tag_of(hash));
    if (hits == 0) return {kNone, 0};
    const std::uint32_t entry = bucket.entry[std::countr_zero(hits)];
    return {entry >> 1U, entry & 1U};
  }
  [[nodiscard]] std::uint32_t find(const FlowKey& key, std::uint64_t hash) const noexcept {
    const std::uint32_t tag = tag_of(hash);
    for (std::uint32_t at = home(hash);; at = (at + 1) & mask_) {
      const Bucket& bucket = buckets_[at];
      for (unsigned hits = bucket.equal(tag); hits != 0; hits &= hits - 1) {
        const std::uint32_t index = bucket.entry[std::countr_zero(hits)] >> 1U;
        if (entries_[index].key == key) return index;
      }
      if (bucket.passed == 0) return kNone;
    }
  }
  // The same, tried first where candidate() pointed some inserts and erasures ago.
  [[nodiscard]] std::uint32_t find(const FlowKey& key, std::uint64_t hash, std::uint32_t candidate) const noexcept {
    if (candidate != kNone && entries_[candidate].in_use != 0 && entries_[candidate].key == key) [[likely]]
      return candidate;
    return find(key, hash);
  }
  // The key is not in the table, and the table is not full.  `near`: the direction that is to lie in the entry.  The
  // entry is all zero but for its place in the wheel and the queues, which it inherits from its predecessor.
  [[nodiscard]] std::uint32_t insert(const FlowKey& key, std::uint64_t hash, std::uint32_t near) noexcept {
    assert(!full());
    const std::uint32_t index = free_count_ > 0 ? free_[--free_count_] : fresh_++;
    std::uint32_t at = home(hash);
    unsigned room = 0;
    while ((room = buckets_[at].equal(0)) == 0) {
      ++buckets_[at].passed;
      at = (at + 1) & mask_;
    }
    const auto slot = static_cast<unsigned>(std::countr_zero(room));
    buckets_[at].tag[slot] = tag_of(hash);
    buckets_[at].entry[slot] = index << 1U | near;
    Flow& flow = entries_[index];
    flow.key = key;
    flow.in_use = 1;
    flow.near = near & 1U;
    ++size_;
    return index;
  }
  void erase(std::uint32_t index, std::uint64_t hash) noexcept {
    std::uint32_t at = home(hash);
    for (;; at = (at + 1) & mask_) {
      Bucket& bucket = buckets_[at];
      for (unsigned hits = bucket.equal(tag_of(hash)); hits != 0; hits &= hits - 1) {
        const auto slot = static_cast<unsigned>(std::countr_zero(hits));
        if (bucket.entry[slot] >> 1U != index) continue;
        bucket.tag[slot] = 0;
        release(index);
        return;
      }
      assert(bucket.passed > 0);
      --bucket.passed;
    }
  }
  // As constructed.  Cheaper than to erase each.
  void clear() noexcept {
    buckets_.clear();
    entries_.clear();
    answers_.clear();
    cold_answers_.clear();
    size_ = fresh_ = free_count_ = 0;
  }

  [[nodiscard]] bool full() const noexcept { return free_count_ == 0 && fresh_ == capacity_; }
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
  // Entries below this were used at least once.
  [[nodiscard]] std::uint32_t touched() const noexcept { return fresh_; }
  [[nodiscard]] Flow& flow(std::uint32_t index) noexcept { return entries_[index]; }
  [[nodiscard]] const Flow& flow(std::uint32_t index) const noexcept { return entries_[index]; }
  // The direction's record; all zero where nothing of it was seen.
  [[nodiscard]] const FlowDirection& way(std::uint32_t index, unsigned direction) const noexcept {
    const Flow& flow = entries_[index];
    if (flow.near == direction) return flow.way;
    return flow.answered != 0 ? answers_[index] : kNothing;
  }
  // The same to write into.
  [[nodiscard]] FlowDirection& open_way(std::uint32_t index, unsigned direction) noexcept {
    Flow& flow = entries_[index];
    if (flow.near != direction && flow.answered == 0) [[unlikely]] {
      answers_[index] = {};
      flow.answered = 1;
    }
    return *chosen(flow.near == direction, &flow.way, &answers_[index]);
  }
  [[nodiscard]] FlowCold& cold(std::uint32_t index, unsigned direction) noexcept {
    Flow& flow = entries_[index];
    return flow.near == direction ? flow.cold : cold_answers_[index];
  }
  // Both directions all zero again.
  void forget_ways(std::uint32_t index) noexcept {
    entries_[index].way = {};
    entries_[index].answered = 0;
  }
  // A packet of this conversation and direction comes soon.  `with_tcp`: its own part of TCP too.
  void fetch(std::uint32_t index, std::uint32_t near, unsigned direction, bool with_tcp) const noexcept {
    const Flow& flow = entries_[index];
    fetch_line(&flow);
    fetch_line(chosen(near == direction, &flow.way, &answers_[index]));
    if (with_tcp) fetch_line(&flow.tcp);
  }
  void fetch_all(std::uint32_t index) const noexcept {
    fetch_lines(entries_[index]);
    fetch_line(&answers_[index]);
  }
  [[nodiscard]] std::size_t memory_octets() const noexcept {
    return buckets_.octets() + entries_.octets() + answers_.octets() + cold_answers_.octets() + free_.octets();
  }

 private:
  // By mask: which end a packet comes from is a coin toss that no branch predictor wins.
  template <typename T>
  [[nodiscard]] static T* chosen(bool first, T* one, T* other) noexcept {
    const auto mask = std::uintptr_t{0} - std::uintptr_t{first};
    const auto a = reinterpret_cast<std::uintptr_t>(one), b = reinterpret_cast<std::uintptr_t>(other);
    return reinterpret_cast<T*>(b ^ ((a ^ b) & mask));
  }

  struct alignas(64) Bucket {
    std::uint32_t tag[7];  // 0 = free
    std::uint32_t passed;  // keys that belong here or before and lie behind this bucket
    std::uint32_t entry[7];
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
  static_assert(sizeof(Bucket) == 64);

  // The index takes the low bits of the hash, the tag the high ones: they say different things.
  [[nodiscard]] std::uint32_t home(std::uint64_t hash) const noexcept {
    return static_cast<std::uint32_t>(hash) & mask_;
  }
  [[nodiscard]] static std::uint32_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash >> 32U) | 1U;
  }

  void release(std::uint32_t index) noexcept {
    Flow& flow = entries_[index];
    flow.in_use = 0;
    flow.closed = 0;
    flow.fins = 0;
    flow.tcp = {};
    forget_ways(index);
    free_[free_count_++] = index;
    --size_;
  }

  static constexpr FlowDirection kNothing{};

  std::uint32_t capacity_;
  std::uint32_t mask_;
  std::uint32_t size_ = 0;
  std::uint32_t fresh_ = 0;       // entries from here on were never used
  std::uint32_t free_count_ = 0;  // entries given back
  ZeroedArray<Bucket> buckets_;
  ZeroedArray<Flow> entries_;
  ZeroedArray<FlowDirection> answers_;
  ZeroedArray<FlowCold> cold_answers_;
  ZeroedArray<std::uint32_t> free_;
};

}  // namespace whiteowl
