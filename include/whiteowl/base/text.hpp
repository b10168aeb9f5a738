// SPDX-License-Identifier: Apache-2.0
// Text for people that may hold bytes of strangers: a file's keys, an argument, an interface's name.
#pragma once

#include <string>
#include <string_view>

namespace whiteowl {

// Control characters as \n, \t or \xNN, and so each octet that is not UTF-8 (RFC 3629): one message stays one line, no
// terminal obeys it, and JSON, metrics and IPFIX strings that hold it are valid.
[[nodiscard]] std::string one_line(std::string_view text);

}  // namespace whiteowl
