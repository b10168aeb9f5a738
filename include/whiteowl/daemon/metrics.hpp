// SPDX-License-Identifier: Apache-2.0
// The table of counters as a page that Prometheus reads over HTTP: http://ADDRESS:PORT/metrics.
// Promise: reads the counters when it is asked and never otherwise; no capture thread and not the exporter knows of it.
#pragma once

#include <cstdint>
#include <string>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/daemon/counters.hpp"
#include "whiteowl/daemon/page_server.hpp"

namespace whiteowl {

// At "ADDRESS:PORT".  Throws StartError when that cannot be had.
[[nodiscard]] UniqueFd listen_for_metrics(const std::string& listen);

class MetricsPage {
 public:
  // `listener` is one of listen_for_metrics(); `sources` outlive the page.  Throws std::system_error.
  MetricsPage(UniqueFd listener, const CounterSources& sources);
  [[nodiscard]] std::uint16_t port() const noexcept { return server_.port(); }

 private:
  PageServer server_;
};

}  // namespace whiteowl
