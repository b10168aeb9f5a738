// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/rtt.hpp"

namespace whiteowl {

using namespace direction_flag;

void hold_rtt(TcpDirection& direction, SeqNum point) noexcept {
  if (direction.has(kHeld) && !point.after(direction.recover)) return;
  direction.recover = point;
  direction.flags |= kHeld;
}

bool rtt_held(TcpDirection& direction) noexcept {
  if (direction.has(kUnaKnown)) lift_served_hold(direction);
  return direction.has(kHeld);
}

}  // namespace whiteowl
