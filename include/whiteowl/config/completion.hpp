// SPDX-License-Identifier: Apache-2.0
// The tables of options and settings as completion scripts for two shells.  A test compares the files in
// packaging/completion with what is rendered here.
#pragma once

#include <string>

namespace whiteowl {

[[nodiscard]] std::string bash_completion();  // packaging/completion/chompy-probe.bash
[[nodiscard]] std::string zsh_completion();   // packaging/completion/_chompy-probe

}  // namespace whiteowl
