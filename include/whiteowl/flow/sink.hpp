// SPDX-License-Identifier: Apache-2.0
// Where a worker's Flow Records go: the interface between worker and exporter.
#pragma once

#include "whiteowl/flow/record.hpp"

namespace whiteowl {

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // Takes a copy.  What cannot be taken is counted by the sink as not sent, with its packets and octets.
  virtual void put(const FlowRecord& record) noexcept = 0;
};

}  // namespace whiteowl
