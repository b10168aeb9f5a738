// SPDX-License-Identifier: Apache-2.0
// Options Templates and their Data Records.
#include "whiteowl/ipfix/statistics.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "whiteowl/base/wire.hpp"
#include "whiteowl/ipfix/elements.hpp"
#include "whiteowl/ipfix/message.hpp"

namespace whiteowl {

namespace {

constexpr std::uint16_t kVariable = 65'535;  // RFC 7011 3.2: a length that each record says
constexpr std::size_t kLongestText = 254;    // RFC 7011 7: longer ones need three octets of length
constexpr std::size_t kRecordRoom =
    MessageWriter::kMinLimit - MessageWriter::kHeaderOctets - MessageWriter::kSetHeaderOctets;
// No record is too large for the smallest Message.
constexpr std::size_t kTypeNumbers = 32;  // octets before the strings, and their lengths
constexpr std::string_view kReversePrefix = "reverse_";
constexpr std::size_t kUnitAndKind = 24;  // octets that a description adds to the meaning, at most

// The longest Template Record that export.fields can ask for: all rows that a kind of record can carry, and the TCP
// rows, which `standard` brings into records of every kind.
constexpr std::size_t longest_template() {
  std::size_t longest = 0;
  for (std::size_t kind = 0; kind < kRecordKinds; ++kind) {
    std::size_t octets = 4;
    for (const Element& row : kElements) {
      if (row.carried == Carried::tcp || carries(row.carried, static_cast<RecordKind>(kind)))
        octets += row.registry == Registry::ours ? 8 : 4;
    }
    longest = std::max(longest, octets);
  }
  return longest;
}
// A Template Record cannot be split (RFC 7011 3.4.1), so the table has room for six more rows of ours; then
// export.mtu must begin higher.
static_assert(longest_template() <= kRecordRoom);
static_assert(std::all_of(kElements.begin(), kElements.end(), [](const Element& e) {
  return kTypeNumbers + kReversePrefix.size() + e.name.size() + e.meaning.size() + kUnitAndKind <= kRecordRoom &&
         e.meaning.size() + kUnitAndKind <= kLongestText;
}));

struct OptionField {
  std::uint16_t id, octets;
};
struct OptionTemplate {
  std::uint16_t scope_fields;
  std::span<const OptionField> fields;
};

// The element ids of the head comment, in the order of their ids in the session.
constexpr std::array<OptionField, 3> kSampling{{{149, 4}, {305, 4}, {306, 4}}};
constexpr std::array<OptionField, 4> kMeteringStatistics{{{149, 4}, {41, 8}, {42, 8}, {40, 8}}};
constexpr std::array<OptionField, 5> kMeteringReliability{{{149, 4}, {163, 8}, {164, 8}, {165, 8}, {135, 8}}};
constexpr std::array<OptionField, 5> kExportingReliability{{{144, 4}, {166, 8}, {167, 8}, {168, 8}, {160, 8}}};
constexpr std::array<OptionField, 2> kInterfaceName{{{10, 4}, {82, kVariable}}};
constexpr std::array<OptionField, 9> kElementType{
    {{346, 4}, {303, 2}, {339, 1}, {344, 1}, {345, 2}, {342, 8}, {343, 8}, {341, kVariable}, {340, kVariable}}};

enum Option : std::uint16_t {
  sampling,
  metering_statistics,
  metering_reliability,
  exporting_reliability,
  interface_name,
  element_type
};
const std::array<OptionTemplate, 6> kOptionTemplates{{{1, kSampling},
                                                      {1, kMeteringStatistics},
                                                      {1, kMeteringReliability},
                                                      {1, kExportingReliability},
                                                      {1, kInterfaceName},
                                                      {2, kElementType}}};

ControlRecord options_template_record(std::uint16_t id, const OptionTemplate& from) {
  ControlRecord record{kOptionsTemplateSetId, false, std::vector<std::uint8_t>(6 + 4 * from.fields.size())};
  Writer writer{record.bytes};
  writer.put(id);
  writer.put(static_cast<std::uint16_t>(from.fields.size()));
  writer.put(from.scope_fields);
  for (const OptionField& field : from.fields) {
    writer.put(field.id);
    writer.put(field.octets);
  }
  return record;
}

// A Data Record of 32- and 64-bit numbers in the order given.
template <typename... Numbers>
ControlRecord number_record(std::uint16_t set_id, Numbers... numbers) {
  ControlRecord record{set_id, true, std::vector<std::uint8_t>((sizeof(Numbers) + ...))};
  Writer writer{record.bytes};
  (writer.put(numbers), ...);
  return record;
}

void put_text(Writer& writer, std::string_view text) {
  const std::string clean = exportable_text(text);
  writer.put(static_cast<std::uint8_t>(clean.size()));
  writer.put_octets(clean.data(), clean.size());
}

void append(std::vector<ControlRecord>& to, const std::vector<ControlRecord>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

std::string exportable_text(std::string_view text) {
  std::string clean{text.substr(0, kLongestText)};
  for (char& c : clean) {
    if (c < 0x20 || c > 0x7E || c == '"' || c == '\\') c = '?';
  }
  return clean;
}

Options::Options(const IpfixSettings& settings, const Templates& templates)
    : domain_id_{settings.domain_id}, enterprise_number_{settings.enterprise_number}, first_id_{templates.next_id()} {
  std::vector<const Element*> described, reversed;
  const auto add = [](std::vector<const Element*>& list, const std::vector<const Element*>& elements) {
    for (const Element* element : elements) {
      const bool new_one = std::find(list.begin(), list.end(), element) == list.end();
      if (element->registry == Registry::ours && new_one) list.push_back(element);
    }
  };
  for (const Template& one : templates.all()) {
    prologue_.push_back({kTemplateSetId, false, template_record(one, enterprise_number_)});
    add(described, one.elements);
    add(reversed, one.reverse);
  }
  prologue_.push_back(options_template_record(first_id_, kOptionTemplates[Option::sampling]));
  prologue_.push_back(number_record(first_id_, domain_id_, std::uint32_t{1}, std::uint32_t{0}));
  for (std::uint16_t i = Option::metering_statistics; i < kOptionTemplates.size(); ++i) {
    report_templates_.push_back(
        options_template_record(static_cast<std::uint16_t>(first_id_ + i), kOptionTemplates[i]));
  }
  for (const Element* element : described) type_records_.push_back(type_record(*element, false));
  for (const Element* element : reversed) type_records_.push_back(type_record(*element, true));
}

ControlRecord Options::type_record(const Element& element, bool reverse) const {
  ControlRecord record{static_cast<std::uint16_t>(first_id_ + Option::element_type), false,
                       std::vector<std::uint8_t>(kRecordRoom)};
  Writer writer{record.bytes};
  writer.put(enterprise_number_);
  writer.put(static_cast<std::uint16_t>(element.id | (reverse ? kReverseBit : 0U)));
  writer.put(static_cast<std::uint8_t>(element.type));
  writer.put(static_cast<std::uint8_t>(element.semantics));
  writer.put(static_cast<std::uint16_t>(element.unit));
  // libfixbuf takes up a type only from a record that has a range.
  writer.put(std::uint64_t{0});
  writer.put(element.octets > 8 ? std::uint64_t{0} : ~std::uint64_t{0} >> (64U - 8U * element.octets));
  put_text(writer, reverse ? std::string{kReversePrefix}.append(element.name) : std::string{element.name});
  put_text(writer, description(element));
  record.bytes.resize(writer.written());
  return record;
}

std::vector<ControlRecord> Options::statistics(const ProcessStatistics& process, const ExportedTotals& exported) const {
  const auto id = [this](Option option) { return static_cast<std::uint16_t>(first_id_ + option); };
  return {number_record(id(Option::metering_statistics), domain_id_, exported.messages, exported.flow_records,
                        exported.octets),
          number_record(id(Option::metering_reliability), domain_id_, process.observed_flows, process.ignored_packets,
                        process.ignored_octets, process.dropped_packets),
          // One Exporting Process serves one Observation Domain here, so the domain's number names it too.
          number_record(id(Option::exporting_reliability), domain_id_, process.not_sent_flows, process.not_sent_packets,
                        process.not_sent_octets, to_milliseconds(process.system_init).since_1970)};
}

std::vector<ControlRecord> Options::prologue() const { return prologue_; }

std::uint16_t Options::next_id() const noexcept {
  return static_cast<std::uint16_t>(first_id_ + kOptionTemplates.size());
}

std::vector<ControlRecord> Options::reports(const ProcessStatistics& process, const ExportedTotals& exported,
                                            bool repeat) const {
  std::vector<ControlRecord> all;
  if (!repeat) append(all, report_templates_);
  append(all, statistics(process, exported));
  if (repeat) return all;
  for (const auto& [index, name] : process.interfaces) {
    ControlRecord record{static_cast<std::uint16_t>(first_id_ + Option::interface_name), false,
                         std::vector<std::uint8_t>(kRecordRoom)};
    Writer writer{record.bytes};
    writer.put(index);
    put_text(writer, name);
    record.bytes.resize(writer.written());
    all.push_back(std::move(record));
  }
  append(all, type_records_);
  return all;
}

}  // namespace whiteowl
