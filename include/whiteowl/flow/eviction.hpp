// SPDX-License-Identifier: Apache-2.0
// Who leaves a full table: two lists of all its conversations, each nearly in the order in which they were last active.
//
//   unanswered  seen in one direction only, or a TCP handshake that was never completed
//   answered    all others
//
// The unanswered leave first: a stranger can make as many of them as he likes, and cannot make an answered one without
// somebody who answers.  In each list the one at the front is looked at; if it was active since it was placed there, it
// goes to the back for another turn (the clock algorithm), so a packet costs nothing.
// Invariants: an entry stands in one list at most; `placed` of an entry is not later than its last packet, but for a
// rounding of 17 ms, or it was idle since.  Append, remove and move are O(1) and touch the links of two neighbours.
#pragma once

#include <cstddef>
#include <cstdint>

#include "whiteowl/base/memory.hpp"
#include "whiteowl/base/time.hpp"

namespace whiteowl {

// Of entry numbers below the capacity of its links, from the one that was placed first.
class EvictionList {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  // An entry's links; zeroed memory stands in no list.  Lists whose entries move from one to another share them.
  struct Link {
    std::uint32_t before, after;  // entry number + 1; 0 = none
    std::uint32_t placed;         // age when it was placed, in units of 2^24 ns, wrapping after two years
  };
  using Links = ZeroedArray<Link>;

  explicit EvictionList(Links& links) noexcept : links_{&links} {}

  // Requires: the entry stands in no list.
  void append(std::uint32_t index, Duration now) noexcept {
    (*links_)[index] = {last_, 0, units(now)};
    (last_ == 0 ? first_ : (*links_)[last_ - 1].after) = index + 1;
    last_ = index + 1;
  }
  // Requires: the entry stands in this list.
  void remove(std::uint32_t index) noexcept {
    const Link link = (*links_)[index];
    (link.before == 0 ? first_ : (*links_)[link.before - 1].after) = link.after;
    (link.after == 0 ? last_ : (*links_)[link.after - 1].before) = link.before;
  }
  [[nodiscard]] std::uint32_t front() const noexcept { return first_ - 1; }  // kNone: the list is empty
  // The entry that stands `places` behind the front, or kNone.
  [[nodiscard]] std::uint32_t later(unsigned places) const noexcept {
    std::uint32_t at = first_;
    for (; places > 0 && at != 0; --places) at = (*links_)[at - 1].after;
    return at - 1;
  }
  // Whether an entry whose last packet came at `seen` was active since it was placed.
  [[nodiscard]] bool active_since_placed(std::uint32_t index, Duration seen) const noexcept {
    return static_cast<std::int32_t>(units(seen) - (*links_)[index].placed) > 0;
  }
  void clear() noexcept { first_ = last_ = 0; }

  // What remove() of an entry will need is asked of the memory: its own link, and with that in hand its neighbours'.
  static void fetch(const Links& links, std::uint32_t index) noexcept { fetch_line(&links[index]); }
  static void fetch_neighbours(const Links& links, std::uint32_t index) noexcept {
    const Link& link = links[index];
    if (link.before != 0) fetch_line(&links[link.before - 1]);
    if (link.after != 0) fetch_line(&links[link.after - 1]);
  }

 private:
  [[nodiscard]] static std::uint32_t units(Duration age) noexcept {
    return static_cast<std::uint32_t>(age.count() >> 24U);
  }

  Links* links_;
  std::uint32_t first_ = 0, last_ = 0;  // entry number + 1; 0 = none
};

}  // namespace whiteowl
