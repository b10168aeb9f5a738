// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/hole.hpp"

#include <algorithm>
#include <array>

namespace whiteowl {

void add_hole(TcpColdDirection& direction, Hole hole) noexcept {
  if (direction.hole_count == TcpColdDirection::kHoles) {
    std::copy(direction.holes + 1, direction.holes + direction.hole_count, direction.holes);
    --direction.hole_count;
    direction.mark(cold_flag::kHolesForgotten);
  }
  direction.holes[direction.hole_count++] = hole;
}

const Hole* first_hole_in(const TcpColdDirection& direction, SeqNum seq, SeqNum end) noexcept {
  const Hole* last = direction.holes + direction.hole_count;
  const Hole* found = std::find_if(direction.holes, last,
                                   [&](const Hole& hole) { return end.after(hole.left) && hole.right.after(seq); });
  return found == last ? nullptr : found;
}

std::uint32_t fill_holes(TcpColdDirection& direction, SeqNum seq, SeqNum end) noexcept {
  std::array<Hole, TcpColdDirection::kHoles> before{};
  const auto* last = std::copy(direction.holes, direction.holes + direction.hole_count, before.begin());
  const auto from = [&](const Hole& hole) { return hole.left.after(seq) ? hole.left : seq; };
  const auto to = [&](const Hole& hole) { return hole.right.before(end) ? hole.right : end; };
  direction.hole_count = 0;
  for (const Hole* hole = before.data(); hole != last; ++hole)
    if (!to(*hole).after(from(*hole))) add_hole(direction, *hole);
  std::uint32_t filled = 0;
  for (const Hole* hole = before.data(); hole != last; ++hole) {
    const SeqNum left = from(*hole);
    const SeqNum right = to(*hole);
    if (!right.after(left)) continue;
    filled += static_cast<std::uint32_t>(right - left);
    if (left.after(hole->left)) add_hole(direction, {hole->left, left, hole->seen_at});
    if (hole->right.after(right)) add_hole(direction, {right, hole->right, hole->seen_at});
  }
  return filled;
}

std::uint32_t close_holes_below(TcpColdDirection& direction, SeqNum ack) noexcept {
  std::array<Hole, TcpColdDirection::kHoles> before{};
  const auto* last = std::copy(direction.holes, direction.holes + direction.hole_count, before.begin());
  direction.hole_count = 0;
  for (const Hole* hole = before.data(); hole != last; ++hole)
    if (!ack.after(hole->left)) add_hole(direction, *hole);
  std::uint32_t closed = 0;
  for (const Hole* hole = before.data(); hole != last; ++hole) {
    if (!ack.after(hole->left)) continue;
    const SeqNum to = hole->right.before(ack) ? hole->right : ack;
    closed += static_cast<std::uint32_t>(to - hole->left);
    if (hole->right.after(ack)) add_hole(direction, {ack, hole->right, hole->seen_at});
  }
  return closed;
}

}  // namespace whiteowl
