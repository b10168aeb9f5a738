// SPDX-License-Identifier: Apache-2.0
// What the operator can say about exporting.  Plain values; the defaults are in the table of options.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "whiteowl/base/time.hpp"

namespace whiteowl {

class OpenedFiles;

enum class StandardOutput : std::uint8_t { none, table, json };

struct ExporterSettings {
  // Where IPFIX goes: udp://HOST[:PORT], tcp://HOST[:PORT], HOST[:PORT] (UDP), file:///PATH; [v6]:PORT.  All of them
  // get everything.
  std::vector<std::string> collectors;
  std::uint16_t default_port = 2055;  // export.collector_port
  Duration template_interval = std::chrono::seconds{300};
  std::uint32_t template_messages = 1000;  // templates again after so many messages over UDP; 0 = by time alone
  std::uint32_t mtu = 0;                 // octets of an IP packet; 0 = the path MTU that the kernel knows, at most 1500
  std::uint32_t queue_records = 16'384;  // room between a worker and the exporter
  std::uint32_t max_rate = 0;            // messages a second over UDP at most; 0 = 12,500, in bursts of up to 64
  StandardOutput output = StandardOutput::none;
  std::shared_ptr<OpenedFiles> opened;  // of the collectors that are files; null: none is open yet
  bool live = false;                    // records come while they are watched: the table shows them one by one, too
};

}  // namespace whiteowl
