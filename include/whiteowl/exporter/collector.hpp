// SPDX-License-Identifier: Apache-2.0
// Where IPFIX goes, as the user writes it: udp://HOST[:PORT], tcp://HOST[:PORT], HOST[:PORT] (UDP), file://PATH.
// IPv6 addresses stand in brackets, or bare when no port follows.
#pragma once

#include <cstdint>
#include <string>

namespace whiteowl {

enum class CollectorKind : std::uint8_t { udp, tcp, file };

struct Collector {
  CollectorKind kind = CollectorKind::udp;
  std::string host;        // name or address, without brackets; empty for a file
  std::uint16_t port = 0;  // host order
  std::string path;        // of a file
  std::string text;        // as the user wrote it
};

// Throws StartError (78) with the line of check_collector.
[[nodiscard]] Collector parse_collector(const std::string& text, std::uint16_t default_port);
// Empty, or one line that says what is wrong with it and how to write it.
[[nodiscard]] std::string check_collector(const std::string& text);

}  // namespace whiteowl
