// SPDX-License-Identifier: Apache-2.0
// The Exporting Process (RFC 7011 2): drains the workers' queues into the outputs.
// Promise: a slow or absent collector never makes a worker wait; what could not be sent is counted, with its packets.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "whiteowl/base/counter.hpp"
#include "whiteowl/base/doorbell.hpp"
#include "whiteowl/base/spsc_queue.hpp"
#include "whiteowl/base/time.hpp"
#include "whiteowl/exporter/counters.hpp"
#include "whiteowl/exporter/settings.hpp"
#include "whiteowl/flow/sink.hpp"
#include "whiteowl/ipfix/settings.hpp"
#include "whiteowl/ipfix/statistics.hpp"

namespace whiteowl {

using RecordQueue = SpscQueue<FlowRecord>;

// What a worker could not put into its queue; written by the worker, readable by any.
struct QueueCounters {
  Counter records_not_sent, packets_in_records_not_sent, octets_in_records_not_sent;
  Counter waits;  // a file reader waited for the exporter
};

// A worker's end of its queue.
class QueueSink final : public RecordSink {
 public:
  // Live capture drops the record when the queue is full; a capture file can wait instead, and so can the last flush.
  enum class WhenFull : std::uint8_t { drop, wait };
  // `extended`: whether records will carry the extended set; else what they would carry it in is never copied.
  // `consumer`: called when the queue fills; may be null.
  QueueSink(RecordQueue& queue, WhenFull when_full, bool extended = true, Doorbell* consumer = nullptr) noexcept
      : queue_{queue}, consumer_{consumer}, when_full_{when_full}, extended_{extended} {}
  void put(const FlowRecord& record) noexcept override;
  void set_when_full(WhenFull when_full) noexcept { when_full_ = when_full; }  // worker's thread
  // From any thread: stop waiting, drop instead (a shutdown that takes too long).
  void give_up_waiting() noexcept { give_up_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] const QueueCounters& counters() const noexcept { return counters_; }

 private:
  RecordQueue& queue_;
  Doorbell* consumer_;
  [[nodiscard]] bool try_push(const FlowRecord& record) noexcept;
  WhenFull when_full_;
  bool extended_;
  std::atomic<bool> give_up_{false};
  QueueCounters counters_;
};

class Exporter {
 public:
  // Resolves the collectors and opens the files: throws StartError naming the collector.  `queues` outlive it.
  // `statistics` is called on the exporter's thread each time the options are sent; may be empty.
  Exporter(const ExporterSettings& settings, const IpfixSettings& ipfix, std::vector<RecordQueue*> queues,
           std::function<ProcessStatistics()> statistics);
  ~Exporter();

  // Another set of outputs, with all that can fail behind it: names are resolved, files open.
  class Change;
  // Throws StartError, and nothing has changed then.  An output that stays (the same collector, port and MTU) keeps
  // its session, its socket and its sequence numbers, and follows other fields by templates with new ids.
  // Waits for name servers, some seconds at most, and no longer once `cancel_fd` is readable.  Any thread.
  [[nodiscard]] std::shared_ptr<Change> prepare(const ExporterSettings& settings, const IpfixSettings& ipfix,
                                                int cancel_fd = -1) const;
  // Any thread, and never waits; the next step() has it.  An output that is no longer wanted gets a moment to send what
  // it took.
  void apply(Change& change) noexcept;

  // Takes what the queues hold, at most a bounded share of each; true when something was done.  False means wait a
  // little and call again: the queues are empty, or the outputs take nothing at this moment (at a flush over UDP the
  // pace allows 64 messages at once, so waits of up to 4 ms do not slow it down).
  bool step(Timestamp now) noexcept;
  // All queues are closed and empty and every output has sent what it could.
  [[nodiscard]] bool finished(Timestamp now) noexcept;
  // Gives up on what is left, counting it as not sent.
  void abandon() noexcept;
  // Once it is finished: an output lost records for a reason that makes the run fail, and the log said so.
  [[nodiscard]] bool failed() const noexcept;
  [[nodiscard]] const ExportCounters& counters() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace whiteowl
