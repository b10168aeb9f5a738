// SPDX-License-Identifier: Apache-2.0
// One capture thread: reads packets and meters them, to the end of its source.
// Promise: shares nothing with another worker; what it is asked to stop, it stops at the end of a batch, having
// exported all that its table held; its queue is closed when, and only when, nothing more will come.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "whiteowl/base/doorbell.hpp"
#include "whiteowl/base/mailbox.hpp"
#include "whiteowl/capture/ring_source.hpp"
#include "whiteowl/capture/source.hpp"
#include "whiteowl/config/config.hpp"
#include "whiteowl/daemon/counters.hpp"
#include "whiteowl/daemon/reader.hpp"
#include "whiteowl/exporter/exporter.hpp"
#include "whiteowl/flow/meter.hpp"

namespace whiteowl {

// A source and what the worker need not know of it; or a reader that several workers share.
struct Input {
  std::unique_ptr<PacketSource> source;
  // Asks the source to end after what it holds; callable from any thread.  Empty: the worker just stops reading.
  std::function<void()> stop;
  std::size_t ring_octets = 0;
  std::string sharing{};  // by what the kernel shares packets out among the workers, for people; empty: it does not
  // Thread of read(): another filter; false when the kernel did not take it.  Empty: the filter stays.
  std::function<bool(const std::shared_ptr<FilterPrograms>&)> set_filter = {};
  std::shared_ptr<Reader> reader{};  // instead of a source: the worker meters what comes to its ring
};

// What a reload changes for a worker.
struct WorkerChange {
  std::uint64_t number = 0;  // rises with each change
  Duration active_timeout, inactive_timeout, close_linger;
  std::shared_ptr<FilterPrograms> filter;  // null: it stays
};

class Worker {
 public:
  // Takes all memory of the worker.  Throws std::bad_alloc.  `number` of `workers`, from 0.
  // `exporter` is called when the queue fills, and when it is closed; it outlives the worker.
  Worker(Input input, const Config& config, std::uint32_t number, std::uint32_t workers, QueueSink::WhenFull when_full,
         Doorbell& exporter);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void
  start();  // throws std::system_error when there is no thread to have, StartError when it may not run where it is to
  void join();

  // Any thread.
  void stop();
  void give_up_waiting() noexcept { sink_.give_up_waiting(); }
  // Followed at the next batch; its number is that of last_change() then.
  void change(WorkerChange change);
  [[nodiscard]] std::uint64_t last_change() const noexcept { return last_change_.load(std::memory_order_acquire); }
  [[nodiscard]] bool refused_filter() const noexcept { return refused_filter_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool done() const noexcept { return done_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t heartbeat() const noexcept { return batches_.get(); }  // rises at least every 100 ms
  [[nodiscard]] CounterSources::Metering counters() const noexcept;
  [[nodiscard]] std::optional<CounterSources::Reading> reading() const noexcept;  // unless a reader does that

  [[nodiscard]] RecordQueue& queue() noexcept { return queue_; }
  [[nodiscard]] std::size_t ring_octets() const noexcept { return input_.ring_octets; }
  [[nodiscard]] std::size_t memory_octets() const noexcept;  // tables and queue
  // After join(): why the source ended other than naturally, for the user; else empty.
  [[nodiscard]] std::string failure() const { return input_.source ? input_.source->failure() : std::string{}; }

 private:
  void run() noexcept;
  [[nodiscard]] bool meter_source() noexcept;
  [[nodiscard]] bool meter_share() noexcept;
  void pin(std::uint32_t cpu);
  void refresh_now_and_then(const FrameBatch& batch) noexcept;
  void follow_change() noexcept;

  Input input_;
  RecordQueue queue_;
  Doorbell& exporter_;
  QueueSink sink_;
  Meter meter_;
  std::uint32_t number_;
  std::optional<std::uint32_t> cpu_;  // to run on
  Timestamp refreshed_{};
  Duration wait_{};  // the next one for an empty ring
  Counter batches_;
  Mailbox<WorkerChange> mailbox_;
  std::atomic<std::uint64_t> last_change_{0};
  std::atomic<bool> refused_filter_{false};  // of the last change
  std::atomic<bool> stopping_{false};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace whiteowl
