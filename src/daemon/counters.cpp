// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/counters.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"
#include "whiteowl/exporter/output_file.hpp"

namespace whiteowl {
namespace {

constexpr std::array<std::string_view, 7> kAlwaysInLine = {"packets_received", "packets_dropped", "packets_metered",
                                                           "packets_in_table", "conversations",   "records_sent",
                                                           "records_not_sent"};

std::string discarded_json(const CounterSources& sources) {
  std::string text = "{";
  for (std::size_t i = 1; i < kDiscardCount; ++i) {  // 0 is no reason
    text += i == 1 ? "\"" : ", \"";
    text += kDiscardNames[i];
    text += "\": " + std::to_string(packets_discarded(sources, static_cast<Discard>(i)));
  }
  return text + "}";
}

// Linux lets an interface's name hold quotes and backslashes; the source of the counters has escaped what is no text.
std::string json_text(const std::string& name) {
  std::string text;
  for (const char c : name) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

std::string interfaces_json(const CounterSources& sources) {
  std::string text;
  for (std::size_t i = 0; i < interface_count(sources); ++i) {
    text += i == 0 ? "\n    \"" : ",\n    \"";
    text += json_text(interface_name(sources, i)) + "\": {";
    for (const auto& row : kInterfaceCounterTable) {
      text += &row == kInterfaceCounterTable.data() ? "\"" : ", \"";
      text += row.name;
      text += "\": " + std::to_string(interface_sum(sources, i, row.member));
    }
    text += "}";
  }
  return "{" + text + "}";
}

// A regular file, a link to one, or none yet.  A link is replaced, not followed: a stranger may have set it.  What the
// kernel shows under /dev and /proc is written into, even if it leads to a file: to replace that would only replace the
// name.
bool is_replaced(const std::string& path) {
  if (path.starts_with("/dev/") || path.starts_with("/proc/")) return false;
  struct stat status {};
  return ::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode);
}

void write_into(const std::string& path, std::string_view text) {
  constexpr int kPatienceMs = 5000;
  OutputFile file{path};
  const Duration end = std::chrono::steady_clock::now().time_since_epoch() + std::chrono::milliseconds{kPatienceMs};
  for (;;) {
    const auto taken = file.write(text.data(), text.size());
    text.remove_prefix(taken.octets);
    const bool wait = taken.error == EAGAIN && std::chrono::steady_clock::now().time_since_epoch() < end;
    if (taken.error != 0 && !wait) throw std::system_error{taken.error, std::generic_category(), path};
    if (!wait) break;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  if (const int error = file.close(); error != 0) throw std::system_error{error, std::generic_category(), path};
}

// A new file in the folder of another, under a name that nobody can know before; gone again unless it is kept.
class Beside {
 public:
  explicit Beside(std::string path)
      : name_{path + '.' + std::to_string(std::random_device{}())},
        path_{std::move(path)},
        file_{checked(::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644),
                      path_.c_str())} {}
  ~Beside() {
    if (!kept_) ::unlink(name_.c_str());
  }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;

  void write(std::string_view text) {
    while (!text.empty()) {
      const auto written = ::write(file_.get(), text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      checked(written, path_.c_str());
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::close(file_.release()) != 0 && errno != EINTR) checked(-1, path_.c_str());
  }
  void keep() noexcept { kept_ = true; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  std::string name_, path_;
  UniqueFd file_;
  bool kept_ = false;
};

}  // namespace

Accounting account(const CounterSources& sources) noexcept {
  using namespace counter_place;
  return {.received = capture<&CaptureCounters::packets_received>(sources),
          .filtered = capture<&CaptureCounters::packets_filtered>(sources),
          .discarded = all_discarded(sources),
          .in_records_sent = exporter<&ExportCounters::packets_in_records_sent>(sources),
          .in_records_not_sent = queue<&QueueCounters::packets_in_records_not_sent>(sources) +
                                 exporter<&ExportCounters::packets_in_records_not_sent>(sources),
          .in_table = meter<&MeterCounters::packets_in_table>(sources)};
}

// A file's packets of a link type that is not decoded stay in the source: no frame could carry them.
std::uint64_t packets_discarded(const CounterSources& sources, Discard reason) noexcept {
  std::uint64_t sum = 0;
  for (const auto& reader : sources.readers) {
    sum += reader.classifier->packets_discarded[static_cast<std::size_t>(reason)].get();
    if (reason == Discard::unsupported_link) sum += reader.capture->packets_unsupported.get();
  }
  return sum;
}

namespace counter_place {

std::uint64_t all_discarded(const CounterSources& sources) {
  std::uint64_t sum = 0;
  for (std::size_t i = 1; i < kDiscardCount; ++i) sum += packets_discarded(sources, static_cast<Discard>(i));
  return sum;
}

// Numbers read one after the other while packets pass may differ by more than is pending: then 0 is the better answer.
std::uint64_t pending(const CounterSources& sources) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, account(sources).unaccounted()));
}

}  // namespace counter_place

std::string counters_json(const CounterSources& sources) {
  std::string text = "{";
  for (const auto& row : kCounterTable) {
    text += &row == kCounterTable.data() ? "\n  \"" : ",\n  \"";
    text += row.name;
    text += "\": ";
    text += row.kind == CounterKind::by_reason ? discarded_json(sources) : std::to_string(row.read(sources));
  }
  if (interface_count(sources) != 0) text += ",\n  \"interfaces\": " + interfaces_json(sources);
  return text + "\n}\n";
}

std::string counters_line(const CounterSources& sources) {
  std::string text;
  const auto add = [&text](std::string_view name, std::uint64_t value) {
    if (!text.empty()) text += ' ';
    text += name;
    text += '=' + std::to_string(value);
  };
  for (const auto& row : kCounterTable) {
    const auto value = row.read(sources);
    if (value == 0 && std::find(kAlwaysInLine.begin(), kAlwaysInLine.end(), row.name) == kAlwaysInLine.end()) continue;
    add(row.name, value);
    if (row.kind != CounterKind::by_reason) continue;
    for (std::size_t i = 1; i < kDiscardCount; ++i) {
      const auto discarded = packets_discarded(sources, static_cast<Discard>(i));
      if (discarded != 0) add(std::string{row.name} + '.' + std::string{kDiscardNames[i]}, discarded);
    }
  }
  for (std::size_t i = 0; interface_count(sources) > 1 && i < interface_count(sources); ++i) {
    const std::string& name = interface_name(sources, i);
    add(name + ".packets_received", interface_sum(sources, i, &InterfaceCounters::packets_received));
    add(name + ".packets_dropped", interface_sum(sources, i, &InterfaceCounters::packets_dropped));
  }
  return text;
}

std::size_t interface_count(const CounterSources& sources) noexcept {
  return sources.readers.empty() ? 0 : sources.readers.front().interfaces.size();
}

const std::string& interface_name(const CounterSources& sources, std::size_t interface) noexcept {
  return sources.readers.front().interfaces[interface].name;
}

std::uint64_t interface_sum(const CounterSources& sources, std::size_t interface,
                            Counter InterfaceCounters::*member) noexcept {
  std::uint64_t sum = 0;
  for (const auto& reader : sources.readers) sum += (reader.interfaces[interface].*member).get();
  return sum;
}

void write_counters(const std::string& path, const CounterSources& sources) {
  const std::string text = counters_json(sources);
  if (!is_replaced(path)) return write_into(path, text);
  Beside beside{path};
  beside.write(text);
  checked(std::rename(beside.name().c_str(), path.c_str()), path.c_str());
  beside.keep();
}

void check_counters_file(const std::string& path) {
  const auto refuse = [&path](const std::string& why) {
    throw StartError{ExitStatus::failure, "--counters " + path + ": " + why};
  };
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) refuse("this is a folder; name a file in it");
  if (!is_replaced(path)) {
    // Not opened, for whoever reads a pipe would see its end.
    if (::access(path.c_str(), W_OK) != 0) refuse(std::generic_category().message(errno));
    return;
  }
  try {
    const Beside beside{path};
  } catch (const std::system_error& failed) {
    refuse("no file can be made there: " + failed.code().message());
  }
}

}  // namespace whiteowl
