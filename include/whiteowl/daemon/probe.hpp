// SPDX-License-Identifier: Apache-2.0
// The whole probe: builds and owns sources, workers, queues and exporter, and runs them.
// Promise: constructed means capturing; all memory is taken by then; a stop ends in bounded time, whatever a collector
// does.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "whiteowl/base/doorbell.hpp"
#include "whiteowl/base/fd.hpp"
#include "whiteowl/capture/kept_rings.hpp"
#include "whiteowl/config/load.hpp"
#include "whiteowl/daemon/counters.hpp"
#include "whiteowl/daemon/export_loop.hpp"
#include "whiteowl/daemon/pulse.hpp"
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

// The settings of capture with what other settings mean for the rings.
[[nodiscard]] CaptureSettings ring_settings(const Config& config);

// Where the sockets of rings go and come from over a restart.
struct RingHeritage {
  RingStore store{};
  Inheritance inherited{};
};

// The sources that the invocation names, one for each worker.  Throws StartError, also when `cancel_fd` becomes
// readable or the duration of the run is over while a file keeps us waiting; and what `when_open` throws: that is
// called once they are open, and before the first octet of a file is read.
[[nodiscard]] std::vector<Input> open_inputs(const Invocation& invocation, std::uint16_t fanout_id,
                                             RingHeritage heritage = {}, const std::function<void()>& when_open = {},
                                             int cancel_fd = -1);

// Construction, stop() and the reports: main thread.  change(): one other thread at a time.
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
  // A worker went on after all grace, which only a source that does not return can cause: finish() would wait for it.
  [[nodiscard]] bool hangs() const noexcept;
  // How far the threads have come.  A file's reader may wait for its input as long as it likes.
  [[nodiscard]] std::vector<Beat> beats() const;
  // Waits for the threads; the counters are final then.  True when every record had its chance to be sent.
  bool finish();

  // Has the threads work by `config` from now on, as far as a reload can change it, with the flow tables and the
  // sessions of the collectors that stay.  Throws StartError, and nothing has changed then.  What is to be said of it,
  // a line each, when not all of it is in force.  May take kReloadFilterPatience, unless `filter` is prepared and for
  // these settings; `cancel_fd` ends the wait when it is readable.
  [[nodiscard]] std::vector<std::string> change(const Config& config, std::shared_ptr<FilterPrograms> filter = {},
                                                int cancel_fd = -1);

  [[nodiscard]] const CounterSources& counters() const noexcept { return counters_; }
  // After finish(): why the input ended other than naturally, a line for the user; else empty.
  [[nodiscard]] std::string failure() const;
  // After finish(): an output failed, and the log said why.
  [[nodiscard]] bool outputs_failed() const { return exporter_->failed(); }
  // Memory that the probe has taken and will not exceed, octets.
  [[nodiscard]] std::size_t ring_octets() const noexcept;
  [[nodiscard]] std::size_t table_octets() const noexcept;
  [[nodiscard]] std::size_t workers() const noexcept { return workers_.size(); }

 private:
  struct World;
  void run_exporter() noexcept;
  [[nodiscard]] std::vector<std::string> wait_for_change(std::uint64_t number, int cancel_fd) const;
  [[nodiscard]] std::vector<RecordQueue*> queues() const;
  [[nodiscard]] ProcessStatistics statistics() const;
  void join() noexcept;

  Config config_;  // in force; of change()
  InputKind kind_;
  std::shared_ptr<FilterPrograms> filter_;  // of the last reload that brought one
  // By number and name, as they are exported; the exporter's thread reads them.
  const std::vector<std::pair<std::uint32_t, std::string>> interfaces_;
  UniqueFd finished_;
  std::shared_ptr<Reader> reader_;  // of a file for several workers, else null
  Doorbell doorbell_;               // of the exporter's thread
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Exporter> exporter_;
  CounterSources counters_;
  ExportDeadline deadline_;
  Timestamp begun_{};          // exporter's thread
  std::uint64_t changes_ = 0;  // asked for; of change()
  bool complete_ = false;
  Counter export_rounds_;
  std::atomic<bool> export_ended_{false};
  std::thread export_thread_;
};

}  // namespace whiteowl
