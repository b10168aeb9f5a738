// SPDX-License-Identifier: Apache-2.0
// What an Information Element is here (RFC 7012 2): one row of the table in elements.hpp.
// The C++ type that a row's function returns fixes its length in the template, its abstract data type and the function
// that writes it, so a template and its records cannot differ.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "whiteowl/base/address.hpp"
#include "whiteowl/base/time.hpp"
#include "whiteowl/base/wire.hpp"
#include "whiteowl/flow/record.hpp"
#include "whiteowl/packet/packet.hpp"

namespace whiteowl {

// dateTimeMilliseconds (RFC 7011 6.1.8): milliseconds since 1970-01-01 UTC.  What is earlier cannot be said: 0.
struct Milliseconds {
  std::uint64_t since_1970 = 0;
};
constexpr Milliseconds to_milliseconds(Timestamp time) noexcept {
  const std::int64_t value = floor_milliseconds(time);
  return {value < 0 ? 0 : static_cast<std::uint64_t>(value)};
}

// Label, class and bottom bits of an MPLS label stack entry (IE 70): an octet array of 3.
struct MplsLabel {
  std::array<std::uint8_t, 3> octets{};
};

// Codes of the IANA registry "IPFIX Information Element Data Types" (RFC 5610 3.1).
enum class DataType : std::uint8_t {
  octet_array = 0,
  unsigned8 = 1,
  unsigned16 = 2,
  unsigned32 = 3,
  unsigned64 = 4,
  mac_address = 12,
  date_time_milliseconds = 15,
  ipv4_address = 18,
  ipv6_address = 19
};
// IANA "IPFIX Information Element Semantics" (RFC 5610 3.6).
enum class Semantics : std::uint8_t { none = 0, quantity = 1, total = 2, delta = 3, identifier = 4, flags = 5 };
// IANA "IPFIX Information Element Units" (RFC 5610 3.7).
enum class Unit : std::uint8_t { none = 0, octets = 2, packets = 3, milliseconds = 6, microseconds = 7, hops = 11 };

// Whose number space an id belongs to: IANA's, or that of the configured Private Enterprise Number.
enum class Registry : std::uint8_t { iana, ours };
// Which value of export.fields brings an element: extended has the standard ones too.
enum class FieldSet : std::uint8_t { standard, extended };

// What a value says of the interval that its record covers, and how the records of one flow are added up.
enum class Kind : std::uint8_t {
  key,        // K: part of what makes the flow; the same in all its records
  count,      // C: of the interval, begins anew with each record, saturates; records are added
  extreme,    // X: least, greatest, mean or union within the interval; begins anew with each record
  estimate,   // E: outlives records; the last one counts
  attribute,  // A: of the flow, or of the record's first packet; repeated in every record
};

// What kinds of records there are, as far as their fields differ.
enum class RecordKind : std::uint8_t { ipv4_tcp, ipv4_icmp, ipv4_other, ipv6_tcp, ipv6_icmp, ipv6_other };
inline constexpr std::size_t kRecordKinds = 6;

[[nodiscard]] constexpr RecordKind kind_of(const FlowRecord& record) noexcept {
  const bool ipv6 = record.ip_version == 6;
  const std::uint8_t icmp = ipv6 ? ip_protocol::kIcmpv6 : ip_protocol::kIcmp;
  const unsigned transport = record.protocol == ip_protocol::kTcp ? 0 : record.protocol == icmp ? 1 : 2;
  return static_cast<RecordKind>((ipv6 ? 3U : 0U) + transport);
}

// A set of record kinds: bit k for RecordKind k.
enum class Carried : std::uint8_t {
  any = 0x3F,
  ipv4 = 0x07,
  ipv6 = 0x38,
  tcp = 0x09,
  icmp_ipv4 = 0x02,
  icmp_ipv6 = 0x10
};
[[nodiscard]] constexpr bool carries(Carried carried, RecordKind kind) noexcept {
  return ((static_cast<unsigned>(carried) >> static_cast<unsigned>(kind)) & 1U) != 0;
}

// Of a Biflow (RFC 5103 6.1): whether the value of the other direction is told beside that of the record's own, or the
// one value serves both: the key, whose ends change places, and what is said of the conversation as a whole.
enum class Reversal : std::uint8_t { once, both };

struct Element {
  std::string_view name;
  Registry registry;
  std::uint16_t id;  // without the enterprise bit
  FieldSet set;
  Carried carried;
  Kind kind;
  Semantics semantics;
  Unit unit;
  std::string_view meaning;  // one sentence
  DataType type;
  std::uint16_t octets;  // in the record
  // Writes the value in network order and returns the place behind it.
  std::uint8_t* (*encode)(const FlowRecord& record, std::uint8_t* out) noexcept;
  // Appends the value as JSON: a number, or a quoted string for addresses and octets.
  void (*append_json)(const FlowRecord& record, std::string& text);
};

namespace wire_value {

template <std::unsigned_integral T>
[[nodiscard]] inline std::uint8_t* put(std::uint8_t* out, T value) noexcept {
  value = from_network(value);
  std::memcpy(out, &value, sizeof value);
  return out + sizeof value;
}
[[nodiscard]] inline std::uint8_t* put(std::uint8_t* out, Milliseconds value) noexcept {
  return put(out, value.since_1970);
}
template <typename T>
requires requires(const T& value) { value.octets.data(); }
[[nodiscard]] inline std::uint8_t* put(std::uint8_t* out, const T& value) noexcept {
  std::memcpy(out, value.octets.data(), value.octets.size());
  return out + value.octets.size();
}

template <std::unsigned_integral T>
void append_json(std::string& text, T value) {
  text += std::to_string(value);
}
inline void append_json(std::string& text, Milliseconds value) { text += std::to_string(value.since_1970); }
template <typename T>
requires requires(const T& value) { to_string(value); }
void append_json(std::string& text, const T& value) { ((text += '"') += to_string(value)) += '"'; }
void append_json(std::string& text, const MplsLabel& value);  // six hexadecimal digits

template <typename T>
[[nodiscard]] constexpr DataType type_of() noexcept {
  if constexpr (std::is_same_v<T, std::uint8_t>) return DataType::unsigned8;
  if constexpr (std::is_same_v<T, std::uint16_t>) return DataType::unsigned16;
  if constexpr (std::is_same_v<T, std::uint32_t>) return DataType::unsigned32;
  if constexpr (std::is_same_v<T, std::uint64_t>) return DataType::unsigned64;
  if constexpr (std::is_same_v<T, Milliseconds>) return DataType::date_time_milliseconds;
  if constexpr (std::is_same_v<T, MacAddress>) return DataType::mac_address;
  if constexpr (std::is_same_v<T, Ipv4Address>) return DataType::ipv4_address;
  if constexpr (std::is_same_v<T, Ipv6Address>) return DataType::ipv6_address;
  return DataType::octet_array;
}

}  // namespace wire_value

// A row.  `Get` is a captureless lambda from a record to the value.
template <typename Get>
[[nodiscard]] constexpr Element element(std::string_view name, Registry registry, std::uint16_t id, FieldSet set,
                                        Carried carried, Kind kind, Semantics semantics, Unit unit,
                                        std::string_view meaning, Get /*get*/) {
  using Value = std::invoke_result_t<Get, const FlowRecord&>;
  static_assert(std::is_empty_v<Get>, "a row's function captures nothing");
  return {name,
          registry,
          id,
          set,
          carried,
          kind,
          semantics,
          unit,
          meaning,
          wire_value::type_of<Value>(),
          static_cast<std::uint16_t>(sizeof(Value)),
          [](const FlowRecord& record, std::uint8_t* out) noexcept { return wire_value::put(out, Get{}(record)); },
          [](const FlowRecord& record, std::string& text) { wire_value::append_json(text, Get{}(record)); }};
}

}  // namespace whiteowl
