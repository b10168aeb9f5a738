// SPDX-License-Identifier: Apache-2.0
// SIGHUP: reads file and command line again, as at the start, and has the probe go on with what can be changed.
// Promise: all or nothing up to the moment when everything is known to be right; a mistake is one line in the log and
// changes nothing; what waits for a restart is named.
#pragma once

#include <string>
#include <vector>

#include "whiteowl/config/load.hpp"
#include "whiteowl/daemon/probe.hpp"

namespace whiteowl {

class Reloader {
 public:
  // `arguments` as parse_invocation() takes them, `running` what it made of them.
  Reloader(std::vector<std::string> arguments, Config running, Probe& probe);
  // What to log from now on.
  LogSettings reload() noexcept;

 private:
  void try_to();

  std::vector<std::string> arguments_;
  Config running_;
  Probe& probe_;
};

}  // namespace whiteowl
