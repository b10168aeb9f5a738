// SPDX-License-Identifier: Apache-2.0
// The files under etc/collectors agree with the table of elements.  UPDATE_DOCS=1 in the environment writes them anew.
#include "whiteowl/ipfix/mapping.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "whiteowl/ipfix/elements.hpp"

using namespace whiteowl;

namespace {

const std::string kFolder = WHITEOWL_SOURCE_DIR "/etc/collectors/";

const std::map<std::string, std::string> kFiles = {{"goflow2", "goflow2/mapping.yaml"},
                                                   {"nfacctd", "pmacct/primitives.lst"},
                                                   {"nfacctd-conf", "pmacct/nfacctd.conf"},
                                                   {"libfds", "libfds/chompy-probe.xml"},
                                                   {"telegraf", "telegraf/chompy-probe.csv"},
                                                   {"clickhouse", "clickhouse/flows.sql"},
                                                   {"clickhouse-proto", "clickhouse/whiteowl.proto"}};

std::string read(const std::string& name) {
  std::ifstream file{kFolder + name};
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// All that the first group of `pattern` matches in the text, in order.
std::vector<std::string> found(const std::string& text, const std::string& pattern) {
  const std::regex expression{pattern};
  std::vector<std::string> all;
  for (std::sregex_iterator it{text.begin(), text.end(), expression}, end; it != end; ++it) all.push_back((*it)[1]);
  return all;
}
std::set<std::string> as_set(const std::vector<std::string>& list) { return {list.begin(), list.end()}; }

std::set<std::string> names_of_ours() {
  std::set<std::string> names;
  for (const Element& element : kElements) {
    if (element.registry == Registry::ours) names.insert(std::string{element.name});
  }
  return names;
}

}  // namespace

TEST_CASE("the collectors' files are the table's") {
  CHECK(kFiles.size() == kMappingKinds.size());
  const char* const update = std::getenv("UPDATE_DOCS");
  for (const std::string_view kind : kMappingKinds) {
    const std::string& file = kFiles.at(std::string{kind});
    const std::string rendered = collector_mapping(kind, 99999);
    if (update != nullptr && std::string_view{update} == "1") std::ofstream{kFolder + file} << rendered;
    INFO("run with UPDATE_DOCS=1 to write etc/collectors/" << file << " anew");
    CHECK(read(file) == rendered);
  }
}

TEST_CASE("every element of ours is in every file, under the number asked for") {
  const auto ours = names_of_ours();
  REQUIRE(ours.size() == 41);
  CHECK(as_set(found(collector_mapping("telegraf", 32473), R"(32473\.\d+,(\w+),uint\n)")) == ours);
  CHECK(as_set(found(collector_mapping("libfds", 32473), R"(<name>([a-z_0-9]+)</name>\s+<dataType>)")) == ours);
  CHECK(collector_mapping("libfds", 32473).find("<pen>32473</pen>") != std::string::npos);
  CHECK(as_set(found(collector_mapping("nfacctd", 32473), R"(name=(\w+) field_type=32473:)")) == ours);
  CHECK(as_set(found(collector_mapping("goflow2", 32473), R"(pen: 32473\s+destination: (\w+))")) == ours);
  for (const std::string_view kind : kMappingKinds)
    CHECK(collector_mapping(kind, 32473).find("99999") == std::string::npos);
}

TEST_CASE("libfds is told the bit of reverse elements as it counts: bit 1 is the lowest") {
  // libfds 0.6: the reverse id is id | 1 << (number - 1), and without a number its file is not valid.
  const auto bits = found(collector_mapping("libfds", 99999), R"re(<biflow mode="split">(\d+)</biflow>)re");
  REQUIRE(bits.size() == 1);
  constexpr unsigned kReverseOfOne = 0x4001;  // as the manual says: bit 14 from 0, value 16384
  CHECK((1U | 1U << (std::stoul(bits.front()) - 1)) == kReverseOfOne);
}

TEST_CASE("what goflow2 writes, the protobuf schema and the ClickHouse tables know, under one name and number") {
  const std::string mapping = collector_mapping("goflow2", 99999);
  const std::string schema = collector_mapping("clickhouse-proto", 99999);
  const std::string tables = collector_mapping("clickhouse", 99999);
  // Each field that is shown is one of goflow2's message or defined, each defined one is mapped.
  const auto defined = found(mapping, R"(- name: (\w+))");
  CHECK(as_set(defined) == as_set(found(mapping, R"(destination: (\w+))")));
  CHECK(as_set(defined).size() == defined.size());
  std::map<std::string, std::string> numbers;
  const std::regex field{R"((\w+) = (\d+);)"};
  for (std::sregex_iterator it{schema.begin(), schema.end(), field}, end; it != end; ++it) numbers[(*it)[1]] = (*it)[2];
  const auto indexes = found(mapping, R"(index: (\d+))");
  REQUIRE(indexes.size() == defined.size());
  for (std::size_t i = 0; i < defined.size(); ++i) {
    CAPTURE(defined[i]);
    CHECK(numbers[defined[i]] == indexes[i]);
  }
  CHECK(as_set(indexes).size() == indexes.size());
  CHECK(numbers["min_rtt_us"] == "2001");
  CHECK(numbers["tcp_quality"] == "2139");
  CHECK(numbers["flowEndReason"] == "3136");
  // Columns of the queue, of the table, and of the view between them.
  const auto queue_at = tables.find("CREATE TABLE IF NOT EXISTS flows_queue");
  const auto table_at = tables.find("CREATE TABLE IF NOT EXISTS flows_raw");
  const auto view_at = tables.find("CREATE MATERIALIZED VIEW");
  REQUIRE(queue_at < table_at);
  REQUIRE(table_at < view_at);
  REQUIRE(view_at != std::string::npos);
  const auto column = R"(\n    (\w+) [A-Z][\w()]+)";
  const auto queue = found(tables.substr(queue_at, table_at - queue_at), column);
  const auto table = found(tables.substr(table_at, view_at - table_at), column);
  CHECK(queue.size() == numbers.size());
  for (const std::string& name : queue) CHECK(numbers.count(name) == 1);
  CHECK(queue == table);
  auto selected = found(tables.substr(view_at), R"((\w+),?\n)");
  selected.erase(selected.begin(), std::find(selected.begin(), selected.end(), "time_received_ns"));
  selected.resize(table.size());
  CHECK(selected == table);
}
