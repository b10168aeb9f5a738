// SPDX-License-Identifier: Apache-2.0
// Text for people that may hold bytes of strangers: a file's keys, an argument, an interface's name.
#pragma once

#include <string>
#include <string_view>

namespace whiteowl {

// Control characters as \n, \t or \xNN: one message stays one line, and no terminal obeys it.
[[nodiscard]] std::string one_line(std::string_view text);

}  // namespace whiteowl
