// SPDX-License-Identifier: Apache-2.0
// What the process says about itself: Options Templates and their Data Records (RFC 7011 3.4.2, 4; RFC 5610).
//   sampling                      scope observationDomainId 149: 1 packet taken (305), 0 left out (306).  Collectors
//   that
//                                 multiply by a sampling rate show nothing without it.
//   Metering Process statistics   scope 149: 41, 42, 40 (RFC 7011 4.1)
//   Metering Process reliability  scope 149: 163, 164, 165, 135 (RFC 7011 4.2; no times of first and last loss)
//   Exporting Process reliability scope exportingProcessId 144: 166, 167, 168, 160 (RFC 7011 4.3; likewise)
//   interface names               scope ingressInterface 10: 82
//   Information Element types     scope 346, 303: 339, 344, 345, 342, 343, 341, 340 (RFC 5610 3.9) for each of our own
//   elements, and of Biflows for each reversed one
// Sets with strings are never padded: padding could be read as one more record.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "whiteowl/base/time.hpp"
#include "whiteowl/ipfix/settings.hpp"
#include "whiteowl/ipfix/template.hpp"

namespace whiteowl {

// What the Options Records about the Metering Process say (RFC 7011 4.1, 4.2); filled by whoever owns the counters.
struct ProcessStatistics {
  std::uint64_t observed_flows = 0;   // observedFlowTotalCount 163
  std::uint64_t ignored_packets = 0;  // ignoredPacketTotalCount 164: discarded by reason
  std::uint64_t ignored_octets = 0;   // ignoredOctetTotalCount 165
  std::uint64_t dropped_packets = 0;  // droppedPacketTotalCount 135: lost by the kernel
  std::uint64_t not_sent_flows = 0, not_sent_packets = 0,
                not_sent_octets = 0;  // 166, 167, 168; queues and exporter together
  Timestamp system_init{};            // systemInitTimeMilliseconds 160: start of the process
  // One per capture interface: ingressInterface 10 and interfaceName 82.
  std::vector<std::pair<std::uint32_t, std::string>> interfaces;
};

// What went to one collector since the start, not this record's Message.
struct ExportedTotals {
  std::uint64_t messages = 0;      // exportedMessageTotalCount 41
  std::uint64_t flow_records = 0;  // exportedFlowRecordTotalCount 42
  std::uint64_t octets = 0;        // exportedOctetTotalCount 40
};

// One (Options) Template Record or Data Record and the Set that it belongs to.
struct ControlRecord {
  std::uint16_t set_id = 0;
  bool padded = false;
  std::vector<std::uint8_t> bytes;
};

// The text as it may be exported: octets outside 0x20..0x7e, quotes and backslashes become "?", because collectors put
// strings into JSON without escaping; at most 254 octets, so that one octet says the length (RFC 7011 7).
[[nodiscard]] std::string exportable_text(std::string_view text);

class Options {
 public:
  Options(const IpfixSettings& settings, const Templates& templates);

  // The data templates, the sampling template and the sampling record: what a collector needs before the first flow.
  [[nodiscard]] std::vector<ControlRecord> prologue() const;
  // Everything else.  Over a reliable transport the templates and what never changes are sent once: `repeat` leaves
  // them out.
  [[nodiscard]] std::vector<ControlRecord> reports(const ProcessStatistics& process, const ExportedTotals& exported,
                                                   bool repeat) const;
  // The first id that neither these nor the data templates use.
  [[nodiscard]] std::uint16_t next_id() const noexcept;

 private:
  [[nodiscard]] std::vector<ControlRecord> statistics(const ProcessStatistics& process,
                                                      const ExportedTotals& exported) const;
  [[nodiscard]] ControlRecord type_record(const Element& element, bool reverse) const;

  std::vector<ControlRecord> prologue_;
  std::vector<ControlRecord> report_templates_;
  std::vector<ControlRecord> type_records_;
  std::uint32_t domain_id_;
  std::uint32_t enterprise_number_;
  std::uint16_t first_id_;
};

}  // namespace whiteowl
