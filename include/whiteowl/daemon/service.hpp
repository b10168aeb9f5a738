// SPDX-License-Identifier: Apache-2.0
// What the main thread does while the probe runs: signals, the service manager, the statistics line, the end.
// The watchdog is fed only while every capture thread and the exporter go round.
//   SIGTERM, SIGINT  export everything and end, exit status 0; a second one ends without waiting for the collectors
//   SIGUSR1          the counters into the log
//   SIGHUP           the settings are read again, beside all this; once more if it comes meanwhile
//   SIGPIPE          ignored: a reader of our output that goes away is an end like ^C, without a word
#pragma once

#include <string>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"
#include "whiteowl/base/time.hpp"
#include "whiteowl/daemon/probe.hpp"
#include "whiteowl/daemon/reload.hpp"

namespace whiteowl {

// Takes the signals away from the threads that begin later.  Construct before any of them.
class SignalInbox {
 public:
  SignalInbox();  // throws std::system_error
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // The next signal's number, 0 when there is none.
  [[nodiscard]] int take() noexcept;

 private:
  UniqueFd fd_;
};

struct ServiceSettings {
  Duration statistics_interval{};  // a line this often; 0 = only at the end
  Duration run_for{};              // stop by itself after this; 0 = run on
  bool watch_output = false;       // flows go to standard output: end when its reader is gone
  bool quiet = false;              // a person reads a file: what the table says anyway is logged at level debug
  bool hardware_stamps = false;    // the network cards are asked to stamp the packets
  std::string subject;             // "eth0, eth1" or the file, for the status line of the service manager
  std::function<void(const CounterSources&)> write_counters{};  // at the end; empty = nobody wants them
  // Puts new settings in force and returns what to log from now on; empty: there are none to read.  Called on a thread
  // of its own.
  ReloadThread::Work reload{};
};

// Returns when everything is exported and the counters are written.
[[nodiscard]] ExitStatus serve(Probe& probe, SignalInbox& signals, const ServiceSettings& settings);

// The whole path of the file in force, for people.
[[nodiscard]] std::string source_of_settings(const Invocation& invocation);

// What the probe is and does and how much memory it has taken, one line.
[[nodiscard]] std::string start_line(const Invocation& invocation, const Probe& probe, std::uint16_t fanout_id,
                                     const std::string& sharing);

}  // namespace whiteowl
