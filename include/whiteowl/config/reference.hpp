// SPDX-License-Identifier: Apache-2.0
// The tables of options and settings as text for people: --help, --print-config, etc/config.yaml and the blocks of the
// manual pages that stand between markers.  A test compares the files with what is rendered here.
#pragma once

#include <string>

#include "whiteowl/config/settings.hpp"

namespace whiteowl {

// All of them are whole lines, 80 columns wide at most where the text allows it.
[[nodiscard]] std::string help_text();                              // --help
[[nodiscard]] std::string usage_text();                             // below the line about a wrong command line
[[nodiscard]] std::string version_text();                           // --version
[[nodiscard]] std::string settings_text(const Settings& settings);  // --print-config: YAML that says the same
[[nodiscard]] std::string sample_file();                            // etc/config.yaml
[[nodiscard]] std::string options_manual();                         // OPTIONS of chompy-probe(8), mdoc
[[nodiscard]] std::string fields_manual();                          // FIELDS of chompy-probe(8), mdoc
[[nodiscard]] std::string settings_manual();                        // SETTINGS of chompy-probe.yaml(5), mdoc

// A value as YAML that is read back unchanged.
[[nodiscard]] std::string to_yaml(const SettingValue& value, const Option& option);

}  // namespace whiteowl
