// SPDX-License-Identifier: Apache-2.0
// The wiring diagram: options -> settings -> probe -> wait.  The one place where a failure becomes an exit status.
#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/memory_room.hpp"
#include "whiteowl/base/standard_streams.hpp"
#include "whiteowl/base/text.hpp"
#include "whiteowl/capture/fanout.hpp"
#include "whiteowl/capture/interfaces.hpp"
#include "whiteowl/capture/kept_rings.hpp"
#include "whiteowl/capture/ring_source.hpp"
#include "whiteowl/config/load.hpp"
#include "whiteowl/config/reference.hpp"
#include "whiteowl/config/settings.hpp"
#include "whiteowl/daemon/counters_file.hpp"
#include "whiteowl/daemon/logging.hpp"
#include "whiteowl/daemon/manager.hpp"
#include "whiteowl/daemon/memory_need.hpp"
#include "whiteowl/daemon/metrics.hpp"
#include "whiteowl/daemon/privileges.hpp"
#include "whiteowl/daemon/probe.hpp"
#include "whiteowl/daemon/reload.hpp"
#include "whiteowl/daemon/service.hpp"
#include "whiteowl/daemon/system_call_filter.hpp"
#include "whiteowl/exporter/collector.hpp"
#include "whiteowl/exporter/opened_files.hpp"

namespace whiteowl {
namespace {

bool to_journal(int fd) { return is_journal(fd, std::getenv("JOURNAL_STREAM")); }

// One line for whoever started us; under systemd it is an error in the journal.
int refuse(ExitStatus status, const std::string& line) {
  std::fprintf(stderr, "%schompy-probe: %s\n", to_journal(STDERR_FILENO) ? "<3>" : "", one_line(line).c_str());
  if (status == ExitStatus::usage) std::fputs(usage_text().c_str(), stderr);
  return static_cast<int>(status);
}

// Printed text that nobody could read is a failure of what was asked for; a reader who has seen enough is not.
ExitStatus print(const std::string& text, const ClosedStreams& closed) {
  if (closed.output) throw StartError{ExitStatus::failure, "standard output is closed: there is nowhere to print to"};
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return ExitStatus::ok;
  if (errno == EPIPE) return ExitStatus::ok;
  throw std::system_error{errno, std::generic_category(), "standard output"};
}

// A service starts at boot, maybe before its interface is there; a person would rather be told of the typing error.
bool under_systemd() {
  return to_journal(STDERR_FILENO) || to_journal(STDOUT_FILENO) || std::getenv("NOTIFY_SOCKET") != nullptr;
}

// Super-segments are counted as the single packets that they pose as.
void warn_of_merged_packets(const CaptureSettings& settings) {
  for (const auto& name : settings.interfaces) {
    const auto features = super_segment_features(name);
    if (!features.any()) continue;
    const char* which = features.gro && features.lro ? "GRO and LRO" : features.gro ? "GRO" : "LRO";
    spdlog::warn(
        "{}: {} merges packets before they are seen, so packet counts and round-trip times blur; turn off with "
        "ethtool -K {} gro off lro off",
        name, which, name);
  }
}

void warn_of_parted_directions(const Config& config) {
  if (keeps_directions_together(config.capture.fanout_mode, config.decode.inner)) return;
  spdlog::warn(
      "capture.fanout_mode: this mode does not promise that both directions of a conversation meet in one worker, "
      "without which TCP is measured in part only; auto does (the counter conversations_one_way tells)");
}

bool is_pipe_or_terminal(int fd) {
  // Only these have a reader that can go away; a poll on a file would always be ready.
  struct pollfd watched {
    fd, 0, 0
  };
  return ::lseek(fd, 0, SEEK_CUR) < 0 && ::poll(&watched, 1, 0) >= 0 && (watched.revents & POLLNVAL) == 0;
}

// What the service manager kept of the process before goes on where it fits; what does not is given back.
RingHeritage take_heritage(const CaptureSettings& settings, bool live, std::shared_ptr<FilterPrograms> filter) {
  RingHeritage heritage{
      .store = {.order = std::make_shared<JoinOrder>(settings.interfaces.size(), worker_count(settings)),
                .keep = &ServiceManager::keep,
                .forget = &ServiceManager::forget},
      .inherited = {}};
  auto kept = ServiceManager::kept();
  if (kept.empty() || !live) return heritage;
  heritage.inherited = inherit_rings(settings, worker_count(settings), std::move(kept), std::move(filter));
  auto& inherited = heritage.inherited;
  for (const auto& name : inherited.taken) spdlog::info("{}: going on with the rings of the process before", name);
  for (const auto& remark : inherited.remarks) spdlog::warn("{}", remark);
  for (const auto& ring : inherited.refused) ServiceManager::forget(ring.name);
  if (!inherited.refused.empty()) {
    // Until both copies are closed they are members of their group and swallow their share of the packets.
    inherited.refused.clear();
    ServiceManager::wait_until_heard();
  }
  return heritage;
}

std::uint16_t fanout_id_for(const CaptureSettings& settings, const Inheritance& inherited) {
  if (inherited.fanout_id != 0) return inherited.fanout_id;
  return settings.fanout_group != 0 ? static_cast<std::uint16_t>(settings.fanout_group) : own_fanout_id();
}

// What nobody can read or write is not asked for in vain.
void require_streams(const Invocation& invocation, const ClosedStreams& closed) {
  const auto refuse_closed = [](const char* why) { throw StartError{ExitStatus::failure, why}; };
  if (closed.input && invocation.read_file == "-") refuse_closed("standard input is closed: there is nothing to read");
  const auto& exporter = invocation.config.exporter;
  const bool flows_to_output =
      exporter.output != StandardOutput::none || std::find(exporter.collectors.begin(), exporter.collectors.end(),
                                                           "file:///dev/stdout") != exporter.collectors.end();
  if (closed.output && flows_to_output)
    refuse_closed("standard output is closed: name a collector or a file for the flows, or use --output none");
}

// What has to be opened by whoever started us.
struct Opened {
  std::optional<CountersFile> counters;
  UniqueFd metrics;
};

void open_outputs(Invocation& invocation, Opened& opened) {
  auto& exporter = invocation.config.exporter;
  exporter.opened = std::make_shared<OpenedFiles>();
  for (const auto& text : exporter.collectors) {
    const Collector collector = parse_collector(text, exporter.default_port);
    if (collector.kind == CollectorKind::file) exporter.opened->open(collector.path);
  }
  if (!invocation.counters_file.empty()) opened.counters.emplace(invocation.counters_file);
  const std::string& listen = invocation.config.metrics.listen;
  if (!listen.empty()) opened.metrics = listen_for_metrics(listen);
}

bool is_regular_file(const std::string& path) {
  struct stat status {};
  return !path.empty() && ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// Said now, as nobody may be there when the reload comes.
void require_readable(const std::string& settings_file) {
  const UniqueFd file{::open(settings_file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file) return;
  throw StartError{ExitStatus::configuration,
                   settings_file + ": a reload could not read it any more once privileges are dropped (" +
                       std::strerror(errno) + "); chown or chmod it for " + name_of_own_user() +
                       ", or name another user in process.user"};
}

// What is said of it when everything else is in order: a mistake is one line.
struct Rights {
  std::string kept;       // empty: nothing was given up
  std::string no_filter;  // why system calls are not filtered
};

Rights give_up_privileges(const Invocation& invocation, bool live) {
  const Config& config = invocation.config;
  if (!config.process.sandbox) return {};
  const bool read_again = live && is_regular_file(invocation.config_file);
  Rights rights;
  rights.kept = drop_privileges({.user = config.process.user, .capture = live});
  rights.no_filter = install_system_call_filter({.packet_sockets = live});
  if (read_again) require_readable(invocation.config_file);
  return rights;
}

void tell(const Rights& rights, spdlog::level::level_enum level) {
  if (!rights.kept.empty()) spdlog::log(level, "{}", rights.kept);
  if (!rights.no_filter.empty()) spdlog::warn("no filter of system calls here: {}; going on without", rights.no_filter);
}

ExitStatus capture(Invocation invocation, std::span<const char* const> arguments) {
  if (!invocation.counters_file.empty()) check_counters_file(invocation.counters_file);
  const bool live = invocation.read_file.empty();
  auto& config = invocation.config;
  config.capture.wait_for_interface = under_systemd();
  RingHeritage heritage = take_heritage(ring_settings(config), live, invocation.filter);
  const auto fanout_id = fanout_id_for(config.capture, heritage.inherited);
  require_memory(config, live ? InputKind::live : InputKind::file, memory_room(),
                 heritage.inherited.sockets.empty() ? Rings::to_be_made : Rings::there);
  // Opening may wait for the first octets of standard input: until then a signal just ends the program.
  Opened opened;
  Rights rights;
  auto inputs = open_inputs(invocation, fanout_id, std::move(heritage), [&] {
    open_outputs(invocation, opened);
    rights = give_up_privileges(invocation, live);
  });
  const std::string sharing = inputs.front().sharing;
  SignalInbox signals;
  Probe probe{config, std::move(inputs), live ? InputKind::live : InputKind::file};

  const bool only_to_stdout = config.exporter.output != StandardOutput::none && config.exporter.collectors.empty();
  const bool quiet = !live && config.exporter.output == StandardOutput::table;
  const auto level = quiet ? spdlog::level::debug : spdlog::level::info;
  tell(rights, level);
  spdlog::log(level, "{}", start_line(invocation, probe, fanout_id, sharing));
  if (quiet && invocation.file_was_found) spdlog::info("settings from {}", source_of_settings(invocation));
  if (live) warn_of_merged_packets(config.capture);
  if (!sharing.empty()) warn_of_parted_directions(config);
  const std::string subject = live ? joined(config.capture.interfaces) : invocation.read_file;
  std::optional<MetricsPage> page;
  if (opened.metrics) page.emplace(std::move(opened.metrics), probe.counters());
  Reloader reloader{{arguments.begin(), arguments.end()}, config, probe};
  return serve(
      probe, signals,
      {.statistics_interval = config.log.statistics_interval,
       .run_for = invocation.duration,
       .watch_output = only_to_stdout && is_pipe_or_terminal(STDOUT_FILENO),
       .quiet = quiet,
       .hardware_stamps = live && config.capture.timestamps == TimeStamps::hardware,
       .subject = subject,
       .write_counters = opened.counters ? [&opened](const CounterSources& sources) { opened.counters->write(sources); }
                                         : std::function<void(const CounterSources&)>{},
       .reload = live ? [&reloader](int cancel_fd) { return reloader.reload(cancel_fd); } : ReloadThread::Work{}});
}

ExitStatus run(std::span<const char* const> arguments, const ClosedStreams& closed) {
  Invocation invocation = parse_invocation(arguments);
  switch (invocation.action) {
    case Action::print_and_exit:
    case Action::check_config:
      return print(invocation.text, closed);
    case Action::list_interfaces:
      return print(interface_table(list_interfaces()), closed);
    case Action::run:
      break;
  }
  set_up_logging(invocation.config.log.level, to_journal(STDERR_FILENO) ? LogStyle::journal : LogStyle::dated);
  require_streams(invocation, closed);
  return capture(std::move(invocation), arguments);
}

}  // namespace
}  // namespace whiteowl

int main(int count, char** words) {
  using namespace whiteowl;
  const auto arguments =
      std::span<const char* const>{words, static_cast<std::size_t>(count)}.subspan(count > 0 ? 1 : 0);
  try {
    const ClosedStreams closed = open_closed_streams();
    return static_cast<int>(run(arguments, closed));
  } catch (const SettingsError& error) {
    for (const auto& line : error.lines()) refuse(error.status(), line);
    return static_cast<int>(error.status());
  } catch (const StartError& error) {
    return refuse(error.status(), error.what());
  } catch (const std::system_error& error) {
    const bool not_permitted = error.code() == std::errc::operation_not_permitted;
    return refuse(not_permitted ? ExitStatus::no_permission : ExitStatus::failure, error.what());
  } catch (const std::bad_alloc&) {
    return refuse(ExitStatus::failure, "not enough memory: lower flow.max_flows or capture.buffer_size_mb");
  } catch (const std::exception& error) {
    return refuse(ExitStatus::failure, error.what());
  }
}
