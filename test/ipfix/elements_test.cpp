// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/ipfix/elements.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

using namespace whiteowl;

namespace {

struct Registered {
  unsigned id;
  std::string type;
};

// The rows of IANA's registry that are used here.
std::map<std::string, Registered> registry() {
  std::ifstream file{WHITEOWL_SOURCE_DIR "/test/data/iana-ipfix.csv"};
  std::map<std::string, Registered> rows;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream cells{line};
    std::string name, id, type;
    std::getline(cells, name, ',');
    std::getline(cells, id, ',');
    std::getline(cells, type, ',');
    rows[name] = {static_cast<unsigned>(std::stoul(id)), type};
  }
  return rows;
}

// Abstract data types: code of RFC 5610 3.1 and octets of RFC 7011 6.1.
const std::map<std::string, std::pair<unsigned, unsigned>> kTypes = {
    {"octetArray", {0, 3}},   {"unsigned8", {1, 1}},     {"unsigned16", {2, 2}},
    {"unsigned32", {3, 4}},   {"unsigned64", {4, 8}},    {"macAddress", {12, 6}},
    {"ipv4Address", {18, 4}}, {"ipv6Address", {19, 16}}, {"dateTimeMilliseconds", {15, 8}}};

}  // namespace

TEST_CASE("every row of IANA's number space agrees with IANA's registry") {
  const auto rows = registry();
  REQUIRE(rows.size() > 20);
  for (const Element& element : kElements) {
    if (element.registry == Registry::ours) continue;
    CAPTURE(element.name);
    const auto row = rows.find(std::string{element.name});
    REQUIRE(row != rows.end());
    CHECK(element.id == row->second.id);
    const auto [code, octets] = kTypes.at(row->second.type);
    // tcpControlBits goes in one octet: reduced-size encoding (RFC 7011 6.2), as the standard template wants.
    if (element.name == "tcpControlBits") {
      CHECK(element.octets == 1);
      continue;
    }
    CHECK(static_cast<unsigned>(element.type) == code);
    CHECK(element.octets == octets);
  }
}

TEST_CASE("names and numbers are unique, ours stay below the reverse bit and out of 7 to 99") {
  std::set<std::string_view> names;
  std::set<std::pair<Registry, unsigned>> numbers;
  for (const Element& element : kElements) {
    CAPTURE(element.name);
    CHECK(names.insert(element.name).second);
    CHECK(numbers.insert({element.registry, element.id}).second);
    CHECK_FALSE(element.meaning.empty());
    CHECK(element.meaning.back() == '.');
    if (element.registry == Registry::iana) continue;
    CHECK(element.id < 16384);
    CHECK((element.id <= 6 || element.id >= 100));
  }
  for (const ElementPair& pair : kElementPairs) {
    CHECK(names.count(pair.ipv4) == 1);
    CHECK(names.count(pair.ipv6) == 1);
  }
}

TEST_CASE("a list of fields is checked, and a wrong name answered with the nearest right one") {
  CHECK(check_fields({"standard"}).empty());
  CHECK(check_fields({"extended"}).empty());
  CHECK(check_fields({"sourceIPv4Address", "packetDeltaCount"}).empty());
  CHECK(check_fields({"standard", "flowEndReason"}).empty());
  CHECK(check_fields({"sourceIPv4Adress"}).find("did you mean \"sourceIPv4Address\"?") != std::string::npos);
  CHECK(check_fields({"extendd"}).find("\"extended\"") != std::string::npos);
  CHECK_FALSE(check_fields({}).empty());
  CHECK_FALSE(check_fields({"packetDeltaCount", "packetDeltaCount"}).empty());
  CHECK_FALSE(check_fields({"standard", "extended"}).empty());
  CHECK_FALSE(check_fields({"min_rtt_us"}).empty());
  CHECK_FALSE(check_fields({"icmpTypeCodeIPv4", "min_rtt_us"}).empty());
}

TEST_CASE("the list of fields has a line for each row, with number, type, octets, unit, kind and meaning") {
  const std::string text = list_fields(32473);
  std::istringstream lines{text};
  std::map<std::string, std::string> by_name;
  for (std::string line; std::getline(lines, line) && !line.empty();) by_name[line.substr(0, line.find(' '))] = line;
  CHECK(by_name.size() == kElements.size() + 1);
  for (const Element& element : kElements) CHECK(by_name.count(std::string{element.name}) == 1);
  const auto cells = [&](const std::string& name) {
    std::istringstream words{by_name.at(name)};
    std::vector<std::string> first(6);
    for (std::string& word : first) words >> word;
    return first;
  };
  using Cells = std::vector<std::string>;
  CHECK(cells("NAME") == Cells{"NAME", "PEN/ID", "TYPE", "OCTETS", "UNIT", "KIND"});
  CHECK(cells("octetDeltaCount") == Cells{"octetDeltaCount", "0/1", "unsigned64", "8", "octets", "C"});
  CHECK(cells("zero_window_us") == Cells{"zero_window_us", "32473/124", "unsigned32", "4", "us", "C"});
  CHECK(cells("smoothed_rtt_us") == Cells{"smoothed_rtt_us", "32473/108", "unsigned32", "4", "us", "E"});
  CHECK(cells("tcp_quality") == Cells{"tcp_quality", "32473/139", "unsigned16", "2", "-", "A"});
  CHECK(cells("max_scaled_window") == Cells{"max_scaled_window", "32473/127", "unsigned32", "4", "octets", "X"});
}

TEST_CASE("the TCP fields of the product's table have its names, widths, units and kinds") {
  struct Row {
    unsigned id;
    const char* name;
    unsigned octets;
    char kind;
    Unit unit;
  };
  using enum Unit;
  const Row kRows[] = {
      {1, "min_rtt_us", 4, 'X', microseconds},
      {2, "max_rtt_us", 4, 'X', microseconds},
      {3, "avg_rtt_us", 4, 'X', microseconds},
      {4, "retransmit_count", 4, 'C', packets},
      {5, "min_tcp_window", 2, 'X', octets},
      {6, "max_tcp_window", 2, 'X', octets},
      {107, "rtt_sample_count", 4, 'C', none},
      {108, "smoothed_rtt_us", 4, 'E', microseconds},
      {109, "rtt_variation_us", 4, 'E', microseconds},
      {110, "handshake_rtt_us", 4, 'A', microseconds},
      {111, "handshake_total_us", 4, 'A', microseconds},
      {112, "ts_min_rtt_us", 4, 'X', microseconds},
      {113, "retransmit_octets", 8, 'C', octets},
      {114, "retransmit_fast_count", 4, 'C', packets},
      {115, "retransmit_timeout_count", 4, 'C', none},
      {116, "retransmit_spurious_count", 2, 'C', packets},
      {117, "dsack_count", 2, 'C', none},
      {118, "out_of_order_count", 4, 'C', packets},
      {119, "duplicate_packet_count", 4, 'C', packets},
      {120, "duplicate_ack_count", 4, 'C', packets},
      {121, "syn_retransmit_count", 2, 'C', packets},
      {122, "keepalive_count", 2, 'C', packets},
      {123, "zero_window_count", 2, 'C', none},
      {124, "zero_window_us", 4, 'C', microseconds},
      {125, "zero_window_probe_count", 2, 'C', packets},
      {126, "min_scaled_window", 4, 'X', octets},
      {127, "max_scaled_window", 4, 'X', octets},
      {128, "tcp_mss", 2, 'A', octets},
      {129, "ecn_ce_count", 4, 'C', packets},
      {130, "ecn_ece_count", 4, 'C', packets},
      {131, "ecn_cwr_count", 2, 'C', packets},
      {132, "response_count", 4, 'C', none},
      {133, "response_sum_us", 8, 'C', microseconds},
      {134, "response_max_us", 4, 'X', microseconds},
      {135, "unseen_octets", 8, 'C', octets},
      {136, "unique_octets", 8, 'C', octets},
      {137, "max_in_flight_octets", 4, 'X', octets},
      {138, "tcp_state", 1, 'A', none},
      {139, "tcp_quality", 2, 'A', none},
  };
  std::size_t found = 0;
  for (const Element& element : kElements) found += element.registry == Registry::ours && element.id < 140 ? 1U : 0U;
  CHECK(found == std::size(kRows));
  for (const Row& row : kRows) {
    CAPTURE(row.name);
    const Element* element = find_element(row.name);
    REQUIRE(element != nullptr);
    CHECK(element->registry == Registry::ours);
    CHECK(element->id == row.id);
    CHECK(element->octets == row.octets);
    CHECK(kind_letter(element->kind) == row.kind);
    CHECK(element->unit == row.unit);
    CHECK(element->carried == Carried::tcp);
    // Counters are deltas (RFC 7012 3.2.3), and only they.
    CHECK((element->semantics == Semantics::delta) == (row.kind == 'C'));
  }
}

TEST_CASE("a description says the unit and the kind") {
  CHECK(description(*find_element("unseen_octets")) ==
        "Payload acknowledged but never seen: lost by the capture, or on another path (octets, count).");
  CHECK(description(*find_element("tunnel_id")).ends_with("(attribute)."));
}
