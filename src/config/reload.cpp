// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/reload.hpp"

#include "whiteowl/config/options.hpp"

namespace whiteowl {
namespace {

// What a row cannot say because it depends on other settings.
bool held_back(const Option& option, const Config& running, const Config& wanted) {
  if (option.key == "capture.bpf_filter") return running.capture.lock_filter;
  // What these fields carry is measured from the start or not at all.
  if (option.key == "export.fields") return wanted.tcp.extended && !running.tcp.extended;
  return false;
}

}  // namespace

ReloadPlan plan_reload(const Config& running, const Config& wanted) {
  ReloadPlan plan{.config = running, .changed = {}, .kept = {}};
  for (const Option& option : kOptions) {
    const SettingValue value = option.get(wanted, option.limits);
    if (value == option.get(running, option.limits)) continue;
    if (option.reload == Reload::no || held_back(option, running, wanted)) {
      plan.kept.push_back(option.key);
    } else {
      option.set(plan.config, value, option.limits);
      plan.changed.push_back(option.key);
    }
  }
  // Follows from the collectors where the command line does not name it.
  plan.config.exporter.output = wanted.exporter.output;
  return plan;
}

}  // namespace whiteowl
