// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/ipfix/mapping.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include "whiteowl/ipfix/elements.hpp"
#include "whiteowl/ipfix/template.hpp"

namespace whiteowl {

namespace {

std::string number(std::uint32_t value) { return std::to_string(value); }

// What goflow2's message has by itself and our records fill: its name, protobuf number and type, the column of the
// ClickHouse table and how it comes from the message, and our element, if it is one.
struct MessageField {
  std::string_view name;
  std::uint32_t index;
  std::string_view type;
  std::string_view column_type;
  std::string_view conversion;  // empty = as it is
  std::string_view element;
};
constexpr std::string_view kTime = "DateTime64(9)", kAddress = "IPv6", kWord = "uint32", kLong = "uint64";
constexpr std::array kMessageFields = {
    MessageField{"time_received_ns", 110, kLong, kTime, "fromUnixTimestamp64Nano(toInt64(time_received_ns))", ""},
    MessageField{"sequence_num", 4, kWord, "UInt32", "", ""},
    MessageField{"sampling_rate", 3, kLong, "UInt64", "greatest(sampling_rate, 1)", ""},
    MessageField{"sampler_address", 11, "bytes", kAddress, "", ""},
    MessageField{"observation_domain_id", 70, kWord, "UInt32", "", ""},
    MessageField{"time_flow_start_ns", 111, kLong, kTime, "fromUnixTimestamp64Nano(toInt64(time_flow_start_ns))",
                 "flowStartMilliseconds"},
    MessageField{"time_flow_end_ns", 112, kLong, kTime, "fromUnixTimestamp64Nano(toInt64(time_flow_end_ns))",
                 "flowEndMilliseconds"},
    MessageField{"etype", 30, kWord, "UInt16", "", ""},
    MessageField{"src_addr", 6, "bytes", kAddress, "", "sourceIPv4Address"},
    MessageField{"dst_addr", 7, "bytes", kAddress, "", "destinationIPv4Address"},
    MessageField{"src_port", 21, kWord, "UInt16", "", "sourceTransportPort"},
    MessageField{"dst_port", 22, kWord, "UInt16", "", "destinationTransportPort"},
    MessageField{"proto", 20, kWord, "UInt8", "", "protocolIdentifier"},
    MessageField{"packets", 10, kLong, "UInt64", "", "packetDeltaCount"},
    MessageField{"bytes", 9, kLong, "UInt64", "", "octetDeltaCount"},
    MessageField{"tcp_flags", 26, kWord, "UInt8", "", "tcpControlBits"},
    MessageField{"src_mac", 27, kLong, "UInt64", "", "sourceMacAddress"},
    MessageField{"dst_mac", 28, kLong, "UInt64", "", "destinationMacAddress"},
    MessageField{"in_if", 18, kWord, "UInt32", "", "ingressInterface"},
    MessageField{"out_if", 19, kWord, "UInt32", "", "egressInterface"},
    MessageField{"vlan_id", 29, kWord, "UInt16", "", "vlanId"},
    MessageField{"ip_tos", 23, kWord, "UInt8", "", "ipClassOfService"},
    MessageField{"ip_ttl", 25, kWord, "UInt8", "", "minimumTTL"},
    MessageField{"icmp_type", 31, kWord, "UInt8", "", "icmpTypeCodeIPv4"},
    MessageField{"icmp_code", 32, kWord, "UInt8", "", "icmpTypeCodeIPv4"},
    MessageField{"mpls_label", 81, "repeated uint32", "Array(UInt32)", "", "mplsTopLabelStackSection"},
};

// nfacctd's own names for elements; packets and octets are always there.
struct Primitive {
  std::string_view name, element;
};
constexpr std::array kPrimitives = {
    Primitive{"src_host", "sourceIPv4Address"},
    Primitive{"dst_host", "destinationIPv4Address"},
    Primitive{"src_port", "sourceTransportPort"},
    Primitive{"dst_port", "destinationTransportPort"},
    Primitive{"proto", "protocolIdentifier"},
    Primitive{"tcpflags", "tcpControlBits"},
    Primitive{"src_mac", "sourceMacAddress"},
    Primitive{"dst_mac", "destinationMacAddress"},
    Primitive{"in_iface", "ingressInterface"},
    Primitive{"out_iface", "egressInterface"},
    Primitive{"timestamp_start", "flowStartMilliseconds"},
    Primitive{"timestamp_end", "flowEndMilliseconds"},
    Primitive{"tos", "ipClassOfService"},
    Primitive{"vlan", "vlanId"},
    Primitive{"mpls_label_top", "mplsTopLabelStackSection"},
    Primitive{"", "packetDeltaCount"},
    Primitive{"", "octetDeltaCount"},
    Primitive{"", "icmpTypeCodeIPv4"},
};

// The IPv4 element of a pair stands for both.
std::string_view asked_of(const Element& row) {
  for (const ElementPair& pair : kElementPairs) {
    if (pair.ipv6 == row.name) return pair.ipv4;
  }
  return row.name;
}
template <typename Known>
bool is_known(const Known& known, const Element& row) {
  return std::any_of(known.begin(), known.end(), [&](const auto& field) { return field.element == asked_of(row); });
}
template <typename Known>
std::vector<const Element*> unknown_to(const Known& known) {
  std::vector<const Element*> rows;
  for (const Element& row : kElements) {
    if (!is_known(known, row)) rows.push_back(&row);
  }
  return rows;
}

bool is_ours(const Element& row) { return row.registry == Registry::ours; }
std::string index_of(const Element& row) { return number(protobuf_number(is_ours(row), row.id)); }

std::string goflow2(std::uint32_t pen) {
  const auto custom = unknown_to(kMessageFields);
  std::string text =
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# goflow2 (v2): the fields of chompy-probe under their names.  Made by chompy-probe --print-mapping goflow2.\n"
      "#   goflow2 -listen 'netflow://:2055?workers=1' -produce=sample -mapping=mapping.yaml\n"
      "# An enterprise field needs `penprovided: true` and its number; with `pen` alone goflow2 matches nothing.\n"
      "# Protobuf numbers are 2000 + field, for IANA's elements 3000 + field: below that other messages of goflow2 "
      "have\n"
      "# theirs.  If export.enterprise_number is changed, print this file anew with --set.  Reading the JSON: a field\n"
      "# that goflow2 did not get is left out; 0 as a round-trip time means that there was no sample.\n"
      "formatter:\n  fields:\n    - type\n";
  for (const MessageField& field : kMessageFields) text += "    - " + std::string{field.name} + "\n";
  for (const Element* row : custom) text += "    - " + std::string{row->name} + "\n";
  text += "  key:\n    - sampler_address\n  protobuf:\n";
  for (const Element* row : custom)
    text += "    - name: " + std::string{row->name} + "\n      index: " + index_of(*row) + "\n      type: varint\n";
  text += "  render:\n    etype: none\n    proto: none\nipfix:\n  mapping:\n";
  for (const Element* row : custom) {
    text += "    - field: " + number(row->id) + "\n";
    if (is_ours(*row)) text += "      penprovided: true\n      pen: " + number(pen) + "\n";
    text += "      destination: " + std::string{row->name} + "\n";
  }
  return text;
}

std::string nfacctd_primitives(std::uint32_t pen) {
  std::string text =
      "! SPDX-License-Identifier: Apache-2.0\n"
      "! nfacctd (pmacct): the fields of chompy-probe that it has no name for.  Made by chompy-probe --print-mapping\n"
      "! nfacctd; named by aggregate_primitives, see nfacctd.conf beside this file.  field_type is the element, with\n"
      "! PEN: before ours.\n";
  for (const Element* row : unknown_to(kPrimitives)) {
    text += "name=" + std::string{row->name} + " field_type=" + (is_ours(*row) ? number(pen) + ":" : "") +
            number(row->id) + " len=" + number(row->octets) + " semantics=u_int\n";
  }
  return text;
}

std::string nfacctd_configuration() {
  std::string text =
      "! SPDX-License-Identifier: Apache-2.0\n"
      "! nfacctd (pmacct): chompy-probe's records as JSON, one line a record.  Made by chompy-probe --print-mapping\n"
      "! nfacctd-conf.\n"
      "!   nfacctd -f nfacctd.conf\n"
      "! nfacctd adds up what is equal in all of `aggregate`: with the times among them every record stays by itself.\n"
      "! A record without one of the fields has 0 there; for export.fields: standard the list can be shorter.\n"
      "daemonize: false\nnfacctd_port: 2055\nnfacctd_time_new: false\n"
      "aggregate_primitives: /etc/pmacct/primitives.lst\naggregate: ";
  std::string list;
  for (const Primitive& primitive : kPrimitives) {
    if (!primitive.name.empty()) list += (list.empty() ? "" : ", ") + std::string{primitive.name};
  }
  for (const Element* row : unknown_to(kPrimitives)) list += ", " + std::string{row->name};
  return text + list +
         "\nplugins: print\nprint_output: json\nprint_output_file: /var/log/pmacct/flows.json\n"
         "print_refresh_time: 60\nprint_output_file_append: true\n";
}

std::string_view semantics_name(Semantics semantics) {
  constexpr std::array<std::string_view, 6> kNames{"default",      "quantity",   "totalCounter",
                                                   "deltaCounter", "identifier", "flags"};
  return kNames[static_cast<std::size_t>(semantics)];
}
std::string_view libfds_unit(Unit unit) {
  if (unit == Unit::none) return "none";
  return unit == Unit::microseconds ? "microseconds" : unit == Unit::milliseconds ? "milliseconds" : unit_name(unit);
}

std::string libfds(std::uint32_t pen) {
  std::string text =
      "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
      "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
      "<!-- libfds (ipfixcol2): the elements of chompy-probe, to be put into /etc/libfds/user/elements.  Made by\n"
      "     chompy-probe (its option print-mapping libfds).  Bit 14 of an id (value 16384) marks the reverse element\n"
      "     (RFC 5103); libfds counts bits from 1. -->\n"
      "<ipfix-elements>\n  <scope>\n    <pen>" +
      number(pen) + "</pen>\n    <name>whiteowl</name>\n    <biflow mode=\"split\">" +
      number(std::bit_width(kReverseBit)) + "</biflow>\n  </scope>\n";
  for (const Element& row : kElements) {
    if (!is_ours(row)) continue;
    text += "  <element>\n    <id>" + number(row.id) + "</id>\n    <name>" + std::string{row.name} +
            "</name>\n    <dataType>" + std::string{type_name(row.type)} + "</dataType>\n    <dataSemantics>" +
            std::string{semantics_name(row.semantics)} + "</dataSemantics>\n    <units>" +
            std::string{libfds_unit(row.unit)} + "</units>\n    <status>current</status>\n  </element>\n";
  }
  return text + "</ipfix-elements>\n";
}

std::string telegraf(std::uint32_t pen) {
  std::string text =
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# Telegraf, inputs.netflow: the elements of chompy-probe.  Made by chompy-probe --print-mapping telegraf.\n"
      "#   private_enterprise_number_files = [\"/etc/telegraf/chompy-probe.csv\"]\n";
  for (const Element& row : kElements) {
    if (is_ours(row)) text += number(pen) + "." + number(row.id) + "," + std::string{row.name} + ",uint\n";
  }
  return text;
}

std::string column_type(const Element& row) { return "UInt" + number(8U * row.octets); }

std::string clickhouse() {
  const auto custom = unknown_to(kMessageFields);
  const auto queue_type = [](const MessageField& field) -> std::string {
    if (field.type == "bytes") return "FixedString(16)";
    if (field.type == kLong) return "UInt64";
    return field.type == kWord ? "UInt32" : "Array(UInt32)";
  };
  std::string queue, table, select;
  const auto add = [](std::string& list, const std::string& line) {
    list += (list.empty() ? "    " : ",\n    ") + line;
  };
  for (const MessageField& field : kMessageFields) {
    const std::string name{field.name};
    add(queue, name + " " + queue_type(field));
    add(table, name + " " + std::string{field.column_type});
    if (field.type == "bytes" && name == "sampler_address")
      add(select,
          "whiteowl_address(sampler_address, substring(sampler_address, 5) = toFixedString('', 12)) AS " + name);
    else if (field.type == "bytes")
      add(select, "whiteowl_address(" + name + ", etype = 0x0800) AS " + name);
    else
      add(select, field.conversion.empty() ? name : std::string{field.conversion} + " AS " + name);
  }
  for (const Element* row : custom) {
    const std::string name{row->name};
    add(queue, name + (row->octets > 4 ? " UInt64" : " UInt32"));
    add(table, name + " " + column_type(*row));
    add(select, name);
  }
  return "-- SPDX-License-Identifier: Apache-2.0\n"
         "-- ClickHouse: flows from goflow2 by way of Kafka.  Made by chompy-probe --print-mapping clickhouse.\n"
         "--   goflow2 -listen 'netflow://:2055?workers=1' -transport=kafka -transport.kafka.brokers=kafka:9092 \\\n"
         "--       -transport.kafka.topic=flows_raw -format=bin -mapping=mapping.yaml\n"
         "-- whiteowl.proto goes into format_schema_path.  A column of a field that is not exported is 0.\n"
         "-- Addresses come left-aligned in 16 octets; IPv4 ones are stored as ::ffff:a.b.c.d.\n"
         "CREATE FUNCTION IF NOT EXISTS whiteowl_address AS (octets, is_ipv4) -> if(is_ipv4,\n"
         "    IPv4ToIPv6(reinterpretAsUInt32(reverse(substring(octets, 1, 4)))), CAST(octets AS IPv6));\n\n"
         "CREATE TABLE IF NOT EXISTS flows_queue\n(\n" +
         queue +
         "\n)\nENGINE = Kafka\nSETTINGS kafka_broker_list = 'kafka:9092', kafka_topic_list = 'flows_raw',\n"
         "    kafka_group_name = 'clickhouse-flows', kafka_format = 'Protobuf',\n"
         "    kafka_schema = 'whiteowl.proto:FlowMessage', kafka_handle_error_mode = 'stream', "
         "kafka_num_consumers = 1;\n\n"
         "CREATE TABLE IF NOT EXISTS flows_raw\n(\n" +
         table +
         "\n)\nENGINE = MergeTree\nPARTITION BY toDate(time_received_ns)\n"
         "ORDER BY (toStartOfHour(time_received_ns), sampler_address, src_addr, dst_addr)\n"
         "TTL toDateTime(time_received_ns) + INTERVAL 30 DAY;\n\n"
         "CREATE MATERIALIZED VIEW IF NOT EXISTS flows_raw_view TO flows_raw AS\nSELECT\n" +
         select + "\nFROM flows_queue\nWHERE length(_error) = 0;\n";
}

std::string clickhouse_message() {
  std::string text =
      "// SPDX-License-Identifier: Apache-2.0\n"
      "// goflow2's message as far as chompy-probe fills it, with the fields that mapping.yaml adds.  Made by\n"
      "// chompy-probe --print-mapping clickhouse-proto.\n"
      "syntax = \"proto3\";\npackage flowpb;\n\nmessage FlowMessage {\n";
  const auto add = [&](std::string_view type, std::string_view name, const std::string& index) {
    text += "  " + std::string{type} + " " + std::string{name} + " = " + index + ";\n";
  };
  for (const MessageField& field : kMessageFields) add(field.type, field.name, number(field.index));
  for (const Element* row : unknown_to(kMessageFields)) add(row->octets > 4 ? kLong : kWord, row->name, index_of(*row));
  return text + "}\n";
}

}  // namespace

std::string collector_mapping(std::string_view kind, std::uint32_t enterprise_number) {
  if (kind == "goflow2") return goflow2(enterprise_number);
  if (kind == "nfacctd") return nfacctd_primitives(enterprise_number);
  if (kind == "nfacctd-conf") return nfacctd_configuration();
  if (kind == "libfds") return libfds(enterprise_number);
  if (kind == "telegraf") return telegraf(enterprise_number);
  if (kind == "clickhouse") return clickhouse();
  return clickhouse_message();
}

}  // namespace whiteowl
