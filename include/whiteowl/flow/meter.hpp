// SPDX-License-Identifier: Apache-2.0
// The Metering Process (RFC 7011 2) of one worker: batch in, Flow Records out.  The one function to read first.
//
// Stage by stage over the batch, so that the memory of all packets is on its way before the first is needed: decode
// all; hash all and fetch the index; find all and fetch the entries; update all in order; export what is due.
// Promise: as long as the table is not full, the records are a pure function of the packets in their order; how they
// were cut into batches does not show.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "whiteowl/base/counter.hpp"
#include "whiteowl/base/hash.hpp"
#include "whiteowl/flow/classifier.hpp"
#include "whiteowl/flow/settings.hpp"
#include "whiteowl/flow/sink.hpp"
#include "whiteowl/packet/decode.hpp"
#include "whiteowl/packet/frame.hpp"
#include "whiteowl/tcp/meter.hpp"

namespace whiteowl {

struct MeterCounters {            // written by the worker, readable by any thread
  Counter packets_metered;        // counted in a flow
  Counter octets_metered;         // their IP octets
  Counter packets_in_table;       // in flows not yet exported
  Counter conversations;          // in the table now
  Counter conversations_total;    // ever begun
  Counter conversations_one_way;  // TCP: a direction never seen though its end must have sent
  Counter records;                // handed to the sink
  Counter evictions_half_open;    // table full: a conversation without an answer went
  Counter evictions;              // table full: the longest idle went
  Counter evictions_crowded;      // the index had no room where a conversation belongs: one went that was in its way
};

class Meter {
 public:
  // Takes all memory: throws std::bad_alloc.  `workers` divides max_flows and the SYN cache.  `key`: of the classifier
  // whose packets it will meter, where that is not its own.
  Meter(const FlowSettings& flow, const TcpSettings& tcp, const DecodeSettings& decode, std::uint32_t workers,
        RecordSink& sink, const HashKey& key = random_hash_key());
  Meter(Meter&&) noexcept;
  ~Meter();

  void observe(const FrameBatch& batch) noexcept;
  // The same behind a classifier that others share.  A conversation's packets come to one meter, in their order.
  void observe(const ClassifiedBatch& batch) noexcept;
  // Exports everything with `reason` and empties the table.
  void flush(FlowEndReason reason) noexcept;
  // Timeouts may change while running; what is due by the new ones is exported at once.  Shorter ones look at the whole
  // table: not for each packet.
  void set_timeouts(Duration active, Duration inactive, Duration close_linger) noexcept;

  [[nodiscard]] const MeterCounters& counters() const noexcept;
  [[nodiscard]] const TcpCounters& tcp_counters() const noexcept;
  [[nodiscard]] const ClassifierCounters& classifier_counters() const noexcept;
  [[nodiscard]] std::size_t memory_octets() const noexcept;  // reserved at start, all tables together

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace whiteowl
