// SPDX-License-Identifier: Apache-2.0
// From the workers' queues to the outputs.
#include "whiteowl/exporter/exporter.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "whiteowl/exporter/ipfix_output.hpp"
#include "whiteowl/exporter/json_output.hpp"
#include "whiteowl/exporter/ledger.hpp"
#include "whiteowl/exporter/table_output.hpp"
#include "whiteowl/exporter/transports.hpp"

namespace whiteowl {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kShare = 256;            // records taken from a queue before the next queue has its turn
constexpr Duration kOutputStep = 100ms;        // outputs are stepped this often, or one nap later
constexpr Duration kPatienceAlone = 20s;       // with one output its queue is the better place to wait out an outage
constexpr Duration kPatienceAmongOthers = 2s;  // with several, one that is away holds up the others
constexpr Duration kFarewell = 2s;             // for an output that a reload took out
constexpr auto kFullQueueWait = 50us;
constexpr std::size_t kUnsettled = IpfixOutput::kMaxUnsettled + 2 * IpfixOutput::kMaxRecords;
static_assert(kUnsettled > IpfixOutput::kMaxUnsettled && kUnsettled > JsonOutput::kMaxUnsettled);

}  // namespace

bool QueueSink::try_push(const FlowRecord& record) noexcept {
  if (extended_) return queue_.try_push(record);
  static_assert(offsetof(FlowRecord, tcp_extended) + sizeof(TcpExtendedFields) == sizeof(FlowRecord));
  return queue_.try_push<offsetof(FlowRecord, tcp_extended)>(record);
}

void QueueSink::put(const FlowRecord& record) noexcept {
  if (try_push(record)) {
    if (consumer_ != nullptr && queue_.crowded()) [[unlikely]]
      consumer_->ring_if_waiting();
    return;
  }
  if (when_full_ == WhenFull::wait) {
    counters_.waits.add();
    while (!give_up_.load(std::memory_order_relaxed)) {
      std::this_thread::sleep_for(kFullQueueWait);
      if (try_push(record)) return;
    }
  }
  counters_.records_not_sent.add();
  counters_.packets_in_records_not_sent.add(record.packets);
  counters_.octets_in_records_not_sent.add(record.octets);
}

namespace {

struct Output {
  std::string key;  // all that it was made from and cannot change; equal keys are the same output
  std::unique_ptr<RecordOutput> output;
  bool late = false;        // in the ledger: no account of its own
  std::size_t account = 0;  // else this one
  bool taken = false;       // it has the record that is being offered
  Timestamp given_up_at{};  // once it is no longer wanted
};

// One output to be made: its key, and where that can fail, the part that failed not.
struct Wanted {
  std::string key;
  std::unique_ptr<Transport> transport;  // null: standard output, or an output of that key is there
};

constexpr const char* kTableKey = "standard output: table";
constexpr const char* kJsonKey = "standard output: json";
constexpr const char* kFileKey = "file ";

std::string key_of(const std::string& collector, const ExporterSettings& settings) {
  const Collector parsed = parse_collector(collector, settings.default_port);
  if (parsed.kind == CollectorKind::file) return kFileKey + parsed.path;
  const std::string where = parsed.host + ' ' + std::to_string(parsed.port);
  return parsed.kind == CollectorKind::tcp ? "tcp " + where : "udp " + where + ' ' + std::to_string(settings.mtu);
}

std::size_t output_count(const ExporterSettings& settings) {
  return settings.collectors.size() + (settings.output == StandardOutput::none ? 0 : 1);
}

}  // namespace

class Exporter::Change : public std::enable_shared_from_this<Exporter::Change> {
 public:
  // Makes the transports of those outputs that are not among `there`.
  Change(const ExporterSettings& wanted_settings, const IpfixSettings& wanted_ipfix, std::vector<std::string> there,
         const std::shared_ptr<LookUps>& look_ups, int cancel_fd)
      : settings{wanted_settings}, ipfix{wanted_ipfix} {
    static_cast<void>(Templates{ipfix});  // throws what IpfixOutput would
    std::vector<std::string> others;
    std::vector<std::size_t> places;
    for (const std::string& collector : settings.collectors) {
      wanted.push_back({key_of(collector, settings), nullptr});
      const auto same = std::find(there.begin(), there.end(), wanted.back().key);
      if (same == there.end()) {
        others.push_back(collector);
        places.push_back(wanted.size() - 1);
      } else {
        there.erase(same);
      }
    }
    auto made = make_transports(others, settings, look_ups, cancel_fd);
    for (std::size_t i = 0; i < made.size(); ++i) wanted[places[i]].transport = std::move(made[i]);
    if (settings.output == StandardOutput::table) wanted.push_back({kTableKey, nullptr});
    if (settings.output == StandardOutput::json) wanted.push_back({kJsonKey, nullptr});
  }

  ExporterSettings settings;
  IpfixSettings ipfix;
  std::vector<Wanted> wanted;
};

struct Exporter::Impl {
  Impl(std::vector<RecordQueue*> from, std::function<ProcessStatistics()> process_statistics)
      : queues{std::move(from)}, ledger{0, kUnsettled, counters}, statistics{std::move(process_statistics)} {}
  [[nodiscard]] bool take(RecordQueue& queue, Timestamp now) noexcept;
  [[nodiscard]] bool offer(const FlowRecord& record, Timestamp now) noexcept;
  void step_outputs(Timestamp now) noexcept;
  void take_changes();
  void change(Change& to);
  [[nodiscard]] Output make(Wanted& wanted, const Change& to, Duration patience);
  void part_from_retired(Timestamp now) noexcept;

  ExportCounters counters;
  std::vector<RecordQueue*> queues;
  RecordLedger ledger;
  std::function<ProcessStatistics()> statistics;
  std::vector<Output> outputs;
  std::vector<Output> retired;  // no longer wanted, sending what they took
  std::size_t turn = 0;         // the queue to be looked at first
  bool offered = false;         // the front of queues[turn] is in the ledger
  bool abandoned = false;
  bool retired_failed = false;
  Timestamp stepped{};
  const std::shared_ptr<LookUps> look_ups = make_look_ups();

  // A step may be held up by a stuck disk; whoever brings a change is not.
  mutable std::mutex mutex;
  std::vector<std::shared_ptr<Change>> changes;  // to be taken by the next step
  std::vector<std::string> keys;                 // of the outputs that there will be then
  std::atomic<bool> changed{false};
};

Output Exporter::Impl::make(Wanted& wanted, const Change& to, Duration patience) {
  Output made{.key = wanted.key, .output = nullptr};
  made.late = wanted.key == kTableKey;
  if (made.late)
    ledger.open_late();
  else
    made.account = ledger.open();
  const LedgerPage page{ledger, made.account};
  // It has nothing to do with a record that others are being offered.
  made.taken = true;
  if (wanted.transport != nullptr) {
    made.output = std::make_unique<IpfixOutput>(std::move(wanted.transport), to.ipfix, to.settings, patience,
                                                statistics, counters, page);
  } else if (made.late) {
    made.output = std::make_unique<TableOutput>(table_settings(STDOUT_FILENO, to.settings.live), LatePage{ledger});
  } else {
    made.output = std::make_unique<JsonOutput>(STDOUT_FILENO, to.ipfix, patience, page);
  }
  return made;
}

void Exporter::Impl::change(Change& to) {
  const std::size_t count = output_count(to.settings);
  std::vector<Output> next;
  for (Wanted& wanted : to.wanted) {
    Duration patience = count == 1 ? kPatienceAlone : kPatienceAmongOthers;
    // A reader of standard output or of a pipe that pauses is waited for as long as nobody else waits.
    if ((wanted.key == kJsonKey || wanted.key.starts_with(kFileKey)) && count == 1) patience = Duration::max();
    const auto same =
        std::find_if(outputs.begin(), outputs.end(), [&](const Output& o) { return o.key == wanted.key; });
    if (same == outputs.end()) {
      next.push_back(make(wanted, to, patience));
      continue;
    }
    same->output->follow(to.settings, to.ipfix, patience);
    next.push_back(std::move(*same));
    outputs.erase(same);
  }
  for (Output& one : outputs) {
    if (one.late)
      ledger.close_late();
    else
      ledger.close(one.account);
    retired.push_back(std::move(one));
  }
  outputs = std::move(next);
}

void Exporter::Impl::take_changes() {
  if (!changed.load(std::memory_order_relaxed)) return;
  std::vector<std::shared_ptr<Change>> taken;
  {
    const std::lock_guard lock{mutex};
    taken.swap(changes);
    changed.store(false, std::memory_order_relaxed);
  }
  for (const auto& one : taken) change(*one);
}

// Each has kFarewell to send what it took; the rest is lost.
void Exporter::Impl::part_from_retired(Timestamp now) noexcept {
  for (auto one = retired.begin(); one != retired.end();) {
    if (one->given_up_at == Timestamp{}) one->given_up_at = now + kFarewell;
    const bool finished = one->output->finish(now);
    if (!finished && now < one->given_up_at && one->given_up_at - now <= kFarewell) {
      ++one;
      continue;
    }
    if (!finished) one->output->give_up(now);
    if (!one->late) ledger.settle_rest(one->account);
    retired_failed = retired_failed || one->output->failed();
    one = retired.erase(one);
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
  for (Output& one : outputs) {
    if (one.taken) continue;
    one.taken = one.output->write(record, now);
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
  part_from_retired(now);
}

Exporter::Exporter(const ExporterSettings& settings, const IpfixSettings& ipfix, std::vector<RecordQueue*> queues,
                   std::function<ProcessStatistics()> statistics)
    : impl_{std::make_unique<Impl>(std::move(queues), std::move(statistics))} {
  Change first{settings, ipfix, {}, impl_->look_ups, -1};
  impl_->change(first);
  for (const Output& one : impl_->outputs) impl_->keys.push_back(one.key);
}

Exporter::~Exporter() = default;

std::shared_ptr<Exporter::Change> Exporter::prepare(const ExporterSettings& settings, const IpfixSettings& ipfix,
                                                    int cancel_fd) const {
  std::vector<std::string> there;
  {
    const std::lock_guard lock{impl_->mutex};
    there = impl_->keys;
  }
  return std::make_shared<Change>(settings, ipfix, std::move(there), impl_->look_ups, cancel_fd);
}

void Exporter::apply(Change& change) noexcept {
  const std::lock_guard lock{impl_->mutex};
  impl_->keys.clear();
  for (const Wanted& one : change.wanted) impl_->keys.push_back(one.key);
  impl_->changes.push_back(change.shared_from_this());
  impl_->changed.store(true, std::memory_order_relaxed);
}

bool Exporter::step(Timestamp now) noexcept {
  Impl& x = *impl_;
  x.take_changes();
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
  x.part_from_retired(now);
  bool all = x.retired.empty();
  for (Output& one : x.outputs) all = one.output->finish(now) && all;
  return all;
}

bool Exporter::failed() const noexcept {
  return impl_->retired_failed || std::any_of(impl_->outputs.begin(), impl_->outputs.end(),
                                              [](const Output& one) { return one.output->failed(); });
}

void Exporter::abandon() noexcept {
  Impl& x = *impl_;
  x.abandoned = true;
  for (auto* group : {&x.outputs, &x.retired}) {
    for (Output& one : *group) {
      one.output->give_up(x.stepped);
      x.retired_failed = x.retired_failed || one.output->failed();
    }
  }
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
