// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/reload.hpp"

#include <poll.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include <system_error>
#include <utility>

#include "whiteowl/base/error.hpp"
#include "whiteowl/config/reload.hpp"
#include "whiteowl/config/settings.hpp"
#include "whiteowl/daemon/logging.hpp"

namespace whiteowl {

Reloader::Reloader(std::vector<std::string> arguments, Config running, Probe& probe)
    : arguments_{std::move(arguments)}, running_{std::move(running)}, probe_{probe} {}

LogSettings Reloader::reload(int cancel_fd) noexcept {
  constexpr const char* kUnchanged = "the settings stay as they were";
  try {
    try_to(cancel_fd);
  } catch (const SettingsError& error) {
    const std::size_t others = error.lines().size() - 1;
    spdlog::error("reload: {}{}; {}", error.what(), others == 0 ? "" : " (--check-config tells of other mistakes too)",
                  kUnchanged);
  } catch (const std::exception& error) {
    if (is_readable(cancel_fd))
      spdlog::info("reload: given up, as the probe stops; {}", kUnchanged);
    else
      spdlog::error("reload: {}; {}", error.what(), kUnchanged);
  }
  return running_.log;
}

void Reloader::try_to(int cancel_fd) {
  std::vector<const char*> words;
  for (const auto& argument : arguments_) words.push_back(argument.c_str());
  Surroundings surroundings = current_surroundings();
  surroundings.cancel_fd = cancel_fd;
  surroundings.filter_patience = {.time = kReloadFilterPatience, .cancel_fd = cancel_fd};
  const Invocation again = parse_invocation(words, surroundings);
  const ReloadPlan plan = plan_reload(running_, again.config);
  const auto remarks = probe_.change(plan.config, again.filter, cancel_fd);
  running_ = plan.config;
  set_log_level(running_.log.level);
  const std::string from = again.config_file.empty() ? "no file" : again.config_file;
  spdlog::info("settings read again from {}: {}", from,
               plan.changed.empty() ? "nothing to change" : "now in force: " + joined(plan.changed));
  if (!plan.kept.empty()) spdlog::warn("a restart is needed to change {}; kept as at the start", joined(plan.kept));
  for (const auto& remark : remarks) spdlog::warn("reload: {}", remark);
}

ReloadThread::ReloadThread(Work work)
    : work_{std::move(work)},
      done_{checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")},
      cancelled_{checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")} {}

ReloadThread::~ReloadThread() {
  cancel();
  if (runs()) thread_.join();
}

bool ReloadThread::begin() noexcept {
  if (runs()) return true;
  try {
    thread_ = std::thread{[this] {
      result_ = work_(cancelled_.get());
      ::eventfd_write(done_.get(), 1);
    }};
  } catch (const std::system_error& error) {
    spdlog::error("reload: {}; the settings stay as they were", error.what());
    return false;
  }
  ::pthread_setname_np(thread_.native_handle(), "reload");
  return true;
}

LogSettings ReloadThread::finish() noexcept {
  if (runs()) thread_.join();
  eventfd_t ignored = 0;
  ::eventfd_read(done_.get(), &ignored);
  return result_;
}

bool ReloadThread::gives_up() noexcept {
  constexpr int kPatienceMilliseconds = 1000;
  cancel();
  pollfd watched{done_.get(), POLLIN, 0};
  return !runs() || ::poll(&watched, 1, kPatienceMilliseconds) > 0;
}

void ReloadThread::cancel() noexcept { ::eventfd_write(cancelled_.get(), 1); }

}  // namespace whiteowl
