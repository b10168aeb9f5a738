// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/worker.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "whiteowl/base/error.hpp"

namespace whiteowl {

namespace {
// How long to wait for an empty ring: shortly behind a busy reader, longer while a pipe is silent.
constexpr Duration kShortestWait = std::chrono::microseconds{50}, kLongestWait = std::chrono::milliseconds{5};
}  // namespace

Worker::Worker(Input input, const Config& config, std::uint32_t number, std::uint32_t workers,
               QueueSink::WhenFull when_full, Doorbell& exporter)
    : input_{std::move(input)},
      queue_{config.exporter.queue_records, config.flow.prefault},
      exporter_{exporter},
      sink_{queue_, when_full, config.tcp.extended, &exporter},
      meter_{config.flow, config.tcp, config.decode,
             workers,     sink_,      input_.reader ? input_.reader->hash_key() : random_hash_key()},
      number_{number},
      wait_{kShortestWait} {
  const auto& cpus = config.capture.cpus;
  if (!cpus.empty()) cpu_ = cpus[number % cpus.size()];
}

Worker::~Worker() {
  stop();
  give_up_waiting();
  join();
}

void Worker::start() {
  thread_ = std::thread{[this] { run(); }};
  ::pthread_setname_np(thread_.native_handle(), ("capture-" + std::to_string(number_)).c_str());
  if (cpu_) pin(*cpu_);
}

void Worker::pin(std::uint32_t cpu) {
  cpu_set_t wanted;
  CPU_ZERO(&wanted);
  CPU_SET(cpu, &wanted);
  if (::pthread_setaffinity_np(thread_.native_handle(), sizeof wanted, &wanted) == 0) return;
  throw StartError{ExitStatus::configuration, "capture.cpus: this process may not run on processor " +
                                                  std::to_string(cpu) +
                                                  "; see `taskset -p` or CPUAffinity= of its unit"};
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  if (input_.stop) input_.stop();
}

CounterSources::Metering Worker::counters() const noexcept {
  return {.meter = &meter_.counters(), .tcp = &meter_.tcp_counters(), .queue = &sink_.counters()};
}

std::optional<CounterSources::Reading> Worker::reading() const noexcept {
  if (!input_.source) return std::nullopt;
  return CounterSources::Reading{.capture = &input_.source->counters(),
                                 .classifier = &meter_.classifier_counters(),
                                 .interfaces = input_.source->interfaces()};
}

std::size_t Worker::memory_octets() const noexcept {
  return meter_.memory_octets() + queue_.capacity() * sizeof(FlowRecord);
}

// The street: everything that happens to a packet happens in these two calls.
bool Worker::meter_source() noexcept {
  const FrameBatch& batch = input_.source->read();
  meter_.observe(batch);
  refresh_now_and_then(batch);
  return !batch.end && (input_.stop || !stopping_.load(std::memory_order_relaxed));
}

// Half of it: the other half is the reader's.
bool Worker::meter_share() noexcept {
  PacketRing& ring = input_.reader->ring(number_);
  if (const PacketShare* share = ring.front(); share != nullptr) {
    meter_.observe(share->batch);
    ring.pop();
    wait_ = kShortestWait;
    return true;
  }
  if (ring.finished()) return false;
  std::this_thread::sleep_for(wait_);
  wait_ = std::min(wait_ * 2, kLongestWait);
  return true;
}

void Worker::run() noexcept {
  for (bool more = true; more;) {
    more = input_.reader ? meter_share() : meter_source();
    batches_.add();
    follow_change();
  }
  if (input_.source) input_.source->refresh_counters();
  // No packet waits behind the last flush, so it may wait for the exporter.
  sink_.set_when_full(QueueSink::WhenFull::wait);
  meter_.flush(FlowEndReason::forced_end);
  // In this order: whoever sees the queue's end finds the worker done.
  done_.store(true, std::memory_order_release);
  queue_.close();
  exporter_.ring();
}

void Worker::change(WorkerChange change) { mailbox_.post(std::make_unique<WorkerChange>(std::move(change))); }

void Worker::follow_change() noexcept {
  const auto change = mailbox_.take();
  if (change == nullptr) return;
  meter_.set_timeouts(change->active_timeout, change->inactive_timeout, change->close_linger);
  const bool refused = change->filter != nullptr && input_.set_filter && !input_.set_filter(change->filter);
  refused_filter_.store(refused, std::memory_order_relaxed);
  last_change_.store(change->number, std::memory_order_release);
}

// Once in a second of packet time, which passes on a silent interface too: its watermark moves.
void Worker::refresh_now_and_then(const FrameBatch& batch) noexcept {
  const Timestamp now = batch.has_watermark ? batch.watermark
                        : batch.size != 0   ? batch.frames[batch.size - 1].time
                                            : refreshed_;
  if (now - refreshed_ < std::chrono::seconds{1} && refreshed_ - now < std::chrono::seconds{1}) return;
  refreshed_ = now;
  input_.source->refresh_counters();
}

}  // namespace whiteowl
