// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/counters.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"

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

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = checked(::write(fd, text.data(), text.size()), "writing the counters");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

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
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    const UniqueFd device{checked(::open(path.c_str(), O_WRONLY | O_CLOEXEC), path.c_str())};
    write_all(device.get(), text);
    return;
  }
  const std::string beside = path + ".new";
  {
    const UniqueFd file{
        checked(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), beside.c_str())};
    write_all(file.get(), text);
  }
  checked(std::rename(beside.c_str(), path.c_str()), path.c_str());
}

}  // namespace whiteowl
