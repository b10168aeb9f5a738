// SPDX-License-Identifier: Apache-2.0
// The table of conversations of one worker: fixed capacity, all memory taken at start, no lock.
//
//   index    a TagIndex of entry numbers
//   entries  192 octets: line 0 the key, its housekeeping and what each TCP packet needs of the conversation, line 1
//            what SYNs and records need, line 2 the direction of the first packet
//   answers  64 and 16 octets an entry: the other direction, not touched before it is seen
//
// The entry number in the index says too which direction lies in the entry, so that the right lines can be fetched
// before the entry has been read.
// Promise: find, insert and erase are O(1), touch no memory but the above, and never move an entry.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "whiteowl/base/address.hpp"
#include "whiteowl/base/branchless.hpp"
#include "whiteowl/base/memory.hpp"
#include "whiteowl/base/tag_index.hpp"
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
  // Nothing of the conversation is due before this age, unless it is closed; in units of 2^24 ns, of which 39 bits hold
  // every age.
  std::uint64_t due : 40;
  std::uint64_t in_use : 1;
  std::uint64_t in_closed : 1;   // stands in the queue of closed conversations
  std::uint64_t unanswered : 1;  // stands in the list of those who leave a full table first
  std::uint64_t closed : 1;      // both FINs acknowledged, or reset
  std::uint64_t near : 1;        // the direction that lies in the entry
  std::uint64_t answered : 1;    // the other one lies in the answers; else it is all zero, and not looked at
  std::uint64_t initiator : 1;   // direction of the first packet, or of the one who was told to have begun
  std::uint64_t told : 1;        // a record has said who began: that is not said otherwise later
  std::uint64_t one_way : 1;     // counted as a conversation whose other direction is missing
  std::uint64_t fins : 2;        // bit d: FIN seen in direction d (kept only when TCP is not metered)
  TcpConversation tcp;
  Timestamp born;  // first packet's stamp: with the key, the identity of the conversation
  FlowCold cold;
  FlowDirection way;
};
static_assert(sizeof(Flow) == 192 && offsetof(Flow, tcp) + TcpConversation::kEveryPacket == kCacheLine);

class FlowTable {
 public:
  static constexpr std::uint32_t kNone = TagIndex::kNone;

  static constexpr std::uint32_t kMaxCapacity = std::uint32_t{1} << 30U;

  // Room for `capacity` conversations, 1 at least and kMaxCapacity at most.  Throws std::bad_alloc.
  FlowTable(std::uint32_t capacity, Prefault prefault)
      : capacity_{std::clamp<std::uint32_t>(capacity, 1, kMaxCapacity)},
        index_{capacity_, prefault},
        entries_{capacity_, prefault},
        answers_{capacity_, prefault},
        cold_answers_{capacity_, prefault, Access::in_order},
        free_{capacity_, prefault, Access::in_order} {}

  void prefetch_bucket(std::uint64_t hash) const noexcept { index_.fetch(hash); }
  // An entry that may be a packet's, and where its direction's record then lies.  Null: surely none but in a bucket
  // that overflowed.
  struct Candidate {
    Flow* flow;
    FlowDirection* way;
    std::uint32_t index;
  };
  [[nodiscard]] Candidate candidate(std::uint64_t hash, unsigned direction) noexcept {
    const std::uint32_t number = index_.candidate(hash);
    if (number == kNone) return {};
    const std::uint32_t index = number >> 1U;
    Flow& flow = entries_[index];
    return {&flow, chosen((number & 1U) == direction, &flow.way, &answers_[index]), index};
  }
  // Whether it is the entry: true means no less than found by find(), as long as nothing was erased since candidate().
  [[nodiscard]] static bool is(const Candidate& candidate, const FlowKey& key) noexcept {
    return candidate.flow != nullptr && candidate.flow->key == key;
  }
  [[nodiscard]] std::uint32_t find(const FlowKey& key, std::uint64_t hash) const noexcept {
    const std::uint32_t number =
        index_.find(hash, [this, &key](std::uint32_t found) { return entries_[found >> 1U].key == key; });
    return number == kNone ? kNone : number >> 1U;
  }
  // Whether insert() may be called, unless the table is full.
  [[nodiscard]] bool has_room(std::uint64_t hash) const noexcept { return index_.has_room(hash); }
  // After has_room() said no: calls each(index) for the entries of which one has to be erased first.
  template <typename Each>
  void for_each_in_the_way(std::uint64_t hash, Each&& each) const noexcept {
    index_.for_each_in_the_way(hash, [&each](std::uint32_t number) { each(number >> 1U); });
  }
  // The key is not in the table, has_room(hash), and the table is not full.  `near`: the direction that is to lie in
  // the entry.  The entry is all zero but for its place in the queues, which it inherits from its predecessor, as that
  // in the wheel.
  [[nodiscard]] std::uint32_t insert(const FlowKey& key, std::uint64_t hash, std::uint32_t near) noexcept {
    assert(!full());
    const std::uint32_t index = free_count_ > 0 ? free_[--free_count_] : fresh_++;
    index_.insert(hash, index << 1U | near);
    Flow& flow = entries_[index];
    flow.key = key;
    flow.in_use = 1;
    flow.near = near & 1U;
    ++size_;
    return index;
  }
  void erase(std::uint32_t index, std::uint64_t hash) noexcept {
    index_.erase(hash, [index](std::uint32_t number) { return number >> 1U == index; });
    release(index);
  }
  // As constructed.  Cheaper than to erase each.
  void clear() noexcept {
    index_.clear();
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
    const FlowDirection* const other = chosen(flow.answered != 0, &answers_[index], &kNothing);
    return *chosen(flow.near == direction, &flow.way, other);
  }
  // The same to write into.
  [[nodiscard]] FlowDirection& open_way(std::uint32_t index, unsigned direction) noexcept {
    Flow& flow = entries_[index];
    const bool is_near = flow.near == direction;
    if (!is_near) flow.answered = 1;
    return *chosen(is_near, &flow.way, &answers_[index]);
  }
  [[nodiscard]] FlowCold& cold(std::uint32_t index, unsigned direction) noexcept {
    Flow& flow = entries_[index];
    return flow.near == direction ? flow.cold : cold_answers_[index];
  }
  // Both directions all zero again.
  void forget_ways(std::uint32_t index) noexcept {
    Flow& flow = entries_[index];
    flow.way = {};
    if (flow.answered != 0) answers_[index] = {};
    flow.answered = 0;
  }
  // A packet of the candidate's conversation and direction comes soon.
  static void fetch(const Candidate& candidate) noexcept {
    fetch_line(candidate.flow);
    fetch_line(candidate.way);
  }
  // It is a SYN.
  static void fetch_opening(const Candidate& candidate) noexcept { fetch_line(&candidate.flow->tcp.isn); }
  void fetch_entry(std::uint32_t index) const noexcept { fetch_lines(entries_[index]); }
  void fetch_all(std::uint32_t index) const noexcept {
    fetch_lines(entries_[index]);
    fetch_line(&answers_[index]);
  }
  [[nodiscard]] std::size_t memory_octets() const noexcept {
    return index_.octets() + entries_.octets() + answers_.octets() + cold_answers_.octets() + free_.octets();
  }

 private:
  void release(std::uint32_t index) noexcept {
    Flow& flow = entries_[index];
    flow.in_use = 0;
    flow.key.rest = 0;  // no packet's: its IP version is 4 or 6
    flow.closed = 0;
    flow.fins = 0;
    flow.tcp = {};
    forget_ways(index);
    free_[free_count_++] = index;
    --size_;
  }

  static constexpr FlowDirection kNothing{};

  std::uint32_t capacity_;
  std::uint32_t size_ = 0;
  std::uint32_t fresh_ = 0;       // entries from here on were never used
  std::uint32_t free_count_ = 0;  // entries given back
  TagIndex index_;
  ZeroedArray<Flow> entries_;
  ZeroedArray<FlowDirection> answers_;
  ZeroedArray<FlowCold> cold_answers_;
  ZeroedArray<std::uint32_t> free_;
};

}  // namespace whiteowl
