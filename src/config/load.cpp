// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/load.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cxxopts.hpp>
#include <filesystem>
#include <map>
#include <optional>

#include "whiteowl/config/command_line.hpp"
#include "whiteowl/config/reference.hpp"
#include "whiteowl/config/settings.hpp"
#include "whiteowl/config/settings_file.hpp"
#include "whiteowl/ipfix/elements.hpp"
#include "whiteowl/ipfix/mapping.hpp"

namespace whiteowl {

namespace {

// The file ------------------------------------------------------------------------------------------------------------

using Kind = YamlNode::Kind;

Origin origin_of(const std::string& name, const YamlNode& node) {
  return Origin{.source = name, .line = node.line, .column = node.column};
}

// A map's keys with their values, in order.  What is wrong with one does not hide the others.
template <typename Function>
void for_each_key(const YamlNode& map, const std::string& name, const std::string& block, Mistakes& mistakes,
                  const Function& function) {
  std::map<std::string, int> lines;
  for (std::size_t i = 0; i + 1 < map.children.size(); i += 2) {
    const YamlNode& written = map.children[i];
    mistakes.collect([&] {
      const Origin origin = origin_of(name, written);
      if (written.kind != Kind::scalar) refuse(origin, block, "the name of a setting is wanted here");
      const std::string& word = written.text;
      if (word == "<<") refuse(origin, block, "merge keys (<<) are not supported; write the settings out");
      std::string key = block;
      if (!block.empty()) key += '.';
      key += word;
      if (const auto [first, is_new] = lines.emplace(word, origin.line); !is_new)
        refuse(origin, key, "this stands in line " + std::to_string(first->second) + " already");
      function(key, origin, map.children[i + 1]);
    });
  }
}

// What YAML takes for a tag is a value whose quotes were forgotten: !tcp.
void refuse_tag(const YamlNode& node, const std::string& name, const Option& option) {
  if (node.tagged) refuse(origin_of(name, node), option.key, "a value that begins with ! must stand in quotes");
}

// Who writes a collector as a map has its parts at hand; else an address for examples.
std::string collector_example(const YamlNode& map) {
  std::string host = "192.0.2.7", port = "2055";
  for (std::size_t i = 0; i + 1 < map.children.size(); i += 2) {
    const std::string& key = map.children[i].text;
    const std::string& value = map.children[i + 1].text;
    if (value.empty()) continue;
    if (key.ends_with("port")) port = value;
    if (key.ends_with("ip") || key.ends_with("host") || key.ends_with("address") || key.ends_with("name")) host = value;
  }
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return "\"udp://" + host + ":" + port + "\"";
}

[[noreturn]] void refuse_map(const YamlNode& map, const std::string& name, const Option& option,
                             const std::string& wanted) {
  const bool is_collector = option.key == "export.collectors";
  refuse(origin_of(name, map), option.key,
         is_collector ? "a collector is one text; write " + collector_example(map) : wanted);
}

SettingValue value_of(const YamlNode& node, const std::string& name, const Option& option) {
  if (node.kind == Kind::scalar) return scalar(node.text);
  SettingValue value{.items = {}, .is_list = true};
  Mistakes mistakes;
  for (const YamlNode& item : node.children) {
    mistakes.collect([&] {
      constexpr const char* kWanted = "a list of single values is wanted here";
      refuse_tag(item, name, option);
      if (item.kind == Kind::map) refuse_map(item, name, option, kWanted);
      if (item.kind != Kind::scalar && item.kind != Kind::null) refuse(origin_of(name, item), option.key, kWanted);
      value.items.push_back(item.text);
    });
  }
  mistakes.throw_if_any();
  return value;
}

void apply_setting(Settings& settings, const std::string& name, const std::string& key, const Origin& key_origin,
                   const YamlNode& node) {
  const Option& option = Settings::find(key, key_origin);
  // The mark of a missing value is that of whatever comes next, so the key is shown.
  if (node.kind == Kind::null)
    refuse(key_origin, key, "the value is missing; write one, \"\" for none, or remove the line");
  refuse_tag(node, name, option);
  if (node.kind == Kind::map) refuse_map(node, name, option, "a value is wanted here, not settings of its own");
  const Origin origin = origin_of(name, node);
  try {
    settings.set(option, value_of(node, name, option), origin);
  } catch (const BadValue& bad) {
    Mistakes mistakes;
    for (const auto& [item, why] : bad.items()) {
      const bool in_list = node.kind == Kind::list && item < node.children.size();
      mistakes.collect([&, at = in_list ? origin_of(name, node.children[item]) : origin, because = why] {
        refuse(at, key, because);
      });
    }
    mistakes.throw_if_any();
  }
}

void apply_yaml(Settings& settings, const YamlNode& root, const std::string& name, Mistakes& mistakes) {
  if (root.kind == Kind::null) return;  // empty, or comments only
  if (root.kind != Kind::map)
    refuse(origin_of(name, root), {}, "blocks of settings are wanted here, such as \"capture:\"");
  const auto apply_block = [&](const std::string& block, const Origin& origin, const YamlNode& node) {
    if (std::none_of(kOptions.begin(), kOptions.end(), [&](const Option& o) { return o.block() == block; }))
      Settings::refuse_block(block, origin);
    if (node.kind == Kind::null) return;  // all its settings are commented out
    if (node.kind != Kind::map)
      refuse(origin_of(name, node), block, "settings are wanted here, each indented on a line of its own");
    for_each_key(node, name, block, mistakes,
                 [&](const std::string& key, const Origin& key_origin, const YamlNode& value) {
                   apply_setting(settings, name, key, key_origin, value);
                 });
  };
  for_each_key(root, name, "", mistakes, apply_block);
}

// The command line ----------------------------------------------------------------------------------------------------

struct Given {
  const CommandOption* option;
  std::string value;
};

std::vector<Given> parse_command_line(std::span<const char* const> arguments) {
  const std::vector<std::string> normal = normalise_arguments(arguments);
  std::vector<const char*> words{"chompy-probe"};
  for (const auto& word : normal) words.push_back(word.c_str());
  cxxopts::Options parser{"chompy-probe"};
  for (const auto& option : kCommandOptions) {
    const auto value = cxxopts::value<std::string>();
    if (option.argument.empty()) value->implicit_value("true");
    parser.add_options()(std::string{option.name}, std::string{option.sentence}, value);
  }
  std::vector<Given> given;
  try {
    const auto result = parser.parse(static_cast<int>(words.size()), words.data());
    for (const auto& pair : result.arguments()) {
      const auto* const option = std::find_if(kCommandOptions.begin(), kCommandOptions.end(),
                                              [&](const auto& o) { return o.name == pair.key(); });
      given.push_back({&*option, pair.value()});
    }
  } catch (const cxxopts::exceptions::exception& error) {
    throw StartError{ExitStatus::usage, error.what()};
  }
  return given;
}

// The last value of an option; null if it was not given.
const Given* last(const std::vector<Given>& given, std::string_view name) {
  const auto found = std::find_if(given.rbegin(), given.rend(), [&](const Given& g) { return g.option->name == name; });
  return found == given.rend() ? nullptr : &*found;
}

std::string value_or_empty(const std::vector<Given>& given, std::string_view name) {
  const Given* const found = last(given, name);
  if (found == nullptr) return {};
  if (found->value.empty()) throw StartError{ExitStatus::usage, spelling(*found->option) + ": no file is named"};
  return found->value;
}

bool switched_on(const std::vector<Given>& given, std::string_view name) {
  const Given* const found = last(given, name);
  return found != nullptr && parse_switch(*found->option, found->value);
}

void apply_collector(Settings& settings, const std::string& text) {
  HostPort collector;
  try {
    if (!text.empty()) collector = parse_host_port(text);
  } catch (const BadValue& bad) {
    refuse(Origin{.source = "-collector"}, {}, bad.what());
  }
  settings.set_from_command_line("export.collector_ip", collector.host, "-collector");
  if (collector.port != 0)
    settings.set_from_command_line("export.collector_port", std::to_string(collector.port), "-collector");
}

void apply_set(Settings& settings, const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw StartError{ExitStatus::usage,
                     "--set " + text + ": write --set KEY=VALUE, such as --set export.active_timeout=30s"};
  settings.set_from_command_line(text.substr(0, equals), text.substr(equals + 1), "--set");
}

void apply_given(Settings& settings, const Given& given) {
  const auto& [option, value] = given;
  if (option->name == "interface") settings.set_from_command_line("capture.interface", value, "-interface");
  if (option->name == "filter") settings.set_from_command_line("capture.bpf_filter", value, "--filter");
  if (option->name == "collector") apply_collector(settings, value);
  if (option->name == "set") apply_set(settings, value);
  if (option->name == "debug" && parse_switch(*option, value))
    settings.set_from_command_line("log.level", "debug", "-debug");
}

// In the order of the command line, so that the later of two words about one setting counts.
void apply_command_line(Settings& settings, const std::vector<Given>& given, Mistakes& mistakes) {
  for (const Given& one : given) mistakes.collect([&] { apply_given(settings, one); });
}

// A value of an option that is no setting: exit 2.
template <typename T>
void read_argument(T& out, const std::vector<Given>& given, std::string_view name, const Limits& limits) {
  const Given* const found = last(given, name);
  if (found == nullptr) return;
  try {
    read_value(out, scalar(found->value), limits);
  } catch (const BadValue& bad) {
    throw StartError{ExitStatus::usage, spelling(*found->option) + ": " + bad.what()};
  }
}

// Names a file and, by default, an interface.
std::string instance_name(const std::vector<Given>& given) {
  const Given* const found = last(given, "instance");
  if (found == nullptr) return {};
  const std::string& name = found->value;
  if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos)
    throw StartError{ExitStatus::usage,
                     "--instance: \"" + name + "\" cannot name an instance; write the part behind the @ of its unit"};
  return name;
}

// What the instance's name says where neither file nor command line do.
void apply_instance(Settings& settings, const std::string& instance) {
  if (instance.empty()) return;
  const auto silent = [&](std::string_view key) { return settings.origin(Settings::find(key, {})).source.empty(); };
  if (silent("capture.interface")) settings.set_from_command_line("capture.interface", instance, "--instance");
  if (silent("export.domain_id"))
    settings.set_from_command_line("export.domain_id", std::to_string(instance_domain_id(instance)), "--instance");
}

// Both together -------------------------------------------------------------------------------------------------------

std::string instance_file(const std::string& instance, const Surroundings& surroundings) {
  return surroundings.instance_folder + "/" + instance + ".yaml";
}

[[noreturn]] void refuse_absent(const std::string& path) {
  throw StartError{ExitStatus::configuration, "cannot read the configuration file " + path + ": there is no such file"};
}

// The file that was read; empty = none.
std::string apply_file(Settings& settings, const std::vector<Given>& given, const std::string& instance,
                       const Surroundings& surroundings, Mistakes& mistakes) {
  if (const Given* const named = last(given, "config"); named != nullptr) {
    const auto root = read_settings_file(named->value, FileChoice::named, surroundings.cancel_fd);
    if (!root) refuse_absent(named->value);
    mistakes.collect([&] { apply_yaml(settings, *root, named->value, mistakes); });
    return named->value;
  }
  const auto usual =
      instance.empty() ? surroundings.config_files : std::vector<std::string>{instance_file(instance, surroundings)};
  for (const auto& file : usual) {
    if (const auto root = read_settings_file(file, FileChoice::found, surroundings.cancel_fd); root) {
      mistakes.collect([&] { apply_yaml(settings, *root, file, mistakes); });
      return std::filesystem::absolute(file);
    }
  }
  return {};
}

// Where the flows go.
void settle_output(Invocation& invocation, const std::vector<Given>& given, const std::string& instance,
                   const Surroundings& surroundings) {
  invocation.write_ipfix = value_or_empty(given, "write-ipfix");
  if (invocation.write_ipfix == "-") invocation.write_ipfix = "/dev/stdout";
  auto& exporter = invocation.config.exporter;
  if (!invocation.write_ipfix.empty())
    exporter.collectors.push_back("file://" + std::filesystem::absolute(invocation.write_ipfix).string());
  exporter.output = exporter.collectors.empty() ? StandardOutput::table : StandardOutput::none;
  invocation.output_given = last(given, "output") != nullptr;
  read_argument(exporter.output, given, "output", one_of(kOutputWords));
  if (invocation.action == Action::run && surroundings.output_is_journal && !invocation.output_given &&
      exporter.output != StandardOutput::none)
    throw StartError{ExitStatus::configuration,
                     "no collector: name one in export.collector_ip" +
                         (instance.empty() ? std::string{} : " of " + instance_file(instance, surroundings)) +
                         " (a service does not print flows into the journal)"};
}

// What only shows when all has been read.  `compile` prepares the filter.
template <typename Compile>
void check_together(const Settings& settings, Mistakes& mistakes, const Compile& compile) {
  // A value that was refused is missing here, and would be blamed on others.
  if (mistakes.empty()) mistakes.collect([&] { settings.check_relations(); });
  mistakes.collect(compile);
  mistakes.throw_if_any();
}

Config load_config_tree(const YamlNode& root, const std::string& name) {
  Settings settings;
  Mistakes mistakes;
  mistakes.collect([&] { apply_yaml(settings, root, name, mistakes); });
  check_together(settings, mistakes, [&] { (void)settings.compile_filter({}); });
  return settings.finish();
}

void require_packets(const Invocation& invocation, const std::vector<Given>& given) {
  if (!invocation.read_file.empty() && last(given, "interface") != nullptr)
    throw StartError{ExitStatus::usage, "-interface and --read exclude each other: packets come from one of them"};
  if (invocation.read_file.empty() && invocation.config.capture.interfaces.empty())
    throw StartError{
        ExitStatus::usage,
        "no interface: name one with -interface IF (-list-interfaces shows them), or read a file with --read FILE"};
}

std::string verdict(const Invocation& invocation) {
  if (invocation.config_file.empty()) return "no configuration file; the settings are in order\n";
  return invocation.config_file + ": the settings are in order\n";
}

std::string source_of(const Invocation& invocation) {
  if (invocation.config_file.empty()) return "There is no configuration file.";
  return "Configuration file: " + invocation.config_file;
}

std::string mapping_text(const std::vector<Given>& given, std::uint32_t enterprise_number) {
  std::string kind = last(given, "print-mapping")->value;
  try {
    kind = kMappingKinds[read_word(scalar(kind), one_of(kMappingKinds))];
  } catch (const BadValue& bad) {
    throw StartError{ExitStatus::usage, "--print-mapping: " + std::string{bad.what()}};
  }
  return collector_mapping(kind, enterprise_number);
}

// What needs no settings.
std::optional<std::string> information(const std::vector<Given>& given) {
  if (switched_on(given, "help")) return help_text();
  if (switched_on(given, "version")) return version_text();
  if (switched_on(given, "list-fields")) return list_fields();
  return std::nullopt;
}

}  // namespace

Surroundings current_surroundings() {
  Surroundings surroundings;
  // systemd names the journal's socket as DEVICE:INODE; the variable alone may have been inherited.  systemd.exec(5).
  const char* const stream = std::getenv("JOURNAL_STREAM");  // NOLINT(concurrency-mt-unsafe): before any thread
  struct stat status {};
  if (stream != nullptr && ::fstat(STDOUT_FILENO, &status) == 0)
    surroundings.output_is_journal = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
  return surroundings;
}

std::uint32_t instance_domain_id(std::string_view instance) noexcept {
  std::uint32_t hash = 2'166'136'261U;
  for (const char c : instance) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16'777'619U;
  return hash < 2 ? hash + 2 : hash;
}

Config default_config() { return Settings{}.finish(); }

Config load_config_text(const std::string& yaml, const std::string& name) {
  return load_config_tree(parse_settings_text(yaml, name), name);
}

Config load_config_file(const std::string& path) {
  const auto root = read_settings_file(path, FileChoice::named);
  if (!root) refuse_absent(path);
  return load_config_tree(*root, path);
}

Invocation parse_invocation(std::span<const char* const> arguments, const Surroundings& surroundings) {
  const std::vector<Given> given = parse_command_line(arguments);
  Invocation invocation;
  if (auto text = information(given); text) {
    invocation.action = Action::print_and_exit;
    invocation.text = std::move(*text);
    invocation.config = default_config();
    return invocation;
  }
  if (switched_on(given, "list-interfaces")) {
    invocation.action = Action::list_interfaces;
    invocation.config = default_config();
    return invocation;
  }
  Settings settings;
  Mistakes mistakes;
  const std::string instance = instance_name(given);
  invocation.config_file = apply_file(settings, given, instance, surroundings, mistakes);
  invocation.file_was_found = !invocation.config_file.empty() && last(given, "config") == nullptr;
  apply_command_line(settings, given, mistakes);
  mistakes.collect([&] { apply_instance(settings, instance); });
  check_together(settings, mistakes, [&] {
    const FilterPatience& patience = surroundings.filter_patience;
    invocation.filter =
        last(given, "read") == nullptr ? settings.compile_filter(patience) : settings.compile_file_filter(patience);
  });
  invocation.config = settings.finish();
  if (switched_on(given, "check-config")) {
    invocation.action = Action::check_config;
    invocation.text = verdict(invocation);
  } else if (switched_on(given, "print-config")) {
    invocation.action = Action::print_and_exit;
    invocation.text = settings_text(settings) + "\n# " + source_of(invocation) + "\n";
  } else if (last(given, "print-mapping") != nullptr) {
    invocation.action = Action::print_and_exit;
    invocation.text = mapping_text(given, invocation.config.ipfix.enterprise_number);
  }
  invocation.read_file = value_or_empty(given, "read");
  invocation.counters_file = value_or_empty(given, "counters");
  read_argument(invocation.duration, given, "duration", at_least(Duration{0}));
  settle_output(invocation, given, instance, surroundings);
  if (invocation.action == Action::run) require_packets(invocation, given);
  return invocation;
}

}  // namespace whiteowl
