// SPDX-License-Identifier: Apache-2.0
// From the workers' queues to the outputs.
#include "whiteowl/exporter/exporter.hpp"

#include <unistd.h>

#include <chrono>
#include <thread>

#include "whiteowl/exporter/ipfix_output.hpp"
#include "whiteowl/exporter/json_output.hpp"
#include "whiteowl/exporter/ledger.hpp"
#include "whiteowl/exporter/table_output.hpp"
#include "whiteowl/exporter/transports.hpp"

namespace whiteowl {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kShare = 256;            // records taken from a queue before the next queue has its turn
constexpr Duration kOutputStep = 100ms;        // outputs are stepped at least this often
constexpr Duration kPatienceAlone = 20s;       // with one output its queue is the better place to wait out an outage
constexpr Duration kPatienceAmongOthers = 2s;  // with several, one that is away holds up the others
constexpr auto kFullQueueWait = 50us;
constexpr std::size_t kUnsettled = std::size_t{2} * IpfixOutput::kMaxUnsettled;
static_assert(kUnsettled > IpfixOutput::kMaxUnsettled && kUnsettled > JsonOutput::kMaxUnsettled);

}  // namespace

void QueueSink::put(const FlowRecord& record) noexcept {
  if (queue_.try_push(record)) return;
  if (when_full_ == WhenFull::wait) {
    counters_.waits.add();
    while (!give_up_.load(std::memory_order_relaxed)) {
      std::this_thread::sleep_for(kFullQueueWait);
      if (queue_.try_push(record)) return;
    }
  }
  counters_.records_not_sent.add();
  counters_.packets_in_records_not_sent.add(record.packets);
  counters_.octets_in_records_not_sent.add(record.octets);
}

struct Exporter::Impl {
  struct Output {
    std::unique_ptr<RecordOutput> output;
    bool settles;        // writes the ledger itself; else a record that it takes is sent
    bool taken = false;  // it has the record that is being offered
  };

  Impl(const ExporterSettings& settings, const IpfixSettings& ipfix, std::vector<RecordQueue*> from,
       const std::function<ProcessStatistics()>& statistics);
  [[nodiscard]] bool take(RecordQueue& queue, Timestamp now) noexcept;
  [[nodiscard]] bool offer(const FlowRecord& record, Timestamp now) noexcept;
  void step_outputs(Timestamp now) noexcept;

  ExportCounters counters;
  std::vector<RecordQueue*> queues;
  RecordLedger ledger;
  std::vector<Output> outputs;
  std::size_t turn = 0;  // the queue to be looked at first
  bool offered = false;  // the front of queues[turn] is in the ledger
  bool abandoned = false;
  Timestamp stepped{};
};

Exporter::Impl::Impl(const ExporterSettings& settings, const IpfixSettings& ipfix, std::vector<RecordQueue*> from,
                     const std::function<ProcessStatistics()>& statistics)
    : queues{std::move(from)},
      ledger{settings.collectors.size() + (settings.output == StandardOutput::none ? 0 : 1), kUnsettled, counters} {
  const std::size_t count = settings.collectors.size() + (settings.output == StandardOutput::none ? 0 : 1);
  const Duration patience = count == 1 ? kPatienceAlone : kPatienceAmongOthers;
  for (const std::string& collector : settings.collectors) {
    const LedgerPage page{ledger, outputs.size()};
    outputs.push_back({std::make_unique<IpfixOutput>(make_transport(collector, settings), ipfix, settings, patience,
                                                     statistics, counters, page),
                       true});
  }
  if (settings.output == StandardOutput::table)
    outputs.push_back({std::make_unique<TableOutput>(table_settings(STDOUT_FILENO, settings.live)), false});
  if (settings.output == StandardOutput::json) {
    // A reader of standard output that pauses is waited for as long as nobody else waits.
    const Duration reader = count == 1 ? Duration::max() : kPatienceAmongOthers;
    outputs.push_back(
        {std::make_unique<JsonOutput>(STDOUT_FILENO, ipfix, reader, LedgerPage{ledger, outputs.size()}), true});
  }
}

// True when all outputs have the record.  Each gets it once, however often it is offered.
bool Exporter::Impl::offer(const FlowRecord& record, Timestamp now) noexcept {
  if (!offered) {
    if (ledger.full()) return false;
    offered = true;
    ledger.enter(record);
    for (Output& one : outputs) one.taken = false;
  }
  bool by_all = true;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Output& one = outputs[i];
    if (one.taken) continue;
    one.taken = one.output->write(record, now);
    if (one.taken && !one.settles) ledger.settle(i, 1, true);
    by_all = by_all && one.taken;
  }
  offered = !by_all;
  return by_all;
}

// False when the outputs take nothing now.
bool Exporter::Impl::take(RecordQueue& queue, Timestamp now) noexcept {
  // The two directions of a Biflow stay together.
  for (std::size_t i = 0, share = kShare; i < share; ++i) {
    const FlowRecord* record = queue.front();
    if (record == nullptr) return true;
    if (!offer(*record, now)) return false;
    if (record->mate_follows && i + 1 == share) ++share;
    queue.pop();
  }
  return true;
}

void Exporter::Impl::step_outputs(Timestamp now) noexcept {
  stepped = now;
  for (Output& one : outputs) one.output->step(now);
}

Exporter::Exporter(const ExporterSettings& settings, const IpfixSettings& ipfix, std::vector<RecordQueue*> queues,
                   std::function<ProcessStatistics()> statistics)
    : impl_{std::make_unique<Impl>(settings, ipfix, std::move(queues), statistics)} {}

Exporter::~Exporter() = default;

bool Exporter::step(Timestamp now) noexcept {
  Impl& x = *impl_;
  if (x.abandoned) return false;
  if (now - x.stepped >= kOutputStep || now < x.stepped) x.step_outputs(now);
  bool took = false;
  for (std::size_t i = 0; i < x.queues.size(); ++i) {
    RecordQueue& queue = *x.queues[x.turn];
    const FlowRecord* before = queue.front();
    if (!x.take(queue, now)) break;
    took = took || before != nullptr;
    x.turn = (x.turn + 1) % x.queues.size();
  }
  if (!took) x.step_outputs(now);
  return took;
}

bool Exporter::finished(Timestamp now) noexcept {
  Impl& x = *impl_;
  if (x.abandoned) return true;
  for (RecordQueue* queue : x.queues) {
    if (!queue->finished()) return false;
  }
  bool all = true;
  for (Impl::Output& one : x.outputs) all = one.output->finish(now) && all;
  return all;
}

void Exporter::abandon() noexcept {
  Impl& x = *impl_;
  x.abandoned = true;
  x.ledger.abandon();
  for (RecordQueue* queue : x.queues) {
    // The record that was being offered is in the ledger already.
    const bool in_ledger = x.offered && queue == x.queues[x.turn];
    if (in_ledger) queue->pop();
    for (const FlowRecord* record = queue->front(); record != nullptr; record = queue->front()) {
      x.ledger.not_sent(*record);
      queue->pop();
    }
  }
  x.offered = false;
}

const ExportCounters& Exporter::counters() const noexcept { return impl_->counters; }

}  // namespace whiteowl
