// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/reload.hpp"

#include <spdlog/spdlog.h>

#include <utility>

#include "whiteowl/config/reload.hpp"
#include "whiteowl/daemon/logging.hpp"

namespace whiteowl {

Reloader::Reloader(std::vector<std::string> arguments, Config running, Probe& probe)
    : arguments_{std::move(arguments)}, running_{std::move(running)}, probe_{probe} {}

LogSettings Reloader::reload() noexcept {
  try {
    try_to();
  } catch (const std::exception& error) {
    spdlog::error("reload: {}; the settings stay as they were", error.what());
  }
  return running_.log;
}

void Reloader::try_to() {
  std::vector<const char*> words;
  for (const auto& argument : arguments_) words.push_back(argument.c_str());
  Surroundings surroundings = current_surroundings();
  surroundings.filter_patience.time = kReloadFilterPatience;
  const Invocation again = parse_invocation(words, surroundings);
  const ReloadPlan plan = plan_reload(running_, again.config);
  const auto remarks = probe_.change(plan.config, again.filter);
  running_ = plan.config;
  set_log_level(running_.log.level);
  const std::string from = again.config_file.empty() ? "no file" : again.config_file;
  spdlog::info("settings read again from {}: {}", from,
               plan.changed.empty() ? "nothing to change" : "now in force: " + joined(plan.changed));
  if (!plan.kept.empty()) spdlog::warn("a restart is needed to change {}; kept as at the start", joined(plan.kept));
  for (const auto& remark : remarks) spdlog::warn("reload: {}", remark);
}

}  // namespace whiteowl
