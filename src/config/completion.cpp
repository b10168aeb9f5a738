// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/completion.hpp"

#include <string_view>

#include "whiteowl/config/command_line.hpp"
#include "whiteowl/config/options.hpp"
#include "whiteowl/ipfix/mapping.hpp"

namespace whiteowl {

namespace {

std::string joined(std::span<const std::string_view> words) {
  std::string text;
  for (const auto word : words) text += (text.empty() ? "" : " ") + std::string{word};
  return text;
}

// The values of a setting, where they are few words.
std::string words_of(const Option& option) {
  if (option.kind == OptionKind::flag) return "true false";
  if (option.kind == OptionKind::word) return joined(option.limits.words);
  return std::string{option.limits.zero_word};
}

// What both shells complete behind an option follows from the name of its argument.
enum class Source : std::uint8_t { none, files, interfaces, settings, output_words, mapping_words };

Source source_of(const CommandOption& option) {
  if (option.argument == "FILE") return Source::files;
  if (option.argument == "IF" || option.name == "instance") return Source::interfaces;
  if (option.argument == "KEY=VALUE") return Source::settings;
  if (option.name == "output") return Source::output_words;
  if (option.name == "print-mapping") return Source::mapping_words;
  return Source::none;
}

std::string bash_action(const CommandOption& option) {
  switch (source_of(option)) {
    case Source::files:
      return "mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); compopt -o filenames";
    case Source::interfaces:
      return "words=$(cd /sys/class/net && echo *)";
    case Source::settings:
      return "words=$settings; compopt -o nospace";
    case Source::output_words:
      return "words='" + joined(kOutputWords) + "'";
    case Source::mapping_words:
      return "words='" + joined(kMappingKinds) + "'";
    case Source::none:
      break;
  }
  return ":";
}

std::string zsh_action(const CommandOption& option) {
  switch (source_of(option)) {
    case Source::files:
      return "_files";
    case Source::interfaces:
      return "_net_interfaces";
    case Source::settings:
      return "_chompy_probe_setting";
    case Source::output_words:
      return "(" + joined(kOutputWords) + ")";
    case Source::mapping_words:
      return "(" + joined(kMappingKinds) + ")";
    case Source::none:
      break;
  }
  return " ";
}

// Inside '...[here]' of _arguments.
std::string zsh_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string bash_completion() {
  std::string text =
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# shellcheck shell=bash\n"
      "# Completion of chompy-probe(8) for bash; written from the tables of options and settings.\n"
      "_chompy_probe() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} words=\n"
      "  # bash takes an equals sign for a word of its own.\n"
      "  if [[ $word == '=' ]]; then\n"
      "    word=\n"
      "  elif [[ $option == '=' ]]; then\n"
      "    option=${COMP_WORDS[COMP_CWORD - 2]}\n"
      "  fi\n"
      "  local settings='\n";
  for (const Option& option : kOptions) text += "    " + std::string{option.key} + "=\n";
  text += "  '\n  case $option in\n";
  for (const auto& option : kCommandOptions) {
    if (option.argument.empty()) continue;
    const std::string name{option.name};
    text += "    -" + name + " | --" + name + ") " + bash_action(option) + " ;;\n";
  }
  for (const Option& option : kOptions) {
    if (const auto words = words_of(option); !words.empty())
      text += "    " + std::string{option.key} + ") words='" + words + "' ;;\n";
  }
  text += "    *)\n      words='\n";
  for (const auto& option : kCommandOptions) text += "        " + spelling(option) + "\n";
  text +=
      "      '\n"
      "      # With two dashes, whatever the manual writes.\n"
      "      [[ $word != --* ]] || words=$(for option in $words; do echo \"--${option#\"${option%%[!-]*}\"}\"; done)\n"
      "      ;;\n"
      "  esac\n"
      "  [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
      "}\n"
      "complete -F _chompy_probe chompy-probe\n";
  return text;
}

std::string zsh_completion() {
  std::string text =
      "#compdef chompy-probe\n"
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# Completion of chompy-probe(8) for zsh; written from the tables of options and settings.\n"
      "_chompy_probe_setting() {\n"
      "  local -A values=(\n";
  for (const Option& option : kOptions) text += "    " + std::string{option.key} + " '" + words_of(option) + "'\n";
  text +=
      "  )\n"
      "  if compset -P 1 '*='; then\n"
      "    compadd -- ${=values[${${IPREFIX%=}##*=}]}\n"
      "  else\n"
      "    compadd -S = -q -- ${(k)values}\n"
      "  fi\n"
      "}\n"
      "_arguments \\\n";
  for (const auto& option : kCommandOptions) {
    const std::string name{option.name};
    const bool again = source_of(option) == Source::settings;
    const bool takes_value = !option.argument.empty();
    text += "  " + (again ? std::string{"'*'"} : "'(-" + name + " --" + name + ")'") + "{-" + name + ",--" + name +
            "}'" + (takes_value ? "=" : "") + "[" + zsh_escaped(option.sentence) + "]" +
            (takes_value ? ":" + zsh_escaped(option.argument) + ":" + zsh_action(option) : "") + "' \\\n";
  }
  return text + "  '(- *)-h[" + "Print this help]'\n";
}

}  // namespace whiteowl
