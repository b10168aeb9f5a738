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

TEST_CASE("the list of fields has a line for each row") {
  const std::string text = list_fields(32473);
  std::istringstream lines{text};
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) ++count;
  CHECK(count == kElements.size() + 1);
  CHECK(text.find("32473/4") != std::string::npos);
  for (const Element& element : kElements) CHECK(text.find(element.name) != std::string::npos);
}
