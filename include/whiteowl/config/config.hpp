// SPDX-License-Identifier: Apache-2.0
// Everything that the operator can say, as the modules' own settings side by side.  Built by applying the defaults of
// the table of options, then the file, then the command line.
#pragma once

#include <cstdint>
#include <string>

#include "whiteowl/base/time.hpp"
#include "whiteowl/capture/settings.hpp"
#include "whiteowl/exporter/settings.hpp"
#include "whiteowl/flow/settings.hpp"
#include "whiteowl/ipfix/settings.hpp"
#include "whiteowl/packet/decode.hpp"
#include "whiteowl/tcp/settings.hpp"

namespace whiteowl {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

struct LogSettings {
  LogLevel level = LogLevel::info;
  Duration statistics_interval = std::chrono::seconds{60};  // a line of counters this often; 0 = only at the end
};

struct MetricsSettings {
  std::string listen;  // ADDRESS:PORT of the Prometheus page; empty = off
};

// What the process is allowed once it runs.
struct ProcessSettings {
  std::string user;     // to become when root starts it; empty = stay root
  bool sandbox = true;  // give up what is not needed
};

struct Config {
  CaptureSettings capture;
  DecodeSettings decode;
  FlowSettings flow;
  TcpSettings tcp;
  IpfixSettings ipfix;
  ExporterSettings exporter;
  LogSettings log;
  MetricsSettings metrics;
  ProcessSettings process;
  std::string collector_ip;  // export.collector_ip as written; with its port the first of exporter.collectors
};

}  // namespace whiteowl
