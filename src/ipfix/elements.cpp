// SPDX-License-Identifier: Apache-2.0
// Lookups in the table of Information Elements.
#include "whiteowl/ipfix/elements.hpp"

#include <algorithm>
#include <cstdio>

#include "whiteowl/base/nearest.hpp"

namespace whiteowl {

namespace {

constexpr std::string_view kStandard = "standard";
constexpr std::string_view kExtended = "extended";

bool is_field_set(std::string_view name) { return name == kStandard || name == kExtended; }

// Every record must have a field, or it could not be told to anybody.
bool carried_by_all(const std::vector<std::string>& fields) {
  return std::any_of(fields.begin(), fields.end(), [](const std::string& name) {
    const Element* found = find_element(name);
    return found == nullptr || found->carried == Carried::any || found->carried == Carried::ipv4 ||
           found->carried == Carried::ipv6;
  });
}

// As people write names of several words: min_rtt_us, minRttUs, MIN-RTT-US.
std::string bare(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (c != '_' && c != '-') letters += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return letters;
}

std::string unknown_field(std::string_view name) {
  std::vector<std::string_view> names{kStandard, kExtended};
  for (const Element& row : kElements) names.push_back(row.name);
  std::string_view near = nearest(name, names);
  if (near.empty()) {
    std::vector<std::string> bare_names;
    for (const std::string_view one : names) bare_names.push_back(bare(one));
    const std::vector<std::string_view> candidates{bare_names.begin(), bare_names.end()};
    const auto found = std::find(candidates.begin(), candidates.end(), nearest(bare(name), candidates));
    if (found != candidates.end()) near = names[static_cast<std::size_t>(found - candidates.begin())];
  }
  std::string text = "unknown field \"" + std::string{name} + "\"";
  if (!near.empty()) text += ", did you mean \"" + std::string{near} + "\"?";
  return text + " (--list-fields shows all)";
}

}  // namespace

namespace wire_value {
void append_json(std::string& text, const MplsLabel& value) {
  std::array<char, 9> digits{};
  std::snprintf(digits.data(), digits.size(), "\"%02x%02x%02x\"", value.octets[0], value.octets[1], value.octets[2]);
  text += digits.data();
}
}  // namespace wire_value

const Element* find_element(std::string_view name) noexcept {
  const auto* row =
      std::find_if(kElements.begin(), kElements.end(), [name](const Element& e) { return e.name == name; });
  return row == kElements.end() ? nullptr : row;
}

std::string_view type_name(DataType type) noexcept {
  switch (type) {
    case DataType::octet_array:
      return "octetArray";
    case DataType::unsigned8:
      return "unsigned8";
    case DataType::unsigned16:
      return "unsigned16";
    case DataType::unsigned32:
      return "unsigned32";
    case DataType::unsigned64:
      return "unsigned64";
    case DataType::mac_address:
      return "macAddress";
    case DataType::date_time_milliseconds:
      return "dateTimeMilliseconds";
    case DataType::ipv4_address:
      return "ipv4Address";
    case DataType::ipv6_address:
      return "ipv6Address";
  }
  return "";
}

std::string_view unit_name(Unit unit) noexcept {
  switch (unit) {
    case Unit::none:
      return "-";
    case Unit::octets:
      return "octets";
    case Unit::packets:
      return "packets";
    case Unit::milliseconds:
      return "ms";
    case Unit::microseconds:
      return "us";
    case Unit::hops:
      return "hops";
  }
  return "";
}

char kind_letter(Kind kind) noexcept {
  constexpr std::string_view kLetters = "KCXEA";
  return kLetters[static_cast<std::size_t>(kind)];
}

std::string description(const Element& element) {
  constexpr std::array<std::string_view, 5> kKinds{"key", "count", "extreme", "estimate", "attribute"};
  std::string text{element.meaning.substr(0, element.meaning.size() - 1)};
  text += " (";
  if (element.unit != Unit::none) (text += unit_name(element.unit)) += ", ";
  return (text += kKinds[static_cast<std::size_t>(element.kind)]) += ").";
}

std::string check_field(const std::string& name) {
  return is_field_set(name) || find_element(name) != nullptr ? std::string{} : unknown_field(name);
}

std::string check_fields(const std::vector<std::string>& fields) {
  if (fields.empty()) return "no fields: say standard, extended or a list of names (--list-fields shows all)";
  std::size_t sets = 0;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (is_field_set(fields[i])) {
      if (++sets > 1) return "only one of standard and extended can be named";
    } else if (std::string why = check_field(fields[i]); !why.empty()) {
      return why;
    }
    const auto upto = fields.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(fields.begin(), upto, fields[i]) != upto) return "field \"" + fields[i] + "\" is named twice";
  }
  if (sets == 0 && !carried_by_all(fields))
    return "at least one field must be one that every flow has, such as packetDeltaCount";
  return {};
}

std::string list_fields(std::uint32_t enterprise_number) {
  const auto padded = [](std::string text, std::size_t width) {
    text.append(text.size() < width ? width - text.size() : 1, ' ');
    return text;
  };
  const auto line = [&](const std::array<std::string, 7>& cells) {
    constexpr std::array<std::size_t, 6> kWidths{26, 11, 21, 7, 8, 5};
    std::string text;
    for (std::size_t i = 0; i < kWidths.size(); ++i) text += padded(cells[i], kWidths[i]);
    return text + cells[6] + "\n";
  };
  std::string text = line({"NAME", "PEN/ID", "TYPE", "OCTETS", "UNIT", "KIND", "MEANING"});
  for (const Element& row : kElements) {
    const std::string pen = row.registry == Registry::ours ? std::to_string(enterprise_number) : "0";
    text += line({std::string{row.name}, pen + "/" + std::to_string(row.id), std::string{type_name(row.type)},
                  std::to_string(row.octets), std::string{unit_name(row.unit)}, std::string{kind_letter(row.kind)},
                  std::string{row.meaning} + (row.set == FieldSet::extended ? " [extended]" : "")});
  }
  return text +
         "\nKIND: K key of the flow; C count and X extreme within the record's interval; E estimate and\n"
         "A attribute outlive it and stand in every record.  TCP fields: 0 = none or not known.\n";
}

}  // namespace whiteowl
