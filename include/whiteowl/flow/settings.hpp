// SPDX-License-Identifier: Apache-2.0
// What the operator can say about flows.  Plain values; the defaults are in the table of options.
#pragma once

#include <cstdint>
#include <vector>

#include "whiteowl/base/memory.hpp"
#include "whiteowl/base/time.hpp"

namespace whiteowl {

struct FlowSettings {
  Duration active_timeout = std::chrono::seconds{60};  // export.active_timeout: a record covers at most this
  Duration inactive_timeout =
      std::chrono::seconds{15};       // export.inactive_timeout: a flow idle for this is exported and removed
  std::uint32_t max_flows = 262'144;  // conversations per process, split over the workers
  // flow.unanswered_room: places beside max_flows that only conversations without an answer take, split as well.
  std::uint32_t unanswered_room = 0;
  bool vlan_in_key = false;                    // flow.vlan_key
  bool biflow = false;                         // export.biflow: the directions of a conversation are exported together
  std::vector<std::uint32_t> interface_index;  // export.interface_index, one per interface or one for all
  Prefault prefault = Prefault::no;            // yes for live capture
};

}  // namespace whiteowl
