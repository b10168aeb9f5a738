// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/json_output.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>

#include "support/random_record.hpp"
#include "whiteowl/base/fd.hpp"

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

constexpr Timestamp kNow{1'700'000'000s};

struct Pipe {
  UniqueFd read_end, write_end;
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    read_end = UniqueFd{ends[0]};
    write_end = UniqueFd{ends[1]};
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
  [[nodiscard]] std::string take() const {
    std::string text;
    std::array<char, 65536> buffer{};
    for (ssize_t got = 0; (got = ::read(read_end.get(), buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(got));
    return text;
  }
};

std::vector<nlohmann::json> parse_lines(const std::string& text) {
  std::vector<nlohmann::json> objects;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
  return objects;
}

}  // namespace

TEST_CASE("a record is one line of JSON under the names of its elements") {
  ExportCounters counters;
  RecordLedger ledger{1, 16, counters};
  Pipe pipe;
  JsonOutput output{pipe.write_end.get(), IpfixSettings{}, 1s, LedgerPage{ledger, 0}};
  FlowRecord record;
  record.source_address = {{192, 0, 2, 1}};
  record.destination_address = {{198, 51, 100, 7}};
  record.source_mac = {{2, 0, 0, 0, 0, 0xFE}};
  record.packets = 12345678901234;
  record.start = Timestamp{1'700'000'000'123'999'999ns};
  record.protocol = 6;
  record.tcp.min_rtt_us = 250;
  record.end_reason = FlowEndReason::end_of_flow;
  ledger.enter(record);
  CHECK(output.write(record, kNow));
  record.ip_version = 6;
  record.source_address = {{0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  ledger.enter(record);
  CHECK(output.write(record, kNow));
  CHECK(output.finish(kNow));
  const auto objects = parse_lines(pipe.take());
  REQUIRE(objects.size() == 2);
  CHECK(objects[0].size() == 20);  // the 19 of the standard template and flowEndReason
  CHECK(objects[0]["sourceIPv4Address"] == "192.0.2.1");
  CHECK(objects[0]["destinationIPv4Address"] == "198.51.100.7");
  CHECK(objects[0]["sourceMacAddress"] == "02:00:00:00:00:fe");
  CHECK(objects[0]["packetDeltaCount"] == 12345678901234);
  CHECK(objects[0]["flowStartMilliseconds"] == 1'700'000'000'123);
  CHECK(objects[0]["min_rtt_us"] == 250);
  CHECK(objects[0]["flowEndReason"] == 3);
  CHECK(objects[1]["sourceIPv6Address"] == "2001:db8::1");
  CHECK_FALSE(objects[1].contains("sourceIPv4Address"));
  CHECK(counters.records_sent.get() == 2);
}

TEST_CASE("any record of any choice of fields is JSON") {
  std::mt19937_64 random{3};
  for (const std::vector<std::string>& fields :
       {std::vector<std::string>{"extended"}, {"flowEndReason", "icmpTypeCodeIPv4"}}) {
    ExportCounters counters;
    RecordLedger ledger{1, 4096, counters};
    Pipe pipe;
    IpfixSettings settings;
    settings.fields = fields;
    JsonOutput output{pipe.write_end.get(), settings, 1s, LedgerPage{ledger, 0}};
    std::string text;
    for (int i = 0; i < 1000; ++i) {
      const FlowRecord record = random_record(random);
      ledger.enter(record);
      CHECK(output.write(record, kNow));
      output.step(kNow);
      text += pipe.take();
    }
    while (!output.finish(kNow)) text += pipe.take();
    text += pipe.take();
    CHECK(parse_lines(text).size() == 1000);
    CHECK(counters.records_sent.get() == 1000);
  }
}

TEST_CASE("a reader that went away ends the output without a signal, and its records are not sent") {
  ExportCounters counters;
  RecordLedger ledger{1, 4096, counters};
  Pipe pipe;
  JsonOutput output{pipe.write_end.get(), IpfixSettings{}, 1s, LedgerPage{ledger, 0}};
  pipe.read_end = UniqueFd{};
  { const UniqueFd closed = std::move(pipe.read_end); }
  for (int i = 0; i < 1000; ++i) {
    ledger.enter(FlowRecord{});
    CHECK(output.write(FlowRecord{}, kNow));
  }
  CHECK(output.finish(kNow));
  CHECK(counters.records_not_sent.get() == 1000);
}

TEST_CASE("a reader that pauses is waited for, then whole lines are lost and the rest is still JSON") {
  ExportCounters counters;
  RecordLedger ledger{1, 8192, counters};
  Pipe pipe;
  JsonOutput output{pipe.write_end.get(), IpfixSettings{}, 2s, LedgerPage{ledger, 0}};
  std::size_t offered = 0, written = 0;
  const auto write = [&](Timestamp now) {
    if (offered == written) {
      ledger.enter(FlowRecord{});
      ++offered;
    }
    if (!output.write(FlowRecord{}, now)) return false;
    ++written;
    return true;
  };
  while (write(kNow)) {
  }
  CHECK_FALSE(write(kNow + 1s));
  CHECK(counters.records_not_sent.get() == 0);
  for (int i = 0; i < 5000; ++i) static_cast<void>(write(kNow + 3s));
  CHECK(counters.records_not_sent.get() > 100);
  std::string text = pipe.take();
  while (!output.finish(kNow + 4s)) text += pipe.take();
  text += pipe.take();
  CHECK(parse_lines(text).size() == counters.records_sent.get());
  CHECK(counters.records_sent.get() + counters.records_not_sent.get() == written);
}

TEST_CASE("a full device is a failure, and a reader that never read is one at the end") {
  ExportCounters counters;
  RecordLedger ledger{1, 4096, counters};
  {
    const UniqueFd full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
    JsonOutput output{full.get(), IpfixSettings{}, 1s, LedgerPage{ledger, 0}};
    ledger.enter(FlowRecord{});
    CHECK(output.write(FlowRecord{}, kNow));
    CHECK(output.finish(kNow));
    CHECK(output.failed());
    CHECK(counters.records_not_sent.get() == 1);
  }
  Pipe pipe;
  JsonOutput output{pipe.write_end.get(), IpfixSettings{}, 1s, LedgerPage{ledger, 0}};
  for (int i = 0; i < 500; ++i) {
    ledger.enter(FlowRecord{});
    CHECK(output.write(FlowRecord{}, kNow));
  }
  CHECK_FALSE(output.finish(kNow));
  CHECK_FALSE(output.failed());
  output.give_up(kNow);
  CHECK(output.failed());
  // The pipe is still as it was for whoever else has it.
  CHECK((::fcntl(pipe.write_end.get(), F_GETFL) & O_NONBLOCK) == 0);
}
