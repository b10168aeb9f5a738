// SPDX-License-Identifier: Apache-2.0
// The service manager: what it is told (sd_notify(3)), what it asks (sd_watchdog_enabled(3)), and what it keeps for the
// next process: the rings' sockets, in its descriptor store.
// Promise: without a manager, or with one that does not listen, everything here does nothing.
#pragma once

#include <string>
#include <vector>

#include "whiteowl/base/time.hpp"
#include "whiteowl/capture/kept_rings.hpp"

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

  // The descriptors that it kept and handed over to this process; once.
  [[nodiscard]] static std::vector<KeptRing> kept();
  // Any thread.
  static void keep(const std::string& name, int fd);
  static void forget(const std::string& name);
  // Returns when all that it was told so far has been done, or after a moment.
  static void wait_until_heard();

 private:
  std::string status_;
};

}  // namespace whiteowl
