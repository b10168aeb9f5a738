// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/manager.hpp"

#include <spdlog/fmt/fmt.h>
#include <systemd/sd-daemon.h>

#include <chrono>
#include <cstdlib>

#include "whiteowl/base/text.hpp"

namespace whiteowl {
namespace {

constexpr std::uint64_t kBarrierMicroseconds = 2'000'000;

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

std::vector<KeptRing> ServiceManager::kept() {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  std::vector<KeptRing> rings;
  for (int i = 0; i < count; ++i) rings.push_back({names[i], UniqueFd{SD_LISTEN_FDS_START + i}});
  for (int i = 0; i < count; ++i) std::free(names[i]);
  std::free(names);
  return rings;
}

void ServiceManager::keep(const std::string& name, int fd) {
  // FDPOLL: a link that goes down makes a socket readable with an error, and the manager would drop it.
  const std::string lines = "FDSTORE=1\nFDNAME=" + name + "\nFDPOLL=0";
  ::sd_pid_notify_with_fds(0, 0, lines.c_str(), &fd, 1);
}

void ServiceManager::forget(const std::string& name) { tell("FDSTOREREMOVE=1\nFDNAME=" + name); }

void ServiceManager::wait_until_heard() { ::sd_notify_barrier(0, kBarrierMicroseconds); }

void ServiceManager::alive() { tell("WATCHDOG=1"); }

}  // namespace whiteowl
