// SPDX-License-Identifier: Apache-2.0
// SIGHUP: reads file and command line again, as at the start, and has the probe go on with what can be changed.  It may
// take seconds, for a filter or a name server, so it has a thread of its own while the main thread looks after the
// rest. Promise: all or nothing up to the moment when everything is known to be right; a mistake is one line in the log
// and changes nothing; what waits for a restart is named.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/config/load.hpp"
#include "whiteowl/daemon/probe.hpp"

namespace whiteowl {

// One reload at a time, on one thread at a time.
class Reloader {
 public:
  // `arguments` as parse_invocation() takes them, `running` what it made of them.
  Reloader(std::vector<std::string> arguments, Config running, Probe& probe);
  // What to log from now on.  Gives up when `cancel_fd` becomes readable; nothing has changed then.
  LogSettings reload(int cancel_fd = -1) noexcept;

 private:
  void try_to(int cancel_fd);

  std::vector<std::string> arguments_;
  Config running_;
  Probe& probe_;
};

// The thread.  All functions: main thread.
class ReloadThread {
 public:
  // Gives up when the descriptor is readable.  Never throws.
  using Work = std::function<LogSettings(int cancel_fd)>;
  explicit ReloadThread(Work work);  // throws std::system_error
  // Cancels, and waits for the thread, however long: see gives_up().
  ~ReloadThread();
  ReloadThread(const ReloadThread&) = delete;
  ReloadThread& operator=(const ReloadThread&) = delete;

  [[nodiscard]] bool runs() const noexcept { return thread_.joinable(); }
  // Unless it runs; false when there is no thread to be had.
  bool begin() noexcept;
  // Readable when the work is done and finish() will not wait.
  [[nodiscard]] int done_fd() const noexcept { return done_.get(); }
  LogSettings finish() noexcept;
  // Has the work end soon; there is no other after it.
  void cancel() noexcept;
  // Cancels.  False when the thread has not ended after a second: it hangs in what cannot be cancelled.
  [[nodiscard]] bool gives_up() noexcept;

 private:
  Work work_;
  UniqueFd done_, cancelled_;
  LogSettings result_;  // the thread's until it has ended
  std::thread thread_;
};

}  // namespace whiteowl
