// SPDX-License-Identifier: Apache-2.0
// When flows are looked at: a wheel of time slots, and two queues.
// Cost: nothing per packet.  A conversation is looked at once per timeout, when its slot of the wheel comes round, and
// is put back where its next deadline lies.  Nothing is ever taken out of the middle: an entry that changed hands keeps
// its place, which is never later than its new deadline, so one link per entry is enough.
// Promise: a conversation is looked at no later than one slot (134 ms of age) after its deadline; what a record holds
// does not depend on that delay, because a packet that finds a deadline passed has the record exported first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "whiteowl/base/memory.hpp"
#include "whiteowl/base/time.hpp"

namespace whiteowl {

// Of entry numbers below `capacity`.  Their links lie beside each other, so that to go along a list waits for no entry,
// and entries can be fetched before their turn.
class ExpiryWheel {
 public:
  static constexpr unsigned kSlotBits = 27;  // 2^27 ns
  static constexpr std::uint32_t kSlots = 4096;

  ExpiryWheel(std::uint32_t capacity, Prefault prefault) : heads_{kSlots, prefault}, links_{capacity, prefault} {}

  [[nodiscard]] bool is_scheduled(std::uint32_t index) const noexcept { return links_[index] != kNowhere; }
  // Puts an entry that stands in no slot where `deadline` lies; beyond the horizon (9 minutes) the furthest slot must
  // do.
  void schedule(std::uint32_t index, Duration deadline) noexcept {
    std::int64_t slot = deadline.count() >> kSlotBits;
    if (slot < current_) slot = current_;
    if (slot >= current_ + kSlots) slot = current_ + kSlots - 1;
    Link& head = head_of(slot);
    links_[index] = std::max(head, kEnd);
    head = index + kFirst;
  }
  // Calls look(index) for each entry of the slots that lie wholly before `now`, and soon(index) some entries before
  // that.  The entry stands in no slot when it is looked at; look may schedule it again.
  template <typename Look, typename Soon>
  void advance(Duration now, Look&& look, Soon&& soon) noexcept {
    const std::int64_t target = now.count() >> kSlotBits;
    if (target - current_ > kSlots) current_ = target - kSlots;  // every slot once is enough
    while (current_ < target) {
      Link at = std::exchange(head_of(current_), kNowhere);
      ++current_;
      Link ahead = at;
      for (unsigned i = 0; i < kSoon && ahead >= kFirst; ++i) ahead = pass(ahead, soon);
      while (at >= kFirst) {
        if (ahead >= kFirst) ahead = pass(ahead, soon);
        at = take(at, look);
      }
    }
  }
  // Calls look(index) once for each entry.  The entry stands in no slot then; look may schedule it again, where
  // deadlines have come nearer also in a slot that was looked through already.
  template <typename Look>
  void look_at_all(Look&& look) noexcept {
    Link all = kEnd;
    for (std::int64_t slot = 0; slot < kSlots; ++slot) {
      for (Link at = std::exchange(head_of(slot), kNowhere); at >= kFirst;) {
        const Link next = std::exchange(links_[at - kFirst], all);
        all = at;
        at = next;
      }
    }
    while (all >= kFirst) all = take(all, look);
  }
  void clear() noexcept {
    heads_.clear();
    links_.clear();
  }
  [[nodiscard]] std::size_t memory_octets() const noexcept { return heads_.octets() + links_.octets(); }

 private:
  // What follows in the list: an entry's number + kFirst, or nothing.  An entry that stands in no list says so, and
  // zeroed memory is an empty wheel.
  using Link = std::uint32_t;
  static constexpr Link kNowhere = 0, kEnd = 1, kFirst = 2;
  static constexpr unsigned kSoon = 4;  // an entry is worth several lines

  [[nodiscard]] Link& head_of(std::int64_t slot) noexcept {
    return heads_[static_cast<std::size_t>(slot) & (kSlots - 1)];
  }
  template <typename Soon>
  [[nodiscard]] Link pass(Link at, Soon& soon) const noexcept {
    soon(at - kFirst);
    return links_[at - kFirst];
  }
  template <typename Look>
  [[nodiscard]] Link take(Link at, Look& look) noexcept {
    const Link next = std::exchange(links_[at - kFirst], kNowhere);
    look(at - kFirst);
    return next;
  }

  std::int64_t current_ = 0;  // first slot not yet advanced over
  ZeroedArray<Link> heads_;
  ZeroedArray<Link> links_;
};

// A closed conversation and the slot of the wheel's width at whose end it is due.  Slots wrap after 73 years, and no
// deadline lies further ahead than kFurthest: so whatever age the clock leaps to, what is overdue is seen as that.
struct ClosedItem {
  static constexpr unsigned kSlotBits = ExpiryWheel::kSlotBits;
  static constexpr std::uint64_t kWrap = (std::uint64_t{1} << 34U) - 1;
  static constexpr std::uint64_t kFurthest = std::uint64_t{1} << 27U;  // 208 days; timeouts reach to 116

  std::uint64_t index : 30;
  std::uint64_t slot : 34;

  [[nodiscard]] static ClosedItem at(std::uint32_t index, Duration due) noexcept {
    return {.index = index & ((1U << 30U) - 1), .slot = slot_of(due) & kWrap};
  }
  [[nodiscard]] bool is_ahead_of(Duration now) const noexcept { return ((slot - slot_of(now)) & kWrap) <= kFurthest; }
  [[nodiscard]] static std::uint64_t slot_of(Duration age) noexcept {
    return static_cast<std::uint64_t>(age.count()) >> kSlotBits & kWrap;
  }
};
static_assert(sizeof(ClosedItem) == 8);

// Entry numbers in the order in which they came.  An entry stands in it at most once (the caller keeps the flag), so a
// capacity of one per entry never overflows.
template <typename Item>
class IndexQueue {
 public:
  IndexQueue(std::uint32_t capacity, Prefault prefault)
      : items_{std::max<std::size_t>(capacity, 1), prefault, Access::in_order} {}
  void push(Item item) noexcept { items_[place(count_++)] = item; }
  [[nodiscard]] const Item* front() const noexcept { return later(0); }
  // The one that stands `places` behind the front; null if there are not as many.
  [[nodiscard]] const Item* later(std::size_t places) const noexcept {
    return count_ <= places ? nullptr : &items_[place(places)];
  }
  void pop() noexcept {
    head_ = place(1);
    --count_;
  }
  void clear() noexcept { count_ = 0; }
  [[nodiscard]] std::size_t memory_octets() const noexcept { return items_.octets(); }

 private:
  // At most as far behind the front as there are items.
  [[nodiscard]] std::size_t place(std::size_t behind_front) const noexcept {
    const std::size_t at = head_ + behind_front;
    return at < items_.size() ? at : at - items_.size();
  }

  ZeroedArray<Item> items_;
  std::size_t head_ = 0;
  std::size_t count_ = 0;
};

}  // namespace whiteowl
