// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/settings.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "whiteowl/base/nearest.hpp"
#include "whiteowl/capture/ring_source.hpp"
#include "whiteowl/ipfix/elements.hpp"
#include "whiteowl/ipfix/template.hpp"

namespace whiteowl {

namespace {

std::size_t row(const Option& option) { return static_cast<std::size_t>(&option - kOptions.data()); }

const Option& at(std::string_view key) {
  return *std::find_if(kOptions.begin(), kOptions.end(), [&](const Option& o) { return o.key == key; });
}

const Option* named(std::string_view block, std::string_view name) {
  const auto* const found = std::find_if(kOptions.begin(), kOptions.end(), [&](const Option& o) {
    return (block.empty() || o.block() == block) && o.name() == name;
  });
  return found == kOptions.end() ? nullptr : found;
}

// The right key to a wrong one: the same name in another block, or the nearest name, first in the block that was meant.
std::string_view suggestion(std::string_view key) {
  const auto dot = key.find('.');
  const std::string_view block = dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot);
  const std::string_view name = dot == std::string_view::npos ? key : key.substr(dot + 1);
  if (const Option* const elsewhere = named({}, name); elsewhere != nullptr) return elsewhere->key;
  std::vector<std::string_view> here;
  std::vector<std::string_view> everywhere;
  std::vector<std::string_view> keys;
  for (const Option& option : kOptions) {
    if (option.block() == block) here.push_back(option.name());
    everywhere.push_back(option.name());
    keys.push_back(option.key);
  }
  if (const auto near = nearest(name, here); !near.empty()) return named(block, near)->key;
  if (const auto near = nearest(name, everywhere); !near.empty()) return named({}, near)->key;
  return here.empty() ? nearest(key, keys) : std::string_view{};
}

std::string did_you_mean(const std::string& what, std::string_view near) {
  if (near.empty()) return what + "; --print-config lists them all";
  return what + "; did you mean " + std::string{near} + "?";
}

}  // namespace

void refuse(const Origin& origin, std::string_view key, const std::string& why) {
  std::string line = origin.source;
  if (origin.line > 0) line += ":" + std::to_string(origin.line) + ":" + std::to_string(origin.column);
  if (origin.source == "--set") {
    line += " " + std::string{key} + ": ";
  } else if (origin.line > 0 && !key.empty()) {
    line += ": " + std::string{key} + ": ";
  } else {
    line += ": ";
  }
  throw StartError{ExitStatus::configuration, line + why};
}

SettingsError::SettingsError(std::vector<std::string> lines)
    : StartError{ExitStatus::configuration, lines.front()}, lines_{std::move(lines)} {
  if (lines_.size() <= kMostLines) return;
  const std::size_t more = lines_.size() - kMostLines;
  lines_.resize(kMostLines);
  lines_.push_back("and " + std::to_string(more) + (more == 1 ? " more mistake" : " more mistakes"));
}

void Mistakes::throw_if_any() const {
  if (!lines_.empty()) throw SettingsError{lines_};
}

std::string Origin::text() const {
  if (source.empty()) return "default";
  if (line > 0) return source + ":" + std::to_string(line);
  return "command line (" + source + ")";
}

Settings::Settings() {
  for (const Option& option : kOptions) {
    const bool empty_list = option.default_text == "[]";
    const bool empty_text = option.default_text == "\"\"";
    const SettingValue value = empty_list ? SettingValue{.items = {}, .is_list = true}
                                          : scalar(empty_text ? "" : std::string{option.default_text});
    option.set(config_, value, option.limits);
  }
}

const Option& Settings::find(std::string_view key, const Origin& origin) {
  const auto* const found =
      std::find_if(kOptions.begin(), kOptions.end(), [&](const Option& o) { return o.key == key; });
  if (found != kOptions.end()) return *found;
  refuse(origin, key, did_you_mean("there is no such setting", suggestion(key)));
}

void Settings::refuse_block(std::string_view block, const Origin& origin) {
  std::vector<std::string_view> blocks;
  std::string_view near;
  for (const Option& option : kOptions) {
    if (option.name() == block) near = option.key;
    if (blocks.empty() || blocks.back() != option.block()) blocks.push_back(option.block());
  }
  if (near.empty()) near = nearest(block, blocks);
  refuse(origin, block, did_you_mean("there is no such block of settings", near));
}

void Settings::set(const Option& option, const SettingValue& value, const Origin& origin) {
  option.set(config_, value, option.limits);
  origins_[row(option)] = origin;
}

void Settings::set_from_command_line(std::string_view key, const std::string& text, std::string_view flag) {
  const Origin origin{.source = std::string{flag}};
  const Option& option = find(key, origin);
  try {
    set(option, scalar(text), origin);
  } catch (const BadValue& bad) {
    Mistakes mistakes;
    for (const auto& item : bad.items()) mistakes.collect([&] { refuse(origin, key, item.why); });
    mistakes.throw_if_any();
  }
}

const Origin& Settings::origin(const Option& option) const { return origins_[row(option)]; }

void Settings::check_relations() const {
  // Of two settings that do not go together, the later word is the one to point at.
  Mistakes mistakes;
  const auto refuse_at = [&](std::string_view key, const std::string& why) {
    mistakes.collect([&] { refuse(origin(at(key)), key, why); });
  };
  constexpr std::size_t kMostInterfaces = 64;
  const std::size_t interfaces = config_.capture.interfaces.size();
  const std::size_t indexes = config_.flow.interface_index.size();
  if (interfaces > kMostInterfaces)
    refuse_at("capture.interface",
              "at most " + std::to_string(kMostInterfaces) + " interfaces can be captured on together");
  if (indexes == 0) refuse_at("export.interface_index", "a number is wanted");
  if (indexes > 1 && interfaces > 0 && indexes != interfaces)
    refuse_at("export.interface_index",
              "there are " + std::to_string(indexes) + " numbers for " + std::to_string(interfaces) +
                  (interfaces == 1 ? " interface" : " interfaces") + "; give one for all, or one for each");
  if (const std::string why = check_fields(config_.ipfix.fields); !why.empty()) refuse_at("export.fields", why);
  constexpr std::uint32_t kReverse = 29'305;
  if (config_.ipfix.enterprise_number == kReverse)
    refuse_at("export.enterprise_number", "29305 marks reverse elements (RFC 5103) and cannot be ours");
  mistakes.throw_if_any();
}

void Settings::try_filter(const std::function<void()>& compile) const {
  try {
    compile();
  } catch (const StartError& error) {
    if (error.status() != ExitStatus::configuration) throw;
    const Origin& where = origin(at("capture.bpf_filter"));
    // The option does not say the setting's name.
    refuse(where, "capture.bpf_filter",
           (where.source == "--filter" ? "capture.bpf_filter: " : "") + std::string{error.what()});
  }
}

std::shared_ptr<FilterPrograms> Settings::compile_filter(const FilterPatience& patience) const {
  const CaptureSettings& capture = config_.capture;
  auto filter = std::make_shared<FilterPrograms>(capture.bpf_filter, capture.snap_len, capture.interfaces);
  try_filter([&] { filter->prepare(patience); });
  return filter;
}

std::shared_ptr<FilterPrograms> Settings::compile_file_filter(const FilterPatience& patience) const {
  constexpr std::uint32_t kEthernet = 1;  // LINKTYPE_
  auto filter = std::make_shared<FilterPrograms>(config_.capture.bpf_filter);
  if (!filter->empty()) try_filter([&] { (void)filter->for_file(kEthernet, false, patience); });
  return filter;
}

Config Settings::finish() const {
  check_relations();
  Config config = config_;
  config.ipfix.tcp_fields = config.tcp.track;
  config.tcp.extended = needs_extended_tcp(config.ipfix);
  config.flow.biflow = config.ipfix.biflow;
  if (!config.collector_ip.empty()) {
    const HostPort first{.host = config.collector_ip, .port = config.exporter.default_port};
    config.exporter.collectors.insert(config.exporter.collectors.begin(), to_text(first));
  }
  return config;
}

}  // namespace whiteowl
