// SPDX-License-Identifier: Apache-2.0
// The whole probe: builds and owns sources, workers, queues and exporter, and runs them.
// Promise: constructed means capturing; all memory is taken by then; a stop ends in bounded time, whatever a collector
// does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/config/load.hpp"
#include "whiteowl/daemon/counters.hpp"
#include "whiteowl/daemon/export_loop.hpp"
#include "whiteowl/daemon/worker.hpp"
#include "whiteowl/exporter/exporter.hpp"

namespace whiteowl {

// Packets that arrive while we run, or packets of a capture file: live capture never waits, a file may.
enum class InputKind : std::uint8_t { live, file };

// How long a stop may take to export what is left; what is left then is counted as not sent.
inline constexpr Duration kStopPatience = std::chrono::seconds{5};

// Threads for a live capture: as named, else one for each processor that this process may use, but no more than four.
// Four rings carry what a 10 Gbit/s interface can deliver; beyond that each costs memory and splits the table further.
[[nodiscard]] std::uint32_t worker_count(const CaptureSettings& settings);

// The sources that the invocation names, one for each worker.  Throws StartError.
[[nodiscard]] std::vector<Input> open_inputs(const Invocation& invocation, std::uint16_t fanout_id);

// Construction, stop() and the reports: main thread.
class Probe {
 public:
  // Throws StartError, std::bad_alloc, std::system_error; nothing runs then.  At least one input.
  Probe(const Config& config, std::vector<Input> inputs, InputKind kind);
  // Abandons what is not finished.
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  // Ends capture, exports everything; `patience` from now at most (and kWorkerGrace).
  void stop(Duration patience = kStopPatience);
  // Readable once the last record is sent or given up: by itself at the end of a file, else after stop().
  [[nodiscard]] int finished_fd() const noexcept { return finished_.get(); }
  // Waits for the threads; the counters are final then.  True when every record had its chance to be sent.
  bool finish();

  [[nodiscard]] const CounterSources& counters() const noexcept { return counters_; }
  // After finish(): why the input ended other than naturally, a line for the user; else empty.
  [[nodiscard]] std::string failure() const;
  // Memory that the probe has taken and will not exceed, octets.
  [[nodiscard]] std::size_t ring_octets() const noexcept;
  [[nodiscard]] std::size_t table_octets() const noexcept;
  [[nodiscard]] std::size_t workers() const noexcept { return workers_.size(); }

 private:
  struct World;
  void run_exporter() noexcept;
  [[nodiscard]] std::vector<RecordQueue*> queues() const;
  [[nodiscard]] ProcessStatistics statistics() const;
  void join() noexcept;

  Config config_;
  UniqueFd finished_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Exporter> exporter_;
  CounterSources counters_;
  ExportDeadline deadline_;
  Timestamp begun_{};  // exporter's thread
  bool complete_ = false;
  std::thread export_thread_;
};

}  // namespace whiteowl
