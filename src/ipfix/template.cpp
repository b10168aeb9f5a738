// SPDX-License-Identifier: Apache-2.0
// From the table of elements to templates.
#include "whiteowl/ipfix/template.hpp"

#include <algorithm>
#include <string>

#include "whiteowl/base/error.hpp"
#include "whiteowl/ipfix/elements.hpp"

namespace whiteowl {

namespace {

constexpr std::uint16_t kFirstTemplateId = 256;    // RFC 7011 3.3.2
constexpr std::uint16_t kLastTemplateId = 65'520;  // leaves room for the data and options templates that follow
constexpr std::uint16_t kEnterpriseBit = 0x8000;   // RFC 7011 3.2

bool named(const std::vector<std::string>& fields, std::string_view name) {
  return std::find(fields.begin(), fields.end(), name) != fields.end();
}

// The IPv6 element for an IPv4 one and the other way round, unless it is named itself and so has its own place.
const Element* counterpart(const Element& element, const std::vector<std::string>& fields) {
  for (const ElementPair& pair : kElementPairs) {
    if (pair.ipv4 == element.name && !named(fields, pair.ipv6)) return find_element(pair.ipv6);
    if (pair.ipv6 == element.name && !named(fields, pair.ipv4)) return find_element(pair.ipv4);
  }
  return nullptr;
}

}  // namespace

std::vector<const Element*> chosen_elements(const IpfixSettings& settings, RecordKind kind) {
  std::vector<const Element*> chosen;
  const bool standard = named(settings.fields, "standard");
  const auto add = [&](const Element& row) {
    // The standard template is one for all protocols, so its TCP fields are there, and zero, in other records too.
    const bool fits = carries(row.carried, kind) || (standard && row.carried == Carried::tcp);
    const bool wanted = settings.tcp_fields || row.carried != Carried::tcp;
    if (fits && wanted && std::find(chosen.begin(), chosen.end(), &row) == chosen.end()) chosen.push_back(&row);
  };
  for (const std::string& name : settings.fields) {
    if (const Element* row = find_element(name); row != nullptr) {
      add(*row);
      if (const Element* other = counterpart(*row, settings.fields); other != nullptr) add(*other);
      continue;
    }
    for (const Element& row : kElements) {
      if (row.set == FieldSet::standard || name == "extended") add(row);
    }
  }
  return chosen;
}

std::vector<std::uint8_t> template_record(const Template& from, std::uint32_t enterprise_number) {
  std::vector<std::uint8_t> bytes(4 + 8 * from.elements.size());
  Writer writer{bytes};
  writer.put(from.id);
  writer.put(static_cast<std::uint16_t>(from.elements.size()));
  for (const Element* element : from.elements) {
    const bool ours = element->registry == Registry::ours;
    writer.put(static_cast<std::uint16_t>(element->id | (ours ? kEnterpriseBit : 0U)));
    writer.put(element->octets);
    if (ours) writer.put(enterprise_number);
  }
  bytes.resize(writer.written());
  return bytes;
}

Templates::Templates(const IpfixSettings& settings) {
  if (const std::string wrong = check_fields(settings.fields); !wrong.empty()) {
    throw StartError{ExitStatus::configuration, "export.fields: " + wrong};
  }
  if (settings.template_id < kFirstTemplateId || settings.template_id > kLastTemplateId) {
    throw StartError{ExitStatus::configuration, "export.template_id: " + std::to_string(settings.template_id) +
                                                    " is outside 256..65520, the ids that templates may have here"};
  }
  for (std::size_t kind = 0; kind < kRecordKinds; ++kind) {
    Template next;
    next.id = static_cast<std::uint16_t>(settings.template_id + all_.size());
    next.elements = chosen_elements(settings, static_cast<RecordKind>(kind));
    if (next.elements.empty()) {  // only TCP fields were named and they are switched off
      throw StartError{ExitStatus::configuration,
                       "export.fields: no field is left that every flow has, add packetDeltaCount"};
    }
    const auto same =
        std::find_if(all_.begin(), all_.end(), [&](const Template& t) { return t.elements == next.elements; });
    by_kind_[kind] = static_cast<std::size_t>(same - all_.begin());
    if (same != all_.end()) continue;
    for (const Element* element : next.elements) {
      next.octets = static_cast<std::uint16_t>(next.octets + element->octets);
      next.encoders.push_back(element->encode);
    }
    all_.push_back(std::move(next));
  }
}

}  // namespace whiteowl
