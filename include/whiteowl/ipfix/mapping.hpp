// SPDX-License-Identifier: Apache-2.0
// Configuration that teaches a collector our fields, made from the table of elements: --print-mapping, and the files
// under etc/collectors, which a test compares with it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace whiteowl {

// Each is one file as the collector reads it.
inline constexpr std::array<std::string_view, 7> kMappingKinds{"goflow2",  "nfacctd",    "nfacctd-conf",    "libfds",
                                                               "telegraf", "clickhouse", "clickhouse-proto"};

// `kind` is one of kMappingKinds; `enterprise_number` is the PEN of our own elements.
[[nodiscard]] std::string collector_mapping(std::string_view kind, std::uint32_t enterprise_number);

// Number of an element in goflow2's protobuf message where goflow2 has no field of its own for it: 2000 + id for ours,
// 3000 + id for IANA's.  Below that other messages of goflow2 have theirs; 19000 to 19999 are protobuf's own.
[[nodiscard]] constexpr std::uint32_t protobuf_number(bool ours, std::uint16_t id) noexcept {
  return (ours ? 2000U : 3000U) + id;
}

}  // namespace whiteowl
