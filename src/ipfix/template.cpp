// SPDX-License-Identifier: Apache-2.0
// From the table of elements to templates.
#include "whiteowl/ipfix/template.hpp"

#include <algorithm>
#include <cassert>
#include <string>
#include <type_traits>
#include <utility>

#include "whiteowl/base/error.hpp"
#include "whiteowl/ipfix/elements.hpp"
#include "whiteowl/ipfix/message.hpp"

namespace whiteowl {

namespace {

constexpr std::uint16_t kFirstTemplateId = 256;   // RFC 7011 3.3.2
constexpr std::uint16_t kEnterpriseBit = 0x8000;  // RFC 7011 3.2

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

// Whether records of `kind` carry the row.  The standard template is one for all protocols, so its TCP fields are
// there, and zero, in other records too.
constexpr bool fits(const Element& row, RecordKind kind, bool standard, bool tcp_fields) {
  if (row.carried == Carried::tcp) return tcp_fields && (standard || carries(row.carried, kind));
  return carries(row.carried, kind);
}

constexpr bool in_set(const Element& row, FieldSet set, RecordKind kind, bool tcp_fields) {
  return (row.set == FieldSet::standard || set == FieldSet::extended) &&
         fits(row, kind, set == FieldSet::standard, tcp_fields);
}

// The two sets are known when compiling, so their records need no call for each element.
template <FieldSet Set, RecordKind Kind, bool TcpFields, std::size_t... Rows>
void encode_rows(const FlowRecord& record, std::uint8_t* out, std::index_sequence<Rows...> /*rows*/) noexcept {
  const auto encode_row = [&](auto row) {
    constexpr Element kRow = kElements[decltype(row)::value];
    if constexpr (in_set(kRow, Set, Kind, TcpFields)) out = kRow.encode(record, out);
  };
  (encode_row(std::integral_constant<std::size_t, Rows>{}), ...);
}

template <FieldSet Set, RecordKind Kind, bool TcpFields>
void encode_set(const FlowRecord& record, std::uint8_t* out) noexcept {
  encode_rows<Set, Kind, TcpFields>(record, out, std::make_index_sequence<kElements.size()>{});
}

using EncodeAll = void (*)(const FlowRecord& record, std::uint8_t* out) noexcept;

template <FieldSet Set, bool TcpFields>
EncodeAll encode_set_of(RecordKind kind) {
  using enum RecordKind;
  switch (kind) {
    case ipv4_tcp:
      return encode_set<Set, ipv4_tcp, TcpFields>;
    case ipv4_icmp:
      return encode_set<Set, ipv4_icmp, TcpFields>;
    case ipv4_other:
      return encode_set<Set, ipv4_other, TcpFields>;
    case ipv6_tcp:
      return encode_set<Set, ipv6_tcp, TcpFields>;
    case ipv6_icmp:
      return encode_set<Set, ipv6_icmp, TcpFields>;
    case ipv6_other:
      return encode_set<Set, ipv6_other, TcpFields>;
  }
  return nullptr;
}

EncodeAll encode_all_of(const IpfixSettings& settings, RecordKind kind) {
  if (settings.fields.size() != 1) return nullptr;
  if (settings.fields[0] == "standard") {
    return settings.tcp_fields ? encode_set_of<FieldSet::standard, true>(kind)
                               : encode_set_of<FieldSet::standard, false>(kind);
  }
  if (settings.fields[0] == "extended") {
    return settings.tcp_fields ? encode_set_of<FieldSet::extended, true>(kind)
                               : encode_set_of<FieldSet::extended, false>(kind);
  }
  return nullptr;
}

}  // namespace

std::vector<const Element*> chosen_elements(const IpfixSettings& settings, RecordKind kind) {
  std::vector<const Element*> chosen;
  const bool standard = named(settings.fields, "standard");
  const auto add = [&](const Element& row) {
    const bool wanted = fits(row, kind, standard, settings.tcp_fields);
    if (wanted && std::find(chosen.begin(), chosen.end(), &row) == chosen.end()) chosen.push_back(&row);
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

bool needs_extended_tcp(const IpfixSettings& settings) {
  for (std::size_t kind = 0; kind < kRecordKinds; ++kind) {
    const auto elements = chosen_elements(settings, static_cast<RecordKind>(kind));
    if (std::any_of(elements.begin(), elements.end(), [](const Element* element) {
          return element->carried == Carried::tcp && element->set == FieldSet::extended;
        }))
      return true;
  }
  return false;
}

std::vector<std::uint8_t> template_record(const Template& from, std::uint32_t enterprise_number) {
  std::vector<std::uint8_t> bytes(4 + 8 * (from.elements.size() + from.reverse.size()));
  Writer writer{bytes};
  writer.put(from.id);
  writer.put(static_cast<std::uint16_t>(from.elements.size() + from.reverse.size()));
  for (const Element* element : from.elements) {
    const bool ours = element->registry == Registry::ours;
    writer.put(static_cast<std::uint16_t>(element->id | (ours ? kEnterpriseBit : 0U)));
    writer.put(element->octets);
    if (ours) writer.put(enterprise_number);
  }
  for (const Element* element : from.reverse) {
    const bool ours = element->registry == Registry::ours;
    writer.put(static_cast<std::uint16_t>(element->id | kEnterpriseBit | (ours ? kReverseBit : 0U)));
    writer.put(element->octets);
    writer.put(ours ? enterprise_number : kReversePen);
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
    for (const Element* element : next.elements)
      next.octets = static_cast<std::uint16_t>(next.octets + element->octets);
    next.encode_all = encode_all_of(settings, static_cast<RecordKind>(kind));
    all_.push_back(std::move(next));
  }
  if (settings.biflow) add_biflows(settings);
  for (const Template& one : all_) {
    constexpr std::size_t kHeaders = MessageWriter::kHeaderOctets + MessageWriter::kSetHeaderOctets;
    constexpr std::size_t kPadding = 3;
    shortest_message_ = std::max(
        {shortest_message_, kHeaders + template_record(one, 0).size(), kHeaders + std::size_t{one.octets} + kPadding});
  }
}

void Templates::add_biflows(const IpfixSettings& settings) {
  const std::size_t uniflows = all_.size();
  for (std::size_t kind = 0; kind < kRecordKinds; ++kind) {
    using enum RecordKind;
    const auto record_kind = static_cast<RecordKind>(kind);
    if (record_kind == ipv4_icmp || record_kind == ipv6_icmp) continue;
    // Kinds that share a template share the Biflow's.
    for (std::size_t before = 0; before < kind; ++before) {
      if (by_kind_[before] == by_kind_[kind] && biflow_by_kind_[before] != kNone)
        biflow_by_kind_[kind] = biflow_by_kind_[before];
    }
    if (biflow_by_kind_[kind] != kNone) continue;
    Template both;
    both.id = static_cast<std::uint16_t>(settings.template_id + all_.size());
    both.elements = all_[by_kind_[kind]].elements;
    both.octets = all_[by_kind_[kind]].octets;
    for (const Element* element : both.elements) {
      if (reversal_of(*element) == Reversal::once) continue;
      both.reverse.push_back(element);
      both.octets = static_cast<std::uint16_t>(both.octets + element->octets);
    }
    biflow_by_kind_[kind] = all_.size();
    all_.push_back(std::move(both));
  }
  assert(all_.size() <= 2 * uniflows);
}

}  // namespace whiteowl
