// SPDX-License-Identifier: Apache-2.0
// What the operator can say about IPFIX.  Plain values; the defaults are in the table of options.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace whiteowl {

struct IpfixSettings {
  std::uint32_t domain_id = 1;              // Observation Domain ID (RFC 7011 3.1)
  std::uint16_t template_id = 256;          // of the first template; the next ids follow
  std::uint32_t enterprise_number = 99999;  // PEN of our own elements
  // export.fields: "standard", "extended", or element names in the order wanted; a list may mix one set and names.
  std::vector<std::string> fields{"standard"};
  bool biflow = false;     // export.biflow: both directions of a conversation in one record (RFC 5103)
  bool tcp_fields = true;  // export.track_tcp_performance: false leaves the six fields out
};

}  // namespace whiteowl
