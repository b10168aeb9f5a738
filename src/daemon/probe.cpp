// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/probe.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <utility>

#include "whiteowl/base/error.hpp"
#include "whiteowl/capture/fanout.hpp"
#include "whiteowl/capture/file_source.hpp"
#include "whiteowl/capture/ring_source.hpp"

namespace whiteowl {
namespace {

constexpr std::uint32_t kMostAutomaticWorkers = 4;
constexpr Duration kChangePatience = std::chrono::seconds{2};

// Readable once the duration is over or `cancel_fd` is: whichever comes first ends the opening of a file.
class OpeningLimit {
 public:
  OpeningLimit(Duration duration, int cancel_fd)
      : either_{checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")},
        timer_{checked(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd_create")} {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
    const itimerspec after{{}, {static_cast<std::time_t>(seconds.count()), (duration - seconds).count()}};
    checked(::timerfd_settime(timer_.get(), 0, &after, nullptr), "timerfd_settime");  // never, if it is 0
    watch(timer_.get());
    if (cancel_fd >= 0) watch(cancel_fd);
  }
  [[nodiscard]] int fd() const noexcept { return either_.get(); }

 private:
  void watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    checked(::epoll_ctl(either_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  }
  UniqueFd either_, timer_;
};

// By one worker that reads itself, which costs least; or as many as were asked for, behind a reader.
std::vector<Input> open_file(const Invocation& invocation, const std::function<void()>& when_open, int cancel_fd) {
  const Config& config = invocation.config;
  const std::uint32_t workers = std::max(config.capture.workers, 1U);
  const bool shared = workers > 1;
  const OpeningLimit limit{invocation.duration, cancel_fd};
  auto source = std::make_unique<FileSource>(FileSettings{.path = invocation.read_file,
                                                          .bpf_filter = config.capture.bpf_filter,
                                                          .buffers = shared ? Reader::kBuffers : 1U,
                                                          .cancel_fd = limit.fd(),
                                                          .filter = invocation.filter,
                                                          .when_open = when_open});
  std::vector<Input> inputs(workers);
  if (!shared) {
    inputs.front().stop = [file = source.get()] { file->stop(); };
    inputs.front().source = std::move(source);
    return inputs;
  }
  const auto reader = std::make_shared<Reader>(std::move(source), config.decode, config.flow.vlan_in_key, workers);
  for (Input& input : inputs) {
    input.reader = reader;
    input.stop = [reader] { reader->stop(); };
  }
  return inputs;
}

Input open_ring(const CaptureSettings& settings, std::uint32_t worker, std::uint32_t workers, std::uint16_t fanout_id,
                RingHeritage& heritage) {
  std::vector<UniqueFd> inherited;
  if (worker < heritage.inherited.sockets.size()) inherited = std::move(heritage.inherited.sockets[worker]);
  auto source =
      std::make_unique<RingSource>(settings, worker, workers, fanout_id, heritage.store, std::move(inherited));
  RingSource* ring = source.get();
  return {.source = std::move(source),
          .stop = [ring] { ring->stop(); },
          .ring_octets = ring->ring_octets(),
          .sharing = ring->sharing(),
          .set_filter = [ring](const std::shared_ptr<FilterPrograms>& filter) { return ring->set_filter(filter); }};
}

// To touch all memory takes its time, and a stop ends the program then at once: nothing has begun that it could end
// well.
class StopsAtOnce {
 public:
  StopsAtOnce() {
    sigset_t stops;
    ::sigemptyset(&stops);
    for (const int number : {SIGTERM, SIGINT}) ::sigaddset(&stops, number);
    ::pthread_sigmask(SIG_UNBLOCK, &stops, &before_);
  }
  ~StopsAtOnce() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  StopsAtOnce(const StopsAtOnce&) = delete;
  StopsAtOnce& operator=(const StopsAtOnce&) = delete;

 private:
  sigset_t before_{};
};

std::vector<std::unique_ptr<Worker>> make_workers(const Config& config, std::vector<Input> inputs, InputKind kind,
                                                  Doorbell& exporter) {
  const auto when_full = kind == InputKind::live ? QueueSink::WhenFull::drop : QueueSink::WhenFull::wait;
  const auto count = static_cast<std::uint32_t>(inputs.size());
  std::vector<std::unique_ptr<Worker>> workers;
  const StopsAtOnce while_memory_is_taken;
  for (auto& input : inputs) {
    const auto number = static_cast<std::uint32_t>(workers.size());
    workers.push_back(std::make_unique<Worker>(std::move(input), config, number, count, when_full, exporter));
  }
  return workers;
}

// A live capture must not meet a page fault in a burst; a file need not pay for a table that it will not fill.
Config for_kind(Config config, InputKind kind) {
  config.exporter.live = kind == InputKind::live;
  config.flow.prefault = kind == InputKind::live ? Prefault::yes : Prefault::no;
  return config;
}

// One index for several interfaces makes them one interface to the collector: it is named by all of them.
std::vector<std::pair<std::uint32_t, std::string>> exported_names(const Config& config) {
  std::vector<std::pair<std::uint32_t, std::string>> exported;
  const auto& indexes = config.flow.interface_index;
  const auto& names = config.capture.interfaces;
  for (std::size_t i = 0; i < names.size() && !indexes.empty(); ++i) {
    if (i < indexes.size()) {
      exported.emplace_back(indexes[i], names[i]);
    } else {
      exported.back().second += ',' + names[i];
    }
  }
  return exported;
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

CaptureSettings ring_settings(const Config& config) {
  CaptureSettings settings = config.capture;
  settings.tunnel_depth = config.decode.inner ? config.decode.max_tunnel_depth : 0;
  return settings;
}

std::vector<Input> open_inputs(const Invocation& invocation, std::uint16_t fanout_id, RingHeritage heritage,
                               const std::function<void()>& when_open, int cancel_fd) {
  if (!invocation.read_file.empty()) return open_file(invocation, when_open, cancel_fd);
  std::vector<Input> inputs;
  const CaptureSettings settings = ring_settings(invocation.config);
  const auto workers = worker_count(settings);
  heritage.store.filter = invocation.filter ? invocation.filter : compile_filter(settings, {.cancel_fd = cancel_fd});
  if (needs_group(settings, workers) &&
      chosen_mode(settings.fanout_mode, settings.tunnel_depth > 0) == FanoutMode::steer)
    heritage.store.programs = std::make_shared<SteeringPrograms>(settings.tunnel_depth);
  for (std::uint32_t i = 0; i < workers; ++i) inputs.push_back(open_ring(settings, i, workers, fanout_id, heritage));
  if (when_open) when_open();
  return inputs;
}

// The exporter's clocks, and what it asks of the workers.
struct Probe::World {
  Probe& probe;
  void beat() const noexcept { probe.export_rounds_.add(); }
  static Timestamp wall() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }
  static Duration steady() { return steady_now(); }
  void nap(Duration length) const { probe.doorbell_.wait(length); }
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
      kind_{kind},
      interfaces_{exported_names(config)},
      finished_{checked(::eventfd(0, EFD_CLOEXEC), "eventfd")},
      reader_{inputs.front().reader},
      workers_{make_workers(config_, std::move(inputs), kind, doorbell_)},
      exporter_{
          std::make_unique<Exporter>(config_.exporter, config_.ipfix, queues(), [this] { return statistics(); })} {
  for (const auto& worker : workers_) {
    counters_.workers.push_back(worker->counters());
    if (const auto reading = worker->reading()) counters_.readers.push_back(*reading);
  }
  if (reader_)
    counters_.readers.push_back(
        {.capture = &reader_->capture_counters(), .classifier = &reader_->classifier_counters(), .interfaces = {}});
  counters_.exporter = &exporter_->counters();
  try {
    export_thread_ = std::thread{[this] { run_exporter(); }};
    ::pthread_setname_np(export_thread_.native_handle(), "export");
    for (const auto& worker : workers_) worker->start();
    if (reader_) reader_->start();
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

std::vector<Beat> Probe::beats() const {
  std::vector<Beat> beats;
  for (const auto& worker : workers_) {
    beats.push_back({.name = "capture-" + std::to_string(beats.size()),
                     .rounds = worker->heartbeat(),
                     .ended = kind_ == InputKind::file || worker->done()});
  }
  beats.push_back(
      {.name = "export", .rounds = export_rounds_.get(), .ended = export_ended_.load(std::memory_order_relaxed)});
  return beats;
}

std::vector<std::string> Probe::change(const Config& config, std::shared_ptr<FilterPrograms> filter, int cancel_fd) {
  const Config next = for_kind(config, kind_);
  if (kind_ != InputKind::live || next.capture.bpf_filter == config_.capture.bpf_filter) {
    filter = filter_;
  } else if (!filter || !filter->is_for(next.capture.bpf_filter, next.capture.snap_len, next.capture.interfaces)) {
    // A reload may have read of others, for which a restart is needed.
    filter = compile_filter(next.capture, {.time = kReloadFilterPatience, .cancel_fd = cancel_fd});
  }
  const auto outputs = exporter_->prepare(next.exporter, next.ipfix, cancel_fd);
  if (is_readable(cancel_fd)) throw StartError{ExitStatus::failure, "cancelled"};
  exporter_->apply(*outputs);
  const std::uint64_t expected = ++changes_;
  for (const auto& worker : workers_)
    worker->change({expected, next.flow.active_timeout, next.flow.inactive_timeout, next.tcp.close_linger, filter});
  config_ = next;
  filter_ = filter;
  return wait_for_change(expected, cancel_fd);
}

// Each worker looks after a batch, so within kChangePatience unless it is very busy or stuck.
std::vector<std::string> Probe::wait_for_change(std::uint64_t number, int cancel_fd) const {
  std::vector<std::string> remarks;
  const Duration end = steady_now() + kChangePatience;
  for (const auto& worker : workers_) {
    const std::string name = "capture-" + std::to_string(&worker - workers_.data());
    while (worker->last_change() < number && !worker->done() && steady_now() < end && !is_readable(cancel_fd))
      std::this_thread::sleep_for(kShortestNap);
    if (worker->last_change() < number && !worker->done() && !is_readable(cancel_fd)) {
      remarks.push_back(name + " has not followed yet");
    } else if (worker->refused_filter()) {
      remarks.push_back(name + ": the kernel did not take the new filter; the old one stays until a restart");
    }
  }
  return remarks;
}

bool Probe::finish() {
  if (export_thread_.joinable()) export_thread_.join();
  if (reader_) reader_->join();
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
  export_ended_.store(true, std::memory_order_relaxed);
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
  result.ignored_octets = classifier<&ClassifierCounters::octets_discarded>(counters_);
  result.dropped_packets = capture<&CaptureCounters::packets_dropped>(counters_);
  result.not_sent_flows =
      queue_and_exporter<&QueueCounters::records_not_sent, &ExportCounters::records_not_sent>(counters_);
  result.not_sent_packets = account(counters_).in_records_not_sent;
  result.not_sent_octets =
      queue_and_exporter<&QueueCounters::octets_in_records_not_sent, &ExportCounters::octets_in_records_not_sent>(
          counters_);
  result.system_init = begun_;
  result.interfaces = interfaces_;
  return result;
}

std::string Probe::failure() const {
  if (reader_) return reader_->failure();
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
  if (reader_) sum += reader_->memory_octets();
  return sum;
}

}  // namespace whiteowl
