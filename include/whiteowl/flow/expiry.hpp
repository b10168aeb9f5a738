// SPDX-License-Identifier: Apache-2.0
// When flows are looked at: a wheel of time slots, and two queues.
// Cost: nothing per packet.  A conversation is looked at once per timeout, when its slot of the wheel comes round, and
// is put back where its next deadline lies.  Nothing is ever taken out of the middle: an entry that changed hands keeps
// its place, which is never later than its new deadline, so one link per entry is enough.
// Promise: a conversation is looked at no later than one slot (134 ms of age) after its deadline; what a record holds
// does not depend on that delay, because a packet that finds a deadline passed has the record exported first.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>

#include "whiteowl/base/memory.hpp"
#include "whiteowl/base/time.hpp"
#include "whiteowl/flow/table.hpp"

namespace whiteowl {

class ExpiryWheel {
 public:
  static constexpr unsigned kSlotBits = 27;  // 2^27 ns
  static constexpr std::uint32_t kSlots = 4096;

  explicit ExpiryWheel(Prefault prefault) : heads_{kSlots, prefault} {}

  // Puts an entry that stands in no slot where `deadline` lies; beyond the horizon (9 minutes) the furthest slot must
  // do.
  void schedule(FlowTable& table, std::uint32_t index, Duration deadline) noexcept {
    std::int64_t slot = deadline.count() >> kSlotBits;
    if (slot < current_) slot = current_;
    if (slot >= current_ + kSlots) slot = current_ + kSlots - 1;
    Flow& flow = table.flow(index);
    std::uint32_t& head = heads_[static_cast<std::size_t>(slot) & (kSlots - 1)];
    flow.next = head;
    flow.scheduled = 1;
    head = index + 1;  // 0 = empty list, so that zeroed memory is an empty wheel
  }
  // Calls look(index) for each entry of the slots that lie wholly before `now`.  The entry stands in no slot then; look
  // may schedule it again.
  template <typename Look>
  void advance(FlowTable& table, Duration now, Look&& look) noexcept {
    const std::int64_t target = now.count() >> kSlotBits;
    if (target - current_ > kSlots) current_ = target - kSlots;  // every slot once is enough
    while (current_ < target) {
      std::uint32_t at = heads_[static_cast<std::size_t>(current_) & (kSlots - 1)];
      heads_[static_cast<std::size_t>(current_) & (kSlots - 1)] = 0;
      ++current_;
      while (at != 0) at = take(table, at, look);
    }
  }
  // Calls look(index) for the `limit` entries that will be due next, or for all if there are fewer.  The entry stands
  // in no slot then; look schedules it again.
  template <typename Look>
  void soonest(FlowTable& table, std::uint32_t limit, Look&& look) noexcept {
    for (std::int64_t slot = current_; slot < current_ + kSlots && limit > 0; ++slot) {
      std::uint32_t& head = heads_[static_cast<std::size_t>(slot) & (kSlots - 1)];
      std::uint32_t at = head;
      head = 0;  // what look puts back into this slot is not looked at again
      for (; at != 0 && limit > 0; --limit) at = take(table, at, look);
      if (at == 0) continue;
      std::uint32_t* end = &head;  // at most `limit` were put back, so the way to their end is short
      while (*end != 0) end = &table.flow(*end - 1).next;
      *end = at;
    }
  }
  // Calls look(index) once for each entry.  The entry stands in no slot then; look may schedule it again, where
  // deadlines have come nearer also in a slot that was looked through already.
  template <typename Look>
  void look_at_all(FlowTable& table, Look&& look) noexcept {
    std::uint32_t all = 0;
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
      for (std::uint32_t at = std::exchange(heads_[slot], 0); at != 0;) {
        Flow& flow = table.flow(at - 1);
        const std::uint32_t next = std::exchange(flow.next, all);
        all = at;
        at = next;
      }
    }
    while (all != 0) all = take(table, all, look);
  }
  void clear() noexcept { heads_.clear(); }
  [[nodiscard]] std::size_t memory_octets() const noexcept { return heads_.octets(); }

 private:
  template <typename Look>
  static std::uint32_t take(FlowTable& table, std::uint32_t at, Look& look) noexcept {
    Flow& flow = table.flow(at - 1);
    const std::uint32_t next = flow.next;
    if (next != 0) table.fetch_all(next - 1);
    flow.scheduled = 0;
    look(at - 1);
    return next;
  }

  std::int64_t current_ = 0;  // first slot not yet advanced over
  ZeroedArray<std::uint32_t> heads_;
};

struct ClosedItem {
  std::uint32_t index;
  std::uint32_t due;  // age in units of 2^20 ns, wrapping
};

// Entry numbers in the order in which they came.  An entry stands in it at most once (the caller keeps the flag), so a
// capacity of one per entry never overflows.
template <typename Item>
class IndexQueue {
 public:
  IndexQueue(std::uint32_t capacity, Prefault prefault)
      : items_{std::bit_ceil(std::size_t{capacity}), prefault, Access::in_order} {}
  void push(Item item) noexcept { items_[tail_++ & (items_.size() - 1)] = item; }
  [[nodiscard]] const Item* front() const noexcept {
    return head_ == tail_ ? nullptr : &items_[head_ & (items_.size() - 1)];
  }
  // The one that stands `places` behind the front; null if there are not as many.
  [[nodiscard]] const Item* later(std::size_t places) const noexcept {
    return tail_ - head_ <= places ? nullptr : &items_[(head_ + places) & (items_.size() - 1)];
  }
  void pop() noexcept { ++head_; }
  void clear() noexcept { head_ = tail_; }
  [[nodiscard]] std::size_t memory_octets() const noexcept { return items_.octets(); }

 private:
  ZeroedArray<Item> items_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace whiteowl
