// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/ipfix/template.hpp"

#include <doctest/doctest.h>

#include <set>

#include "support/ipfix_reader.hpp"
#include "support/random_record.hpp"
#include "whiteowl/base/error.hpp"
#include "whiteowl/ipfix/elements.hpp"
#include "whiteowl/ipfix/message.hpp"

using namespace whiteowl;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes to_bytes(std::initializer_list<unsigned> values) {
  Bytes bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::uint8_t>(value));
  return bytes;
}

// The table of the product's description, by hand: id (2), length (2), and for ours the PEN 99999 = 0x0001869F.
const Bytes kStandardIpv4 = to_bytes({
    1,    0,   0, 19,                    // template 256, 19 fields
    0,    8,   0, 4,                     // sourceIPv4Address
    0,    12,  0, 4,                     // destinationIPv4Address
    0,    7,   0, 2,                     // sourceTransportPort
    0,    11,  0, 2,                     // destinationTransportPort
    0,    4,   0, 1,                     // protocolIdentifier
    0,    2,   0, 8,                     // packetDeltaCount
    0,    1,   0, 8,                     // octetDeltaCount
    0,    56,  0, 6,                     // sourceMacAddress
    0,    80,  0, 6,                     // destinationMacAddress
    0,    6,   0, 1,                     // tcpControlBits
    0,    152, 0, 8,                     // flowStartMilliseconds
    0,    153, 0, 8,                     // flowEndMilliseconds
    0,    10,  0, 4,                     // ingressInterface
    0x80, 1,   0, 4,  0, 1, 0x86, 0x9F,  // min_rtt_us
    0x80, 2,   0, 4,  0, 1, 0x86, 0x9F,  // max_rtt_us
    0x80, 3,   0, 4,  0, 1, 0x86, 0x9F,  // avg_rtt_us
    0x80, 4,   0, 4,  0, 1, 0x86, 0x9F,  // retransmit_count
    0x80, 5,   0, 2,  0, 1, 0x86, 0x9F,  // min_tcp_window
    0x80, 6,   0, 2,  0, 1, 0x86, 0x9F,  // max_tcp_window
});

// The list of the extended TCP fields, number by number.
std::uint64_t extended_in(const FlowRecord& r, std::uint16_t id) {
  switch (id) {
    case 107:
      return r.tcp_extended.rtt_sample_count;
    case 108:
      return r.tcp_extended.smoothed_rtt_us;
    case 109:
      return r.tcp_extended.rtt_variation_us;
    case 110:
      return r.tcp_extended.handshake_rtt_us;
    case 111:
      return r.tcp_extended.handshake_total_us;
    case 112:
      return r.tcp_extended.ts_min_rtt_us;
    case 113:
      return r.tcp_extended.retransmit_octets;
    case 114:
      return r.tcp_extended.retransmit_fast_count;
    case 115:
      return r.tcp_extended.retransmit_timeout_count;
    case 116:
      return r.tcp_extended.retransmit_spurious_count;
    case 117:
      return r.tcp_extended.dsack_count;
    case 118:
      return r.tcp_extended.out_of_order_count;
    case 119:
      return r.tcp_extended.duplicate_packet_count;
    case 120:
      return r.tcp_extended.duplicate_ack_count;
    case 121:
      return r.tcp_extended.syn_retransmit_count;
    case 122:
      return r.tcp_extended.keepalive_count;
    case 123:
      return r.tcp_extended.zero_window_count;
    case 124:
      return r.tcp_extended.zero_window_us;
    case 125:
      return r.tcp_extended.zero_window_probe_count;
    case 126:
      return r.tcp_extended.min_scaled_window;
    case 127:
      return r.tcp_extended.max_scaled_window;
    case 128:
      return r.tcp_extended.tcp_mss;
    case 129:
      return r.tcp_extended.ecn_ce_count;
    case 130:
      return r.tcp_extended.ecn_ece_count;
    case 131:
      return r.tcp_extended.ecn_cwr_count;
    case 132:
      return r.tcp_extended.response_count;
    case 133:
      return r.tcp_extended.response_sum_us;
    case 134:
      return r.tcp_extended.response_max_us;
    case 135:
      return r.tcp_extended.unseen_octets;
    case 136:
      return r.tcp_extended.unique_octets;
    case 137:
      return r.tcp_extended.max_in_flight_octets;
    case 138:
      return r.tcp_extended.tcp_state;
    case 139:
      return r.tcp_extended.quality;
    default:
      FAIL("no such element of ours: ", id);
  }
  return 0;
}

// What a record says, by element: the obvious way, apart from the table.
std::uint64_t number_in(const FlowRecord& r, std::uint32_t pen, std::uint16_t id) {
  const auto milliseconds = [](Timestamp t) {
    return static_cast<std::uint64_t>(t.time_since_epoch().count() / 1'000'000);
  };
  if (pen != 0) {
    switch (id) {
      case 1:
        return r.tcp.min_rtt_us;
      case 2:
        return r.tcp.max_rtt_us;
      case 3:
        return r.tcp.avg_rtt_us;
      case 4:
        return r.tcp.retransmit_count;
      case 5:
        return r.tcp.min_tcp_window;
      case 6:
        return r.tcp.max_tcp_window;
      case 140:
        return static_cast<std::uint64_t>(r.tunnel_type);
      case 141:
        return r.tunnel_id;
      default:
        return extended_in(r, id);
    }
  }
  switch (id) {
    case 1:
      return r.octets;
    case 2:
      return r.packets;
    case 4:
      return r.protocol;
    case 5:
      return r.traffic_class;
    case 6:
      return r.tcp_control_bits & 0xFFU;
    case 7:
      return r.source_port;
    case 10:
      return r.ingress_interface;
    case 11:
    case 32:
    case 139:
      return r.destination_port;
    case 14:
      return r.egress_interface;
    case 52:
      return r.min_ttl;
    case 53:
      return r.max_ttl;
    case 58:
      return r.vlan_id;
    case 61:
      return r.flow_direction;
    case 70:
      return r.mpls_label == 0xFFFFFFFF ? 0 : r.mpls_label;
    case 136:
      return static_cast<std::uint64_t>(r.end_reason);
    case 148:
      return r.flow_id;
    case 152:
      return milliseconds(r.start);
    case 153:
      return milliseconds(r.end);
    case 209:
      return r.tcp_extended.tcp_options;
    case 238:
      return r.tcp_extended.tcp_window_scale;
    case 239:
      return static_cast<std::uint64_t>(r.biflow_direction);
    case 245:
      return r.customer_vlan_id;
    case 351:
      if (r.tunnel_type != TunnelType::vxlan && r.tunnel_type != TunnelType::nvgre) return 0;
      return static_cast<std::uint64_t>(r.tunnel_type) * 0x0100000000000000U + r.tunnel_id;
    case 507:
      return r.tunnel_type == TunnelType::gtpu ? r.tunnel_id : 0;
    default:
      FAIL("unexpected element ", id);
  }
  return 0;
}

void check_field(const FlowRecord& r, const ipfix_reader::Field& field) {
  CAPTURE(field.id);
  const auto same = [&](const std::uint8_t* octets, std::size_t size) {
    return field.bytes == Bytes(octets, octets + size);
  };
  switch (field.pen == 0 ? field.id : 0) {
    case 8:
      CHECK(same(r.source_address.octets.data(), 4));
      return;
    case 12:
      CHECK(same(r.destination_address.octets.data(), 4));
      return;
    case 27:
      CHECK(same(r.source_address.octets.data(), 16));
      return;
    case 28:
      CHECK(same(r.destination_address.octets.data(), 16));
      return;
    case 56:
      CHECK(same(r.source_mac.octets.data(), 6));
      return;
    case 80:
      CHECK(same(r.destination_mac.octets.data(), 6));
      return;
    default:
      CHECK(field.number() == number_in(r, field.pen, field.id));
  }
}

// Writes random records by these templates, reads them back and compares; returns the (pen, id) seen.
std::set<std::pair<std::uint32_t, std::uint16_t>> round_trip(const IpfixSettings& settings) {
  const Templates templates{settings};
  std::mt19937_64 random{42};
  ipfix_reader::Reader reader;
  MessageWriter writer{7};
  writer.clear(65'535);
  for (const Template& one : templates.all()) {
    const Bytes record = template_record(one, settings.enterprise_number);
    std::uint8_t* place = writer.add(kTemplateSetId, record.size(), false);
    REQUIRE(place != nullptr);
    std::copy(record.begin(), record.end(), place);
  }
  static_cast<void>(reader.read(writer.finish(0, 0)));
  std::set<std::pair<std::uint32_t, std::uint16_t>> seen;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const FlowRecord record = random_record(random);
    const Template& form = templates.of(record);
    writer.clear(65'535);
    std::uint8_t* place = writer.add(form.id, form.octets, form.octets >= 4);
    form.encode(record, place);
    const auto message = reader.read(writer.finish(i, 0));
    REQUIRE(message.records.size() == 1);
    for (const auto& field : message.records[0].fields) {
      check_field(record, field);
      seen.insert({field.pen, field.id});
    }
  }
  CHECK(reader.faults.empty());
  return seen;
}

}  // namespace

TEST_CASE("the standard templates are those of the product's description, byte for byte") {
  const Templates templates{IpfixSettings{}};
  REQUIRE(templates.all().size() == 2);
  CHECK(template_record(templates.all()[0], 99999) == kStandardIpv4);
  CHECK(templates.all()[0].octets == 82);
  Bytes ipv6 = kStandardIpv4;
  ipv6[1] = 1;
  ipv6[5] = 27;
  ipv6[7] = 16;
  ipv6[9] = 28;
  ipv6[11] = 16;
  CHECK(template_record(templates.all()[1], 99999) == ipv6);
  CHECK(templates.all()[1].octets == 82 + 24);
  CHECK(templates.next_id() == 258);
}

TEST_CASE("without TCP tracking the standard record has 62 octets and nothing of ours") {
  IpfixSettings settings;
  settings.tcp_fields = false;
  const Templates templates{settings};
  CHECK(templates.all()[0].octets == 62);
  Bytes expected{kStandardIpv4.begin(), kStandardIpv4.begin() + 4 + 13 * 4};
  expected[3] = 13;
  CHECK(template_record(templates.all()[0], 99999) == expected);
}

TEST_CASE("the standard template serves all protocols, the extended ones are chosen by protocol") {
  FlowRecord udp;
  udp.protocol = 17;
  FlowRecord tcp;
  tcp.protocol = 6;
  FlowRecord icmp;
  icmp.protocol = 1;
  FlowRecord icmpv6;
  icmpv6.protocol = 58;
  icmpv6.ip_version = 6;
  const Templates standard{IpfixSettings{}};
  CHECK(standard.of(udp).id == 256);
  CHECK(standard.of(tcp).id == 256);
  CHECK(standard.of(icmp).id == 256);
  CHECK(standard.of(icmpv6).id == 257);
  IpfixSettings settings;
  settings.fields = {"extended"};
  const Templates extended{settings};
  CHECK(extended.all().size() == 6);
  // The six fields, tcpOptions, tcpWindowScale, and the widths of 107 to 139 by hand: 4 of 8 octets, 19 of 4, 9 of 2
  // and 1 of 1.
  CHECK(extended.of(tcp).octets == extended.of(udp).octets + 20 + 8 + 2 + 4 * 8 + 19 * 4 + 9 * 2 + 1);
  CHECK(extended.of(icmp).octets == extended.of(udp).octets + 2);
}

TEST_CASE("every value put in is read back by a reader that knows only RFC 7011") {
  IpfixSettings settings;
  CHECK(round_trip(settings).size() == 21);
  settings.tcp_fields = false;
  CHECK(round_trip(settings).size() == 15);
  settings.tcp_fields = true;
  settings.fields = {"extended"};
  settings.enterprise_number = 32473;
  CHECK(round_trip(settings).size() == kElements.size());
  settings.tcp_fields = false;
  CHECK(round_trip(settings).size() == kElements.size() - 6 - 33 - 2);
  settings.tcp_fields = true;
  settings.fields.clear();
  for (const Element& element : kElements) settings.fields.emplace_back(element.name);
  CHECK(round_trip(settings).size() == kElements.size());
  settings.fields = {"protocolIdentifier"};  // one octet: padding would be read as records
  CHECK(round_trip(settings).size() == 1);
}

TEST_CASE("a Biflow's template has the reverse of what is not said once, under RFC 5103's numbers") {
  IpfixSettings settings;
  settings.biflow = true;
  const Templates templates{settings};
  FlowRecord tcp;
  tcp.protocol = 6;
  FlowRecord udp6;
  udp6.protocol = 17;
  udp6.ip_version = 6;
  FlowRecord icmp;
  icmp.protocol = 1;
  // The templates of one direction are those without Biflows.
  REQUIRE(templates.all().size() == 4);
  CHECK(template_record(templates.all()[0], 99999) == kStandardIpv4);
  CHECK(templates.of_both(icmp) == nullptr);
  REQUIRE(templates.of_both(tcp) != nullptr);
  CHECK(templates.of_both(tcp)->id == 258);
  CHECK(templates.of_both(udp6)->id == 259);
  CHECK(templates.next_id() == 260);
  Bytes expected = kStandardIpv4;
  expected[1] = 2;
  expected[3] = 19 + 11;
  const auto iana = [&](unsigned id, unsigned octets) {  // 29305 = 0x00007279
    for (const unsigned o : {0x80U, id, 0U, octets, 0U, 0U, 0x72U, 0x79U})
      expected.push_back(static_cast<std::uint8_t>(o));
  };
  const auto ours = [&](unsigned id, unsigned octets) {
    for (const unsigned o : {0xC0U, id, 0U, octets, 0U, 1U, 0x86U, 0x9FU})
      expected.push_back(static_cast<std::uint8_t>(o));
  };
  iana(2, 8);    // reversePacketDeltaCount
  iana(1, 8);    // reverseOctetDeltaCount
  iana(6, 1);    // reverseTcpControlBits
  iana(152, 8);  // reverseFlowStartMilliseconds
  iana(153, 8);  // reverseFlowEndMilliseconds
  for (unsigned id = 1; id <= 4; ++id) ours(id, 4);
  for (unsigned id = 5; id <= 6; ++id) ours(id, 2);
  CHECK(template_record(*templates.of_both(tcp), 99999) == expected);
  CHECK(templates.of_both(tcp)->octets == 82 + 8 + 8 + 1 + 8 + 8 + 20);
  CHECK(templates.shortest_message() <= MessageWriter::kMinLimit);
  settings.fields = {"extended"};
  CHECK(Templates{settings}.shortest_message() > MessageWriter::kMinLimit);
}

TEST_CASE("a Biflow is read back with the values of both directions") {
  std::mt19937_64 random{5};
  for (const char* fields : {"standard", "extended"}) {
    IpfixSettings settings;
    settings.biflow = true;
    settings.fields = {fields};
    const Templates templates{settings};
    ipfix_reader::Reader reader;
    MessageWriter writer{7};
    writer.clear(65'535);
    for (const Template& one : templates.all()) {
      const Bytes record = template_record(one, settings.enterprise_number);
      std::copy(record.begin(), record.end(), writer.add(kTemplateSetId, record.size(), false));
    }
    static_cast<void>(reader.read(writer.finish(0, 0)));
    for (std::uint32_t i = 0; i < 500; ++i) {
      const FlowRecord front = random_record(random);
      FlowRecord back = random_record(random);
      while (kind_of(back) != kind_of(front)) back = random_record(random);
      const Template* form = templates.of_both(front);
      if (form == nullptr) continue;
      writer.clear(65'535);
      form->encode(front, back, writer.add(form->id, form->octets, true));
      const auto message = reader.read(writer.finish(0, 0));
      REQUIRE(message.records.size() == 1);
      for (auto field : message.records[0].fields) {
        const bool reversed = field.pen == 29'305 || (field.pen != 0 && (field.id & 0x4000U) != 0);
        if (field.pen == 29'305) field.pen = 0;
        field.id = static_cast<std::uint16_t>(field.id & 0x3FFFU);
        check_field(reversed ? back : front, field);
      }
    }
  }
}

TEST_CASE("a list of names keeps its order and gives IPv6 records the IPv6 elements") {
  IpfixSettings settings;
  settings.fields = {"octetDeltaCount", "destinationIPv4Address", "max_rtt_us"};
  const Templates templates{settings};
  FlowRecord record;
  record.protocol = 6;
  record.ip_version = 6;
  const auto& elements = templates.of(record).elements;
  REQUIRE(elements.size() == 3);
  CHECK(elements[0]->name == "octetDeltaCount");
  CHECK(elements[1]->name == "destinationIPv6Address");
  CHECK(elements[2]->name == "max_rtt_us");
  record.ip_version = 4;
  CHECK(templates.of(record).elements[1]->name == "destinationIPv4Address");
  record.protocol = 17;
  CHECK(templates.of(record).elements.size() == 2);
  CHECK(templates.all().size() == 4);
}

TEST_CASE("the extended TCP figures are metered when, and only when, a field asks for them") {
  const auto needed = [](std::vector<std::string> fields, bool tcp_fields) {
    IpfixSettings settings;
    settings.fields = std::move(fields);
    settings.tcp_fields = tcp_fields;
    return needs_extended_tcp(settings);
  };
  CHECK_FALSE(needed({"standard"}, true));
  CHECK(needed({"extended"}, true));
  CHECK_FALSE(needed({"extended"}, false));
  CHECK_FALSE(needed({"packetDeltaCount", "min_rtt_us", "flowId", "tunnel_id"}, true));
  CHECK(needed({"packetDeltaCount", "tcp_state"}, true));
  CHECK(needed({"standard", "tcpOptions"}, true));
}

TEST_CASE("wrong fields and ids are refused at start with exit status 78") {
  const auto status_of = [](const IpfixSettings& settings) {
    try {
      Templates{settings};
    } catch (const StartError& error) {
      return static_cast<int>(error.status());
    }
    return 0;
  };
  IpfixSettings settings;
  CHECK(status_of(settings) == 0);
  settings.template_id = 255;
  CHECK(status_of(settings) == 78);
  settings.template_id = 65'521;
  CHECK(status_of(settings) == 78);
  settings.template_id = 65'520;
  CHECK(status_of(settings) == 0);
  settings.fields = {"sourceAddress"};
  CHECK(status_of(settings) == 78);
  settings.fields = {"packetDeltaCount", "min_rtt_us"};
  CHECK(status_of(settings) == 0);
}

TEST_CASE("times before 1970 cannot be said in IPFIX and become 0") {
  CHECK(to_milliseconds(Timestamp{Duration{-1}}).since_1970 == 0);
  CHECK(to_milliseconds(Timestamp{Duration{1'999'999}}).since_1970 == 1);
}
