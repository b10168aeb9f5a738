// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/service.hpp"

#include <poll.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "whiteowl/daemon/logging.hpp"
#include "whiteowl/daemon/manager.hpp"
#include "whiteowl/daemon/notices.hpp"
#include "whiteowl/daemon/pulse.hpp"

namespace whiteowl {
namespace {

// A stop that takes longer than it promised is a hung thread, which cannot be waited for.
constexpr Duration kHungAfter = kStopPatience + kWorkerGrace + std::chrono::seconds{3};
constexpr Duration kNever = Duration::max();
constexpr Duration kLookInterval = std::chrono::seconds{1};  // what has changed since
constexpr int kFeedsOfAWatchdog = 4;                         // within its time, so that one late round does no harm

Duration steady_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

int milliseconds_until(Duration when, Duration now) {
  if (when == kNever) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(when - now, Duration::zero())).count();
  return static_cast<int>(std::min<std::int64_t>(left, 3'600'000));
}

// The life of one run: capturing, then stopping, then finished.
class Watch {
 public:
  Watch(Probe& probe, SignalInbox& signals, ServiceManager& manager, const ServiceSettings& settings)
      : probe_{probe},
        signals_{signals},
        manager_{manager},
        settings_{settings},
        statistics_interval_{settings.statistics_interval},
        feed_interval_{ServiceManager::watchdog() / kFeedsOfAWatchdog},
        now_{steady_now()},
        notices_{settings.hardware_stamps},
        reload_{settings.reload} {
    if (settings.run_for > Duration::zero()) stop_at_ = now_ + settings.run_for;
    if (feed_interval_ > Duration::zero()) feed_at_ = now_ + feed_interval_;
    plan_report();
    manager_.ready(status());
  }

  // False when a thread hangs.
  bool until_finished() {
    for (;;) {
      std::array<pollfd, 4> watched{pollfd{probe_.finished_fd(), POLLIN, 0}, pollfd{signals_.fd(), POLLIN, 0},
                                    pollfd{settings_.watch_output && !stopping_ ? STDOUT_FILENO : -1, 0, 0},
                                    pollfd{reload_.done_fd(), POLLIN, 0}};
      const Duration next = std::min({stop_at_, report_at_, hung_at_, feed_at_, look_at_});
      ::poll(watched.data(), watched.size(), milliseconds_until(next, now_));
      now_ = steady_now();
      if (watched[0].revents != 0) {
        look();  // a short file is over before the first one
        return !probe_.hangs();
      }
      if (watched[1].revents != 0) take_signals();
      if (watched[2].revents != 0) stop();
      if (watched[3].revents != 0) end_reload();
      if (now_ >= hung_at_) return false;
      if (now_ >= stop_at_) stop();
      if (now_ >= feed_at_) feed();
      if (now_ >= look_at_) look();
      if (now_ >= report_at_) report();
    }
  }

  // All that matters is done, and a thread that is never heard of again must not keep the process.
  void leave_if_reload_hangs(ExitStatus status) {
    if (reload_.gives_up()) return;
    spdlog::error("the reload does not end; leaving without it");
    std::_Exit(static_cast<int>(status));
  }

 private:
  void take_signals() {
    for (int number = signals_.take(); number != 0; number = signals_.take()) {
      if (number == SIGUSR1) {
        spdlog::info("statistics: {}", counters_line(probe_.counters()));
      } else if (number == SIGHUP) {
        reload();
      } else if (!stopping_) {
        stop();
      } else {
        spdlog::warn("second signal: ending without what the collectors have not taken yet");
        probe_.stop(Duration::zero());
      }
    }
  }
  void reload() {
    if (!settings_.reload) return spdlog::info("SIGHUP: a capture file keeps the settings of its start");
    if (stopping_) return spdlog::info("SIGHUP: the probe is stopping");
    // What was changed in the file since this one read it must not be missed.
    if (reload_.runs()) {
      reload_again_ = true;
      return;
    }
    manager_.reloading();
    if (!reload_.begin()) manager_.ready(status());
  }
  void end_reload() {
    statistics_interval_ = reload_.finish().statistics_interval;
    plan_report();
    if (stopping_) return;
    manager_.ready(status());
    if (std::exchange(reload_again_, false)) reload();
  }
  void stop() {
    stop_at_ = kNever;
    if (stopping_) return;
    stopping_ = true;
    hung_at_ = now_ + kHungAfter;
    look_at_ = kNever;
    reload_.cancel();
    manager_.stopping("Exporting what is left");
    probe_.stop();
  }
  // While stopping, threads may be busy with their last work for as long as hung_at_ allows.
  void feed() {
    feed_at_ = now_ + feed_interval_;
    const auto stuck = stopping_ ? std::vector<std::string>{} : pulse_.stuck(probe_.beats());
    if (stuck.empty()) return manager_.alive();
    spdlog::error("the watchdog is not fed: {} made no round for {} ms", joined(stuck),
                  std::chrono::duration_cast<std::chrono::milliseconds>(feed_interval_).count());
  }
  void look() {
    look_at_ = now_ + kLookInterval;
    manager_.status(status());
    for (const auto& notice : notices_.look(probe_.counters(), now_))
      spdlog::log(notice.warning ? spdlog::level::warn : spdlog::level::info, "{}", notice.text);
  }
  void plan_report() { report_at_ = statistics_interval_ > Duration::zero() ? now_ + statistics_interval_ : kNever; }
  void report() {
    plan_report();
    spdlog::info("statistics: {}", counters_line(probe_.counters()));
  }
  [[nodiscard]] std::string status() const {
    using counter_place::capture;
    const auto& counters = probe_.counters();
    const auto account_now = account(counters);
    const auto away = capture<&CaptureCounters::interfaces_away>(counters);
    std::string text = fmt::format("Capturing from {}: {} packets received, {} lost, {} in records sent",
                                   settings_.subject, account_now.received,
                                   capture<&CaptureCounters::packets_dropped>(counters), account_now.in_records_sent);
    return away == 0 ? text : text + "; waiting for an interface that is down or away";
  }

  Probe& probe_;
  SignalInbox& signals_;
  ServiceManager& manager_;
  const ServiceSettings& settings_;
  Duration statistics_interval_;
  const Duration feed_interval_;
  Duration now_;
  Duration stop_at_ = kNever, report_at_ = kNever, hung_at_ = kNever, feed_at_ = kNever;
  Duration look_at_ = Duration::zero();
  Pulse pulse_;
  Notices notices_;
  ReloadThread reload_;
  bool reload_again_ = false;
  bool stopping_ = false;
};

// The last word about the packets.
void log_the_end(const Probe& probe, bool finished, bool complete, bool quiet) {
  const auto& counters = probe.counters();
  spdlog::log(quiet ? spdlog::level::debug : spdlog::level::info, "statistics: {}", counters_line(counters));
  const auto final = account(counters);
  if (!complete)
    spdlog::warn("ended before everything was exported: {} packets in records not sent", final.in_records_not_sent);
  if (!finished) {
    spdlog::error("accounting: {} packets received, {} of them with the thread that does not end", final.received,
                  final.unaccounted());
  } else if (!final.holds()) {
    spdlog::error("accounting: {} packets received, {} of them unaccounted for; this is a bug", final.received,
                  final.unaccounted());
  }
}

bool counters_written(const std::function<void(const CounterSources&)>& write, const CounterSources& counters) {
  try {
    if (write) write(counters);
    return true;
  } catch (const std::exception& error) {
    spdlog::error("--counters {}", error.what());
    return false;
  }
}

std::string mebibytes(std::size_t octets) {
  return fmt::format("{:.1f} MiB", static_cast<double>(octets) / (1024.0 * 1024.0));
}

}  // namespace

SignalInbox::SignalInbox() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is like a full disk
  sigset_t ours;
  sigemptyset(&ours);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&ours, number);
  checked(::sigprocmask(SIG_BLOCK, &ours, nullptr), "sigprocmask");
  fd_ = UniqueFd{checked(::signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd")};
}

int SignalInbox::take() noexcept {
  signalfd_siginfo info{};
  return ::read(fd_.get(), &info, sizeof(info)) == sizeof(info) ? static_cast<int>(info.ssi_signo) : 0;
}

ExitStatus serve(Probe& probe, SignalInbox& signals, const ServiceSettings& settings) {
  ServiceManager manager;
  Watch watch{probe, signals, manager, settings};
  const bool finished = watch.until_finished();
  const bool complete = finished && probe.finish();
  manager.stopping("Ended");
  log_the_end(probe, finished, complete, settings.quiet);
  const bool written = counters_written(settings.write_counters, probe.counters());
  if (!finished) {
    spdlog::critical("a thread does not end; leaving without it");
    std::_Exit(static_cast<int>(ExitStatus::failure));
  }
  watch.leave_if_reload_hangs(ExitStatus::ok);
  if (const auto line = probe.failure(); !line.empty()) throw StartError{ExitStatus::failure, line};
  return written && !probe.outputs_failed() ? ExitStatus::ok : ExitStatus::failure;
}

std::string source_of_settings(const Invocation& invocation) {
  if (invocation.config_file.empty()) return "no file";
  return std::filesystem::absolute(invocation.config_file);
}

std::string start_line(const Invocation& invocation, const Probe& probe, std::uint16_t fanout_id,
                       const std::string& sharing) {
  const auto& config = invocation.config;
  const bool live = invocation.read_file.empty();
  std::string line = fmt::format("chompy-probe {}: ", WHITEOWL_VERSION);
  if (live) {
    line += fmt::format("capturing on {}, {} worker{}", joined(config.capture.interfaces), probe.workers(),
                        probe.workers() == 1 ? "" : "s");
    if (!sharing.empty()) line += fmt::format(", fanout group {} ({})", fanout_id, sharing);
  } else {
    line += fmt::format("reading {}", invocation.read_file == "-" ? "standard input" : invocation.read_file);
  }
  line += fmt::format("; memory fixed from here on: rings {}, flow tables {}", mebibytes(probe.ring_octets()),
                      mebibytes(probe.table_octets()));
  std::string outputs = joined(config.exporter.collectors);
  constexpr std::array<std::string_view, 3> kOutputs{"", "standard output (table)", "standard output (JSON)"};
  const auto output = kOutputs[static_cast<std::size_t>(config.exporter.output)];
  if (!output.empty()) outputs += (outputs.empty() ? "" : ", ") + std::string{output};
  line += "; settings from " + source_of_settings(invocation);
  return line + "; records to " + (outputs.empty() ? "nowhere" : outputs);
}

}  // namespace whiteowl
