// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/reference.hpp"

#include <algorithm>

#include "whiteowl/config/command_line.hpp"
#include "whiteowl/ipfix/elements.hpp"

namespace whiteowl {

namespace {

constexpr std::size_t kWidth = 80;

std::string padded(std::string text, std::size_t width) {
  text.append(text.size() < width ? width - text.size() : 1, ' ');
  return text;
}

// Words of `text` in lines that begin with `indent`.
std::string wrapped(std::string_view text, const std::string& indent, std::size_t width = kWidth - 1) {
  std::string lines;
  std::string line = indent;
  while (!text.empty()) {
    const auto space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    if (line != indent && line.size() + 1 + word.size() > width) {
      lines += line + "\n";
      line = indent;
    }
    if (line != indent) line += ' ';
    line += word;
  }
  return lines + line + "\n";
}

// YAML ----------------------------------------------------------------------------------------------------------------

// Plain where no reader could take it for anything but these characters.
bool is_plain(const std::string& text, bool in_list) {
  if (text.empty() || text.front() == '-' || text.front() == '?') return false;
  if (text.front() == ' ' || text.back() == ' ' || text == "~" || text == "null" || text == "Null" || text == "NULL")
    return false;
  const std::string_view special = in_list ? "[]{}#&*!|>'\"%@`:,\\" : "[]{}#&*!|>'\"%@`\\";
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return c >= ' ' && c <= '~' && special.find(c) == std::string_view::npos; }) &&
         text.find(": ") == std::string::npos && text.back() != ':';
}

std::string double_quoted(const std::string& text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (octet < ' ' || octet == 0x7F) {
      out += "\\x";
      out += kHex[octet >> 4U];
      out += kHex[octet & 0xFU];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string yaml_scalar(const std::string& text, bool in_list) {
  return is_plain(text, in_list) ? text : double_quoted(text);
}

// mdoc ----------------------------------------------------------------------------------------------------------------

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '"') {
      out += "\\(dq";
    } else {
      out += c;
    }
  }
  return out;
}

// Text lines, each sentence on one of its own as mdoc wants it.
std::string sentences(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    auto end = text.find(". ");
    end = end == std::string_view::npos ? text.size() : end + 1;
    out += wrapped(escaped(text.substr(0, end)), "", kWidth - 2);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string number_range(const Limits& limits) {
  std::string text = std::to_string(limits.min) + " to " + std::to_string(limits.max);
  if (!limits.unit.empty()) text += " " + std::string{limits.unit};
  if (!limits.zero_word.empty()) text += ", or " + std::string{limits.zero_word};
  return text;
}

// What may stand behind the key.
std::string allowed(const Option& option) {
  const Limits& limits = option.limits;
  switch (option.kind) {
    case OptionKind::flag:
      return "true or false";
    case OptionKind::number:
      return number_range(limits);
    case OptionKind::numbers:
      return number_range(limits) + ", or a list of such";
    case OptionKind::duration:
      return limits.min == 0 ? "a duration" : "a duration of " + to_text(Duration{limits.min}) + " or more";
    case OptionKind::text:
      return "text";
    case OptionKind::texts:
      return "text, or a list of such";
    case OptionKind::word:
      break;
  }
  std::string text;
  for (std::size_t i = 0; i < limits.words.size(); ++i)
    text += (i == 0 ? "" : i + 1 == limits.words.size() ? " or " : ", ") + std::string{limits.words[i]};
  return text;
}

}  // namespace

std::string to_yaml(const SettingValue& value, const Option& option) {
  if (!value.is_list) return yaml_scalar(value.items.front(), false);
  // Nothing at all is written as the row writes it.
  if (value.items.empty()) return std::string{option.default_text == "\"\"" ? "\"\"" : "[]"};
  std::string text = "[";
  for (const auto& item : value.items) text += (text.size() == 1 ? "" : ", ") + yaml_scalar(item, true);
  return text + "]";
}

std::string version_text() { return "chompy-probe " WHITEOWL_VERSION "\n"; }

std::string usage_text() {
  return "Usage: chompy-probe -interface IF [-collector ADDR[:PORT]] [OPTION ...]\n"
         "       chompy-probe --read FILE [OPTION ...]\n"
         "       chompy-probe -h lists the options\n";
}

std::string help_text() {
  constexpr std::size_t kColumn = 28;
  std::string text =
      "Usage: chompy-probe -interface IF [-collector ADDR[:PORT]] [OPTION ...]\n"
      "       chompy-probe --read FILE [OPTION ...]\n"
      "Meters the flows on a network interface, with TCP round-trip times,\n"
      "retransmissions and windows, and exports them as IPFIX or prints them.\n";
  std::string_view group;
  for (const auto& option : kCommandOptions) {
    if (option.group != group) text += "\n" + std::string{option.group} + "\n";
    group = option.group;
    std::string left = "  " + spelling(option) + (option.argument.empty() ? "" : " ") + std::string{option.argument};
    if (option.name == "help") left = "  -h, " + spelling(option);
    text += padded(std::move(left), kColumn) + std::string{option.sentence} + "\n";
  }
  text +=
      "\nEach option may be written with one dash or two. Manual: chompy-probe(8);\n"
      "settings: chompy-probe.yaml(5).\n";
  return text;
}

std::string settings_text(const Settings& settings) {
  constexpr std::size_t kColumn = 40;
  std::string text;
  std::string_view block;
  for (const Option& option : kOptions) {
    if (option.block() != block) text += (text.empty() ? "" : "\n") + std::string{option.block()} + ":\n";
    block = option.block();
    const std::string value = to_yaml(option.get(settings.config(), option.limits), option);
    text += padded("  " + std::string{option.name()} + ": " + value, kColumn) + "# " + settings.origin(option).text() +
            (option.reload == Reload::yes ? "; reload" : "") + "\n";
  }
  return text;
}

std::string sample_file() {
  std::string text =
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# Settings of chompy-probe, explained in chompy-probe.yaml(5).\n"
      "# Every setting is here with its default: to change one, take away its # and\n"
      "# write another value. chompy-probe --check-config says whether all is well,\n"
      "# chompy-probe --print-config what is in force.\n";
  std::string_view block;
  for (const Option& option : kOptions) {
    text += "\n";
    if (option.block() != block) text += std::string{option.block()} + ":\n";
    block = option.block();
    text += wrapped(option.sentence, "  # ");
    text += wrapped("(" + allowed(option) + (option.reload == Reload::yes ? "; a reload changes it)" : ")"), "  # ");
    text += "  #" + std::string{option.name()} + ": " + std::string{option.default_text} + "\n";
  }
  return text;
}

std::string options_manual() {
  std::string text;
  std::string_view group;
  for (const auto& option : kCommandOptions) {
    if (option.group != group)
      text += (group.empty() ? "" : ".El\n") + (".Ss " + std::string{option.group}) + "\n.Bl -tag -width Ds\n";
    group = option.group;
    const std::string dash = option.dashes == "--" ? "-" : "";
    text += ".It " + std::string{option.name == "help" ? "Fl h , " : ""} + "Fl " + dash + std::string{option.name};
    if (!option.argument.empty()) text += " Ar " + escaped(option.argument);
    text += "\n" + sentences(std::string{option.sentence} + ".");
    if (!option.more.empty()) text += sentences(option.more);
  }
  return text + ".El\n";
}

std::string fields_manual() {
  const auto table = [](FieldSet set) {
    std::string text = ".Bl -tag -width Ds\n";
    for (const Element& row : kElements) {
      if (row.set != set) continue;
      text += ".It " + std::string{row.name} + " Pq " + (row.registry == Registry::ours ? "PEN/" : "") +
              std::to_string(row.id) + " , " + std::string{type_name(row.type)} + " , ";
      if (row.unit != Unit::none) text += std::string{unit_name(row.unit)} + " , ";
      text += std::string{kind_letter(row.kind)} + "\n" + sentences(row.meaning);
    }
    return text + ".El\n";
  };
  return ".Ss Standard fields\n" + table(FieldSet::standard) + ".Ss Extended fields\n" + table(FieldSet::extended);
}

std::string settings_manual() {
  std::string text;
  std::string_view block;
  for (const Option& option : kOptions) {
    if (option.block() != block)
      text += (block.empty() ? "" : ".El\n") + (".Ss " + std::string{option.block()}) + "\n.Bl -tag -width Ds\n";
    block = option.block();
    text += ".It Ic " + std::string{option.name()} + "\n" + sentences(option.sentence);
    text += ".br\n";
    text += wrapped(escaped("Value: " + allowed(option)) + ".", "", kWidth - 2);
    text += "Default:\n.Ql " + escaped(option.default_text) + " .\n";
    text += option.reload == Reload::yes ? "A reload changes it.\n" : "A change needs a restart.\n";
  }
  return text + ".El\n";
}

}  // namespace whiteowl
