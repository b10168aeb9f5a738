// SPDX-License-Identifier: Apache-2.0
// The service manager: what it is told (sd_notify(3)) and what it asks (sd_watchdog_enabled(3)).
// Promise: without a manager, or with one that does not listen, everything here does nothing.
#pragma once

#include <string>

#include "whiteowl/base/time.hpp"

namespace whiteowl {

class ServiceManager {
 public:
  // How often it wants a sign of life; 0 = not at all.
  [[nodiscard]] static Duration watchdog() noexcept;

  // One line for `systemctl status`; sent when it is another than before.
  void status(const std::string& text);
  void ready(const std::string& text);
  // Followed by ready() when the new settings are in force, or the old ones remain.
  void reloading();
  void stopping(const std::string& text);
  void alive();

 private:
  std::string status_;
};

}  // namespace whiteowl
