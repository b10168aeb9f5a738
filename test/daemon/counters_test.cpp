// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/counters.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

using namespace whiteowl;

namespace {

struct FakeWorker {
  CaptureCounters capture;
  ClassifierCounters classifier;
  MeterCounters meter;
  TcpCounters tcp;
  QueueCounters queue;
  CounterSources::Reading reading() { return {&capture, &classifier}; }
  CounterSources::Metering metering() { return {&meter, &tcp, &queue}; }
};

// Two workers: 100 packets came, 3 filtered, 2 + 1 + 4 discarded, 20 in tables; 60 in records taken, 5 lost in the
// queue, 3 lost in the exporter: 2 are on their way.
struct Fixture {
  FakeWorker one, two;
  ExportCounters exporter;
  CounterSources sources{{one.reading(), two.reading()}, {one.metering(), two.metering()}, &exporter};

  Fixture() {
    one.capture.packets_received.add(70);
    two.capture.packets_received.add(30);
    one.capture.packets_filtered.add(3);
    two.capture.packets_unsupported.add(4);
    one.classifier.packets_discarded[static_cast<std::size_t>(Discard::not_ip)].add(2);
    two.classifier.packets_discarded[static_cast<std::size_t>(Discard::truncated_ip)].add(1);
    one.meter.packets_in_table.set(15);
    two.meter.packets_in_table.set(5);
    two.queue.packets_in_records_not_sent.add(5);
    exporter.packets_in_records_sent.add(60);
    exporter.packets_in_records_not_sent.add(3);
  }
};

std::uint64_t value(const Fixture& fixture, std::string_view name) {
  for (const auto& row : kCounterTable) {
    if (row.name == name) return row.read(fixture.sources);
  }
  FAIL("no such counter");
  return 0;
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace

TEST_CASE("every counter has a name of its own and a sentence") {
  std::set<std::string_view> names;
  for (const auto& row : kCounterTable) {
    CAPTURE(row.name);
    CHECK(names.insert(row.name).second);
    CHECK(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos);
    CHECK(row.sentence.ends_with('.'));
  }
}

TEST_CASE("a counter is the sum over the workers") {
  Fixture fixture;
  fixture.one.tcp.syn_cache_hits.add(1);
  fixture.two.tcp.syn_cache_hits.add(2);
  CHECK(value(fixture, "packets_received") == 100);
  CHECK(value(fixture, "packets_discarded") == 7);
  CHECK(value(fixture, "packets_in_table") == 20);
  CHECK(value(fixture, "packets_in_records_not_sent") == 8);
  CHECK(value(fixture, "syn_cache_hits") == 3);
}

TEST_CASE("what is on its way through the exporter is what the identity lacks") {
  Fixture fixture;
  CHECK(account(fixture.sources).unaccounted() == 2);
  CHECK_FALSE(account(fixture.sources).holds());
  CHECK(value(fixture, "packets_pending") == 2);
  fixture.exporter.packets_in_records_sent.add(2);
  CHECK(account(fixture.sources).holds());
  CHECK(value(fixture, "packets_pending") == 0);
}

TEST_CASE("a packet counted twice breaks the identity too, and pending stays at nothing") {
  Fixture fixture;
  fixture.exporter.packets_in_records_sent.add(10);
  CHECK(account(fixture.sources).unaccounted() == -8);
  CHECK_FALSE(account(fixture.sources).holds());
  CHECK(value(fixture, "packets_pending") == 0);
}

TEST_CASE("the JSON has every counter, discards by reason") {
  Fixture fixture;
  const auto json = nlohmann::json::parse(counters_json(fixture.sources));
  CHECK(json.size() == kCounterTable.size());
  CHECK(json["packets_received"] == 100);
  CHECK(json["packets_filtered"] == 3);
  CHECK(json["packets_in_records_sent"] == 60);
  CHECK(json["packets_in_records_not_sent"] == 8);
  CHECK(json["packets_discarded"]["not_ip"] == 2);
  CHECK(json["packets_discarded"]["truncated_ip"] == 1);
  CHECK(json["packets_discarded"]["unsupported_link"] == 4);
  CHECK(json["packets_discarded"]["bad_ip_header"] == 0);
  CHECK_FALSE(json["packets_discarded"].contains("none"));
}

TEST_CASE("the interfaces of a live capture are told apart") {
  Fixture fixture;
  std::vector<InterfaceCounters> first(2), second(2);
  for (auto* counters : {&first, &second}) {
    (*counters)[0].name = "eth0";
    (*counters)[1].name = "a\"b";
  }
  first[0].packets_received.add(60);
  second[0].packets_received.add(20);
  second[1].packets_dropped.add(5);
  fixture.sources.readers[0].interfaces = first;
  fixture.sources.readers[1].interfaces = second;
  const auto json = nlohmann::json::parse(counters_json(fixture.sources));
  CHECK(json["interfaces"].size() == 2);
  CHECK(json["interfaces"]["eth0"].size() == kInterfaceCounterTable.size());
  CHECK(json["interfaces"]["eth0"]["packets_received"] == 80);
  CHECK(json["interfaces"]["a\"b"]["packets_dropped"] == 5);
  CHECK(
      counters_line(fixture.sources)
          .ends_with("eth0.packets_received=80 eth0.packets_dropped=0 a\"b.packets_received=0 a\"b.packets_dropped=5"));
}

TEST_CASE("the line has what is not zero and what is looked for first") {
  Fixture fixture;
  const std::string line = counters_line(fixture.sources);
  CHECK(line.starts_with(
      "packets_received=100 packets_dropped=0 packets_filtered=3 packets_discarded=7 "
      "packets_discarded.not_ip=2 packets_discarded.truncated_ip=1 packets_discarded.unsupported_link=4 "));
  CHECK(line.find("ring_freezes") == std::string::npos);
  CHECK(line.find('\n') == std::string::npos);
}

TEST_CASE("the counters replace an older file at once") {
  Fixture fixture;
  const auto path = std::filesystem::temp_directory_path() / ("counters_test." + std::to_string(::getpid()));
  std::ofstream{path} << "old";
  write_counters(path, fixture.sources);
  CHECK(content(path) == counters_json(fixture.sources));
  CHECK_FALSE(std::filesystem::exists(path.string() + ".new"));
  std::filesystem::remove(path);
}

TEST_CASE("the counters go into a device without replacing it") {
  Fixture fixture;
  write_counters("/dev/null", fixture.sources);
  CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("a place that cannot be written to is named") {
  Fixture fixture;
  CHECK_THROWS_WITH(write_counters("/nonexistent/counters.json", fixture.sources),
                    "/nonexistent/counters.json: No such file or directory");
  CHECK_THROWS_WITH(check_counters_file("/nonexistent/counters.json"),
                    "--counters /nonexistent/counters.json: no file can be made there: No such file or directory");
}
