// SPDX-License-Identifier: Apache-2.0
// What a running probe takes over of settings that were read again: the rows of the table of options say which.
#pragma once

#include <string_view>
#include <vector>

#include "whiteowl/config/config.hpp"

namespace whiteowl {

struct ReloadPlan {
  Config config;                          // to be in force
  std::vector<std::string_view> changed;  // keys that it takes over
  std::vector<std::string_view> kept;     // keys that differ but wait for a restart
};

// `running` is in force, `wanted` was read just now; both are finished.
[[nodiscard]] ReloadPlan plan_reload(const Config& running, const Config& wanted);

}  // namespace whiteowl
