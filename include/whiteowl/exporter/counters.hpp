// SPDX-License-Identifier: Apache-2.0
// What the Exporting Process counts.
#pragma once

#include "whiteowl/base/counter.hpp"

namespace whiteowl {

// What became of the records.  Exactly one of sent and not_sent counts each record handed to the exporter: sent when
// at least one output took it and did not lose it.
struct ExportCounters {  // written by the exporter's thread, readable by any
  Counter records_sent, packets_in_records_sent, octets_in_records_sent;
  Counter records_not_sent, packets_in_records_not_sent, octets_in_records_not_sent;
  Counter messages_sent, message_octets_sent;  // IPFIX Messages, all collectors
  Counter messages_lost;                       // refused, no route, connection broken
  Counter send_busy;                           // the socket had no room; tried again
  Counter templates_sent;                      // (Options) Template Records
  Counter sessions;                            // Transport Sessions begun
};

}  // namespace whiteowl
