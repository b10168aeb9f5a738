// SPDX-License-Identifier: Apache-2.0
// Template Records (RFC 7011 3.4.1) and the Data Records that they describe, derived from the table of elements.
// A record's kind (IPv4 or IPv6; TCP, ICMP or other) chooses its template; kinds with equal fields share one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "whiteowl/ipfix/element.hpp"
#include "whiteowl/ipfix/settings.hpp"

namespace whiteowl {

// The highest id of a first template: leaves room for the data and options templates that follow.
inline constexpr std::uint16_t kLastTemplateId = 65'520;

struct Template {
  std::uint16_t id = 0;
  std::uint16_t octets = 0;  // of a Data Record
  std::vector<const Element*> elements;
  std::vector<const Element*> reverse;  // of a Biflow (RFC 5103): behind the others, the other direction's values
  // Writes all elements at once; null for a list of names, which is written element by element.
  void (*encode_all)(const FlowRecord& record, std::uint8_t* out) noexcept = nullptr;

  // Writes the Data Record: exactly `octets` octets at `out`.
  void encode(const FlowRecord& record, std::uint8_t* out) const noexcept {
    if (encode_all != nullptr) return encode_all(record, out);
    for (const Element* element : elements) out = element->encode(record, out);
  }
  void encode(const FlowRecord& record, const FlowRecord& opposite, std::uint8_t* out) const noexcept {
    for (const Element* element : elements) out = element->encode(record, out);
    for (const Element* element : reverse) out = element->encode(opposite, out);
  }
};

// RFC 5103 6.1: the PEN under which IANA's elements are reversed.  Ours have bit 14 of their id set instead.
inline constexpr std::uint32_t kReversePen = 29'305;
inline constexpr std::uint16_t kReverseBit = 0x4000;

// The Template Record as it stands in a Template Set.  `enterprise_number` is the PEN of our own elements.
[[nodiscard]] std::vector<std::uint8_t> template_record(const Template& from, std::uint32_t enterprise_number);

// Which elements a record of `kind` carries, in their order, as export.fields and export.track_tcp_performance say.
// `fields` has passed check_fields.
[[nodiscard]] std::vector<const Element*> chosen_elements(const IpfixSettings& settings, RecordKind kind);

// Whether a record of any kind carries a figure that only TcpSettings::extended meters.
[[nodiscard]] bool needs_extended_tcp(const IpfixSettings& settings);

// The data templates of the process: ids template_id, template_id + 1 and so on; IPv4 before IPv6.
class Templates {
 public:
  // Throws StartError (78) for fields that check_fields refuses or an id outside 256..65520.
  explicit Templates(const IpfixSettings& settings);

  [[nodiscard]] const Template& of(const FlowRecord& record) const noexcept {
    return all_[by_kind_[static_cast<std::size_t>(kind_of(record))]];
  }
  // Of both directions together; null where they are not: export.biflow is false, or ICMP, whose directions are not
  // paired.
  [[nodiscard]] const Template* of_both(const FlowRecord& record) const noexcept {
    const std::size_t at = biflow_by_kind_[static_cast<std::size_t>(kind_of(record))];
    return at == kNone ? nullptr : &all_[at];
  }
  [[nodiscard]] std::span<const Template> all() const noexcept { return all_; }
  // The shortest Message that holds any one Template Record or Data Record of these.
  [[nodiscard]] std::size_t shortest_message() const noexcept { return shortest_message_; }
  // The first id that no data template uses.
  [[nodiscard]] std::uint16_t next_id() const noexcept { return static_cast<std::uint16_t>(all_.back().id + 1); }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  void add_biflows(const IpfixSettings& settings);

  std::vector<Template> all_;
  std::array<std::size_t, kRecordKinds> biflow_by_kind_{kNone, kNone, kNone, kNone, kNone, kNone};
  std::size_t shortest_message_ = 0;
  std::array<std::size_t, kRecordKinds> by_kind_{};  // position in all_
};

}  // namespace whiteowl
