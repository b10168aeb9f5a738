// SPDX-License-Identifier: Apache-2.0
// The table of counters as a page that Prometheus reads over HTTP: http://ADDRESS:PORT/metrics.
// Promise: reads the counters when it is asked and never otherwise; no capture thread and not the exporter knows of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "whiteowl/daemon/counters.hpp"

namespace whiteowl {

class MetricsPage {
 public:
  // Listens on "ADDRESS:PORT"; `sources` outlive it.  Throws StartError when it cannot.
  MetricsPage(const std::string& listen, const CounterSources& sources);
  ~MetricsPage();
  [[nodiscard]] std::vector<int> ports() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace whiteowl
