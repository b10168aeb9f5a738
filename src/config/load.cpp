// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/load.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cxxopts.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/base/nearest.hpp"
#include "whiteowl/config/command_line.hpp"
#include "whiteowl/config/reference.hpp"
#include "whiteowl/config/settings.hpp"
#include "whiteowl/ipfix/elements.hpp"
#include "whiteowl/ipfix/mapping.hpp"

namespace whiteowl {

namespace {

// The file ------------------------------------------------------------------------------------------------------------

// Nothing if there is no such file.  Throws StartError for one that cannot be read.
std::optional<std::string> read_text(const std::string& path) {
  constexpr std::size_t kMost = 1 << 20;  // a settings file is small; whatever is larger was named by mistake
  const auto refuse_file = [&](const std::string& why) {
    throw StartError{ExitStatus::configuration, "cannot read the configuration file " + path + ": " + why};
  };
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!file) refuse_file(std::generic_category().message(errno));
  std::string text;
  std::array<char, 65'536> buffer{};
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0) refuse_file(std::generic_category().message(errno));
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kMost) refuse_file("it is larger than 1 MiB");
  }
}

Origin origin_of(const std::string& name, const YAML::Mark& mark) {
  return Origin{.source = name, .line = mark.line + 1, .column = mark.column + 1};
}

// A line for people in place of the parser's, which leaves open what to do.
[[noreturn]] void refuse_syntax(const std::string& text, const std::string& name, const YAML::Exception& error) {
  Origin origin = origin_of(name, error.mark);
  std::string_view line = text;
  for (int i = 1; i < origin.line && line.find('\n') != std::string_view::npos; ++i)
    line.remove_prefix(line.find('\n') + 1);
  const auto indent = std::min(line.find_first_not_of(" \t"), line.size());
  if (const auto tab = line.substr(0, indent).find('\t'); tab != std::string_view::npos) {
    origin.column = static_cast<int>(tab) + 1;
    refuse(origin, {}, "a tab indents this line; YAML wants spaces");
  }
  refuse(origin, {},
         "not valid YAML (" + error.msg +
             "); check the indentation, and quote values that contain any of [ ] { } : # & * ! %");
}

YAML::Node parse_document(const std::string& text, const std::string& name) {
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(text);
  } catch (const YAML::Exception& error) {
    refuse_syntax(text, name, error);
  }
  if (documents.size() > 1)
    refuse(origin_of(name, documents[1].Mark()), {},
           "a second document begins here; the settings are one, without ---");
  return documents.empty() ? YAML::Node{} : documents.front();
}

// A map's keys with their values, in order.  yaml-cpp keeps duplicates and takes << for a key.
template <typename Function>
void for_each_key(const YAML::Node& map, const std::string& name, const std::string& block, const Function& function) {
  std::map<std::string, int> lines;
  for (const auto& pair : map) {
    const Origin origin = origin_of(name, pair.first.Mark());
    if (!pair.first.IsScalar()) refuse(origin, block, "the name of a setting is wanted here");
    const std::string& word = pair.first.Scalar();
    if (word == "<<") refuse(origin, block, "merge keys (<<) are not supported; write the settings out");
    std::string key = block;
    if (!block.empty()) key += '.';
    key += word;
    if (const auto [first, is_new] = lines.emplace(word, origin.line); !is_new)
      refuse(origin, key, "this stands in line " + std::to_string(first->second) + " already");
    function(key, origin, pair.second);
  }
}

// What yaml-cpp takes for a tag is a value whose quotes were forgotten: !tcp.  "?" and "!" are its words for no tag.
void refuse_tag(const YAML::Node& node, const std::string& name, const Option& option) {
  if (!node.Tag().empty() && node.Tag() != "?" && node.Tag() != "!")
    refuse(origin_of(name, node.Mark()), option.key, "a value that begins with ! must stand in quotes");
}

SettingValue value_of(const YAML::Node& node, const std::string& name, const Option& option) {
  if (node.IsScalar()) return scalar(node.Scalar());
  SettingValue value{.items = {}, .is_list = true};
  for (const auto& item : node) {
    refuse_tag(item, name, option);
    if (!item.IsScalar()) refuse(origin_of(name, item.Mark()), option.key, "a list of single values is wanted here");
    value.items.push_back(item.Scalar());
  }
  return value;
}

void apply_setting(Settings& settings, const std::string& name, const std::string& key, const Origin& key_origin,
                   const YAML::Node& node) {
  const Option& option = Settings::find(key, key_origin);
  // The mark of a missing value is that of whatever comes next, so the key is shown.
  if (node.IsNull()) refuse(key_origin, key, "the value is missing; write one, \"\" for none, or remove the line");
  refuse_tag(node, name, option);
  const Origin origin = origin_of(name, node.Mark());
  if (node.IsMap()) refuse(origin, key, "a value is wanted here, not settings of its own");
  try {
    settings.set(option, value_of(node, name, option), origin);
  } catch (const BadValue& bad) {
    refuse(node.IsSequence() && bad.item() < node.size() ? origin_of(name, node[bad.item()].Mark()) : origin, key,
           bad.what());
  }
}

void apply_yaml(Settings& settings, const std::string& text, const std::string& name) {
  const YAML::Node root = parse_document(text, name);
  if (root.IsNull()) return;  // empty, or comments only
  if (!root.IsMap())
    refuse(origin_of(name, root.Mark()), {}, "blocks of settings are wanted here, such as \"capture:\"");
  for_each_key(root, name, "", [&](const std::string& block, const Origin& origin, const YAML::Node& node) {
    if (std::none_of(kOptions.begin(), kOptions.end(), [&](const Option& o) { return o.block() == block; }))
      Settings::refuse_block(block, origin);
    if (node.IsNull()) return;  // all its settings are commented out
    if (!node.IsMap())
      refuse(origin_of(name, node.Mark()), block, "settings are wanted here, each indented on a line of its own");
    for_each_key(node, name, block, [&](const std::string& key, const Origin& key_origin, const YAML::Node& value) {
      apply_setting(settings, name, key, key_origin, value);
    });
  });
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

// In the order of the command line, so that the later of two words about one setting counts.
void apply_command_line(Settings& settings, const std::vector<Given>& given) {
  for (const auto& [option, value] : given) {
    if (option->name == "interface") settings.set_from_command_line("capture.interface", value, "-interface");
    if (option->name == "filter") settings.set_from_command_line("capture.bpf_filter", value, "--filter");
    if (option->name == "collector") apply_collector(settings, value);
    if (option->name == "set") apply_set(settings, value);
    if (option->name == "debug" && parse_switch(*option, value))
      settings.set_from_command_line("log.level", "debug", "-debug");
  }
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

std::string apply_file(Settings& settings, const std::vector<Given>& given, const std::string& instance,
                       const Surroundings& surroundings) {
  if (const Given* const named = last(given, "config"); named != nullptr) {
    const auto text = read_text(named->value);
    if (!text)
      throw StartError{ExitStatus::configuration,
                       "cannot read the configuration file " + named->value + ": there is no such file"};
    apply_yaml(settings, *text, named->value);
    return named->value;
  }
  const auto usual =
      instance.empty() ? surroundings.config_files : std::vector<std::string>{instance_file(instance, surroundings)};
  for (const auto& file : usual) {
    if (const auto text = read_text(file); text) {
      apply_yaml(settings, *text, file);
      return file;
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
  Settings settings;
  apply_yaml(settings, yaml, name);
  (void)settings.compile_filter({});
  return settings.finish();
}

Config load_config_file(const std::string& path) {
  const auto text = read_text(path);
  if (!text)
    throw StartError{ExitStatus::configuration,
                     "cannot read the configuration file " + path + ": there is no such file"};
  return load_config_text(*text, path);
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
  const std::string instance = instance_name(given);
  invocation.config_file = apply_file(settings, given, instance, surroundings);
  apply_command_line(settings, given);
  apply_instance(settings, instance);
  invocation.config = settings.finish();
  invocation.filter = last(given, "read") == nullptr ? settings.compile_filter(surroundings.filter_patience)
                                                     : settings.compile_file_filter(surroundings.filter_patience);
  if (switched_on(given, "check-config")) {
    invocation.action = Action::check_config;
    invocation.text = verdict(invocation);
  } else if (switched_on(given, "print-config")) {
    invocation.action = Action::print_and_exit;
    invocation.text = settings_text(settings);
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
