// SPDX-License-Identifier: Apache-2.0
// What the exporter does with a Flow Record: IPFIX, a line of JSON, a row of a table.
#pragma once

#include "whiteowl/base/time.hpp"
#include "whiteowl/exporter/settings.hpp"
#include "whiteowl/flow/record.hpp"
#include "whiteowl/ipfix/settings.hpp"

namespace whiteowl {

// Used by the exporter's thread only.
class RecordOutput {
 public:
  virtual ~RecordOutput() = default;
  // False when the output cannot take a record now (a transport is busy): nothing was taken, the same record comes
  // again.  What an output takes and loses later it counts itself, as ExportCounters says.
  [[nodiscard]] virtual bool write(const FlowRecord& record, Timestamp now) noexcept = 0;
  // Called a few times a second and whenever the queues ran empty: sends what waited long enough, repeats templates,
  // reconnects.
  virtual void step(Timestamp now) noexcept = 0;
  // Nothing more will come: sends what is left as far as it can be sent without waiting.  True when nothing is left.
  [[nodiscard]] virtual bool finish(Timestamp now) noexcept = 0;
  // Nothing is waited for any longer; what is left will be counted as lost.  Says so, in a line, if that is a failure.
  virtual void give_up(Timestamp /*now*/) noexcept {}
  // Records were lost for a reason that makes the run fail: a full disk, a reader that does not read, a connection that
  // broke at the end.  It has been said in the log.  A reader that went away is no such reason.
  [[nodiscard]] virtual bool failed() const noexcept { return false; }
  // Goes on with other settings, such as other fields; `patience` is how long it may refuse a record.
  virtual void follow(const ExporterSettings&, const IpfixSettings&, Duration /*patience*/) noexcept {}
};

}  // namespace whiteowl
