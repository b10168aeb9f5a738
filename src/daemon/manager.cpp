// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/manager.hpp"

#include <spdlog/fmt/fmt.h>
#include <systemd/sd-daemon.h>

#include <chrono>

#include "whiteowl/daemon/logging.hpp"

namespace whiteowl {
namespace {

void tell(const std::string& lines) { ::sd_notify(0, lines.c_str()); }

}  // namespace

Duration ServiceManager::watchdog() noexcept {
  std::uint64_t microseconds = 0;
  return ::sd_watchdog_enabled(0, &microseconds) > 0 ? Duration{std::chrono::microseconds{microseconds}}
                                                     : Duration::zero();
}

void ServiceManager::status(const std::string& text) {
  if (text == status_) return;
  status_ = text;
  tell("STATUS=" + one_line(text));
}

void ServiceManager::ready(const std::string& text) {
  status_ = text;
  tell("READY=1\nSTATUS=" + one_line(text));
}

void ServiceManager::reloading() {
  // CLOCK_MONOTONIC, which is what the steady clock reads here.
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}",
                   std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
}

void ServiceManager::stopping(const std::string& text) {
  status_ = text;
  tell("STOPPING=1\nSTATUS=" + one_line(text));
}

void ServiceManager::alive() { tell("WATCHDOG=1"); }

}  // namespace whiteowl
