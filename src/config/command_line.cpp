// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/command_line.hpp"

#include <algorithm>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/nearest.hpp"
#include "whiteowl/config/value.hpp"

namespace whiteowl {

namespace {

[[noreturn]] void refuse_usage(const std::string& line) { throw StartError{ExitStatus::usage, line}; }

const CommandOption* find_option(std::string_view name) {
  if (name == "h") name = "help";
  const auto* const found =
      std::find_if(kCommandOptions.begin(), kCommandOptions.end(), [&](const auto& o) { return o.name == name; });
  return found == kCommandOptions.end() ? nullptr : &*found;
}

[[noreturn]] void refuse_unknown(std::string_view word, std::string_view name) {
  std::vector<std::string_view> names;
  names.reserve(kCommandOptions.size());
  for (const auto& option : kCommandOptions) names.push_back(option.name);
  std::string line = "unknown option " + std::string{word.substr(0, word.find('='))};
  if (const auto near = nearest(name, names); !near.empty())
    line += "; did you mean " + spelling(*find_option(near)) + "?";
  refuse_usage(line);
}

}  // namespace

std::string spelling(const CommandOption& option) { return std::string{option.dashes} + std::string{option.name}; }

std::vector<std::string> normalise_arguments(std::span<const char* const> arguments) {
  std::vector<std::string> normal;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    if (word == "--" && i + 1 == arguments.size()) break;
    if (word == "--") refuse_usage("unexpected argument " + std::string{arguments[i + 1]});
    if (word.size() < 2 || word.front() != '-') refuse_usage("unexpected argument " + std::string{word});
    const std::string_view bare = word.substr(word[1] == '-' ? 2 : 1);
    const auto equals = bare.find('=');
    const CommandOption* const option = find_option(bare.substr(0, equals));
    if (option == nullptr) refuse_unknown(word, bare.substr(0, equals));
    std::string out = "--" + std::string{option->name};
    if (equals != std::string_view::npos) {
      out += bare.substr(equals);
    } else if (!option->argument.empty()) {
      if (i + 1 == arguments.size())
        refuse_usage("option " + std::string{word} + " needs a value: " + spelling(*option) + " " +
                     std::string{option->argument});
      out += "=" + std::string{arguments[++i]};
    }
    normal.push_back(std::move(out));
  }
  return normal;
}

bool parse_switch(const CommandOption& option, std::string_view value) {
  constexpr std::array<std::string_view, 6> kTrue{"1", "t", "T", "true", "True", "TRUE"};
  constexpr std::array<std::string_view, 6> kFalse{"0", "f", "F", "false", "False", "FALSE"};
  if (std::find(kTrue.begin(), kTrue.end(), value) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), value) != kFalse.end()) return false;
  refuse_usage(spelling(option) + "=" + std::string{value} + ": write true or false, or leave it out");
}

}  // namespace whiteowl
