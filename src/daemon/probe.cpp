// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/probe.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "whiteowl/base/error.hpp"
#include "whiteowl/capture/file_source.hpp"
#include "whiteowl/capture/ring_source.hpp"

namespace whiteowl {
namespace {

constexpr std::uint32_t kMostAutomaticWorkers = 4;

Input open_file(const Invocation& invocation) {
  return {
      .source = std::make_unique<FileSource>(FileSettings{invocation.read_file, invocation.config.capture.bpf_filter}),
      .stop = {},
      .ring_octets = 0};
}

Input open_ring(const CaptureSettings& settings, std::uint32_t worker, std::uint32_t workers, std::uint16_t fanout_id) {
  auto source = std::make_unique<RingSource>(settings, worker, workers, fanout_id);
  RingSource* ring = source.get();
  return {.source = std::move(source),
          .stop = [ring] { ring->stop(); },
          .ring_octets = ring->ring_octets(),
          .sharing = ring->sharing()};
}

std::vector<std::unique_ptr<Worker>> make_workers(const Config& config, std::vector<Input> inputs, InputKind kind) {
  const auto when_full = kind == InputKind::live ? QueueSink::WhenFull::drop : QueueSink::WhenFull::wait;
  const auto count = static_cast<std::uint32_t>(inputs.size());
  std::vector<std::unique_ptr<Worker>> workers;
  for (auto& input : inputs) {
    const auto number = static_cast<std::uint32_t>(workers.size());
    workers.push_back(std::make_unique<Worker>(std::move(input), config, number, count, when_full));
  }
  return workers;
}

// A live capture must not meet a page fault in a burst; a file need not pay for a table that it will not fill.
Config for_kind(Config config, InputKind kind) {
  config.exporter.live = kind == InputKind::live;
  config.flow.prefault = kind == InputKind::live ? Prefault::yes : Prefault::no;
  return config;
}

Duration steady_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace

std::uint32_t worker_count(const CaptureSettings& settings) {
  if (settings.workers != 0) return settings.workers;
  cpu_set_t usable;
  CPU_ZERO(&usable);
  const auto processors = ::sched_getaffinity(0, sizeof(usable), &usable) == 0 ? CPU_COUNT(&usable) : 1;
  return std::clamp(static_cast<std::uint32_t>(processors), 1U, kMostAutomaticWorkers);
}

std::vector<Input> open_inputs(const Invocation& invocation, std::uint16_t fanout_id) {
  std::vector<Input> inputs;
  if (!invocation.read_file.empty()) {
    inputs.push_back(open_file(invocation));
    return inputs;
  }
  const auto workers = worker_count(invocation.config.capture);
  for (std::uint32_t i = 0; i < workers; ++i)
    inputs.push_back(open_ring(invocation.config.capture, i, workers, fanout_id));
  return inputs;
}

// The exporter's clocks, and what it asks of the workers.
struct Probe::World {
  Probe& probe;
  static Timestamp wall() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }
  static Duration steady() { return steady_now(); }
  static void nap(Duration length) { std::this_thread::sleep_for(length); }
  void give_up_waiting() const {
    for (const auto& worker : probe.workers_) worker->give_up_waiting();
  }
  [[nodiscard]] bool workers_done() const {
    return std::all_of(probe.workers_.begin(), probe.workers_.end(), [](const auto& worker) { return worker->done(); });
  }
  [[nodiscard]] bool records_waiting() const {
    return std::any_of(probe.workers_.begin(), probe.workers_.end(),
                       [](const auto& worker) { return worker->queue().size() != 0; });
  }
};

Probe::Probe(const Config& config, std::vector<Input> inputs, InputKind kind)
    : config_{for_kind(config, kind)},
      finished_{checked(::eventfd(0, EFD_CLOEXEC), "eventfd")},
      workers_{make_workers(config_, std::move(inputs), kind)},
      exporter_{
          std::make_unique<Exporter>(config_.exporter, config_.ipfix, queues(), [this] { return statistics(); })} {
  for (const auto& worker : workers_) counters_.workers.push_back(worker->counters());
  counters_.exporter = &exporter_->counters();
  try {
    export_thread_ = std::thread{[this] { run_exporter(); }};
    ::pthread_setname_np(export_thread_.native_handle(), "export");
    for (const auto& worker : workers_) worker->start();
  } catch (...) {
    join();
    throw;
  }
}

Probe::~Probe() { join(); }

void Probe::stop(Duration patience) {
  deadline_.set(steady_now() + patience);
  for (const auto& worker : workers_) worker->stop();
}

bool Probe::hangs() const noexcept {
  return std::any_of(workers_.begin(), workers_.end(), [](const auto& worker) { return !worker->done(); });
}

bool Probe::finish() {
  if (export_thread_.joinable()) export_thread_.join();
  for (const auto& worker : workers_) worker->join();
  return complete_;
}

void Probe::join() noexcept {
  stop(Duration::zero());
  finish();
}

void Probe::run_exporter() noexcept {
  World world{*this};
  begun_ = World::wall();
  complete_ = export_until_finished(*exporter_, deadline_, world);
  ::eventfd_write(finished_.get(), 1);
}

std::vector<RecordQueue*> Probe::queues() const {
  std::vector<RecordQueue*> queues;
  for (const auto& worker : workers_) queues.push_back(&worker->queue());
  return queues;
}

ProcessStatistics Probe::statistics() const {
  using namespace counter_place;
  ProcessStatistics result;
  result.observed_flows = meter<&MeterCounters::conversations_total>(counters_);
  result.ignored_packets = all_discarded(counters_);
  result.ignored_octets = meter<&MeterCounters::octets_discarded>(counters_);
  result.dropped_packets = capture<&CaptureCounters::packets_dropped>(counters_);
  result.not_sent_flows =
      queue_and_exporter<&QueueCounters::records_not_sent, &ExportCounters::records_not_sent>(counters_);
  result.not_sent_packets = account(counters_).in_records_not_sent;
  result.not_sent_octets =
      queue_and_exporter<&QueueCounters::octets_in_records_not_sent, &ExportCounters::octets_in_records_not_sent>(
          counters_);
  result.system_init = begun_;
  const auto& indexes = config_.flow.interface_index;
  const auto& names = config_.capture.interfaces;
  // One index for several interfaces makes them one interface to the collector: it is named by all of them.
  for (std::size_t i = 0; i < names.size() && !indexes.empty(); ++i) {
    if (i < indexes.size()) {
      result.interfaces.emplace_back(indexes[i], names[i]);
    } else {
      result.interfaces.back().second += ',' + names[i];
    }
  }
  return result;
}

std::string Probe::failure() const {
  for (const auto& worker : workers_) {
    if (auto line = worker->failure(); !line.empty()) return line;
  }
  return {};
}

std::size_t Probe::ring_octets() const noexcept {
  std::size_t sum = 0;
  for (const auto& worker : workers_) sum += worker->ring_octets();
  return sum;
}

std::size_t Probe::table_octets() const noexcept {
  std::size_t sum = 0;
  for (const auto& worker : workers_) sum += worker->memory_octets();
  return sum;
}

}  // namespace whiteowl
