// SPDX-License-Identifier: Apache-2.0
// The log: standard error, as the journal or a person wants it.
// Promise: one message is one line, whatever bytes it carries, so that no name in a capture file forges an entry.
#pragma once

#include <string>
#include <string_view>

#include "whiteowl/config/config.hpp"

namespace whiteowl {

// Whether descriptor `fd` is the stream that JOURNAL_STREAM (systemd.exec(5)) names, "DEVICE:INODE".  The variable
// alone says little: it is inherited by programs whose output goes elsewhere.
[[nodiscard]] bool is_journal(int fd, const char* journal_stream);

// Words for a line: "eth0, eth1".
template <typename Words>
[[nodiscard]] std::string joined(const Words& words) {
  std::string text;
  for (const auto& word : words) (text += text.empty() ? "" : ", ") += word;
  return text;
}

enum class LogStyle : std::uint8_t {
  journal,  // <N> and the message: the journal knows the time itself (sd-daemon(3))
  dated,    // time, level, message; the level in colour on a terminal
};

// Makes spdlog's default logger.  Call once, before other threads run.
void set_up_logging(LogLevel level, LogStyle style);
// Any thread, at any time.
void set_log_level(LogLevel level);

}  // namespace whiteowl
