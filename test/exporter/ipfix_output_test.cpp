// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/ipfix_output.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <set>

#include "support/ipfix_reader.hpp"
#include "support/memory_transport.hpp"
#include "support/random_record.hpp"

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

constexpr Timestamp kStart{1'700'000'000s};

// An output to a network in memory, and what a collector makes of it.
struct Bench {
  MemoryNetwork network;
  ExporterSettings settings;
  IpfixSettings ipfix;
  ExportCounters counters;
  RecordLedger ledger{1, IpfixOutput::kMaxUnsettled + 1, counters};
  ipfix_reader::Reader reader;
  std::size_t read = 0;  // messages
  Timestamp now = kStart;
  std::unique_ptr<IpfixOutput> output;
  std::uint64_t written = 0;
  bool offered = false;

  Bench() { settings.max_rate = 1'000'000; }

  void start(Duration patience = 2s) {
    output = std::make_unique<IpfixOutput>(std::make_unique<MemoryTransport>(network), ipfix, settings, patience,
                                           nullptr, counters, LedgerPage{ledger, 0});
  }
  // A record enters the ledger when it is offered for the first time, as in the exporter.
  bool write(const FlowRecord& record) {
    if (!std::exchange(offered, true)) ledger.enter(record);
    if (!output->write(record, now)) return false;
    offered = false;
    ++written;
    return true;
  }
  bool write() {
    FlowRecord record;
    record.protocol = 6;
    record.packets = written + 1;
    return write(record);
  }
  void write(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      now += 10us;
      REQUIRE(write());
    }
  }
  void finish() {
    for (int i = 0; i < 100 && !output->finish(now); ++i) now += 1ms;
    CHECK(output->finish(now));
  }
  // The messages that arrived since the last call.
  std::vector<ipfix_reader::Message> arrived() {
    std::vector<ipfix_reader::Message> messages;
    for (; read < network.messages.size(); ++read) messages.push_back(reader.read(network.messages[read]));
    for (const std::string& fault : std::exchange(reader.faults, {})) FAIL_CHECK(fault);
    return messages;
  }
  std::uint64_t settled() const { return counters.records_sent.get() + counters.records_not_sent.get(); }
};

std::size_t flows(const std::vector<ipfix_reader::Message>& messages) {
  std::size_t count = 0;
  for (const auto& message : messages) {
    count += static_cast<std::size_t>(std::count_if(message.records.begin(), message.records.end(),
                                                    [](const auto& r) { return r.scope_fields == 0; }));
  }
  return count;
}

bool has_templates(const ipfix_reader::Message& message) {
  return std::find(message.templates.begin(), message.templates.end(), 256) != message.templates.end();
}

}  // namespace

TEST_CASE("the first message has templates, then the sampling record, then data") {
  Bench bench;
  bench.start();
  bench.write(30);
  const auto messages = bench.arrived();
  REQUIRE_FALSE(messages.empty());
  const auto& first = messages[0];
  CHECK(first.sequence == 0);
  CHECK(first.domain == 1);
  CHECK(first.export_time == 1'700'000'000);
  CHECK(first.sets == std::vector<std::uint16_t>{2, 3, 258, 256});
  CHECK(first.templates == std::vector<std::uint16_t>{256, 257, 258});
  REQUIRE(first.records.size() > 2);
  CHECK(first.records[0].find(0, 305)->number() == 1);
  CHECK(first.records[1].find(0, 2)->number() == 1);
}

TEST_CASE("other fields come with new template ids before the first record that has them, in the same session") {
  for (const bool reliable : {false, true}) {
    CAPTURE(reliable);
    Bench bench;
    bench.network.reliable = reliable;
    bench.start();
    bench.write(100);
    const auto before = bench.arrived();
    IpfixSettings other = bench.ipfix;
    other.fields = {"sourceIPv4Address", "packetDeltaCount"};
    bench.output->follow(bench.settings, other, 2s);
    bench.write(100);
    bench.finish();
    std::vector<ipfix_reader::Message> all = before;
    for (auto& message : bench.arrived()) all.push_back(std::move(message));  // checks the sequence over the change
    std::uint64_t expected = 0;
    std::set<std::uint16_t> old_ids, new_ids;
    std::set<std::uint16_t> defined_before, defined_after;
    for (const auto& message : all) {
      for (const std::uint16_t id : message.templates) (expected < 100 ? defined_before : defined_after).insert(id);
      for (const auto& record : message.records) {
        if (record.scope_fields != 0) continue;
        CHECK(record.find(0, 2)->number() == ++expected);
        CHECK((record.find(0, 7) == nullptr) == (expected > 100));  // the ports went with the change
      }
    }
    CHECK(expected == 200);
    CHECK(*defined_before.begin() == 256);
    CHECK(*defined_after.begin() > *defined_before.rbegin());
  }
}

TEST_CASE("where the template ids end, other fields begin at the first one again") {
  Bench bench;
  bench.ipfix.template_id = 65'520;
  bench.ipfix.biflow = true;
  bench.ipfix.fields = {"extended"};
  bench.start();
  bench.write(10);
  static_cast<void>(bench.arrived());
  bench.ipfix.fields = {"sourceIPv4Address", "packetDeltaCount"};
  bench.output->follow(bench.settings, bench.ipfix, 2s);
  bench.write(10);
  bench.finish();
  std::set<std::uint16_t> defined;
  for (std::size_t i = bench.read; i < bench.network.messages.size(); ++i) {
    ipfix_reader::Reader anew;  // knows no older template
    for (const std::uint16_t id : anew.read(bench.network.messages[i]).templates) defined.insert(id);
  }
  REQUIRE_FALSE(defined.empty());
  CHECK(*defined.begin() == 65'520);
}

TEST_CASE("no record is lost, doubled or out of order, and the sequence counts them and the options") {
  Bench bench;
  bench.start();
  bench.write(5000);
  bench.finish();
  std::uint64_t expected = 1;
  bool in_order = true;
  for (const auto& message : bench.arrived()) {
    for (const auto& record : message.records) {
      if (record.scope_fields == 0) in_order = in_order && record.find(0, 2)->number() == expected++;
    }
  }
  CHECK(in_order);
  CHECK(expected == 5001);
  CHECK(bench.counters.records_sent.get() == 5000);
  CHECK(bench.counters.records_not_sent.get() == 0);
  CHECK(bench.counters.messages_sent.get() == bench.network.messages.size());
}

TEST_CASE("a message is no longer than the path takes, though the path narrows") {
  Bench bench;
  bench.ipfix.fields = {"extended"};
  bench.network.max_message = 1200;
  bench.start();
  bench.write(500);
  bench.network.max_message = 512;
  const std::size_t before = bench.network.messages.size();
  bench.write(500);
  bench.now += 301s;
  bench.write(500);
  bench.finish();
  for (std::size_t i = 0; i < bench.network.messages.size(); ++i) {
    // The message that was being filled when the path narrowed may still have the old size.
    CHECK(bench.network.messages[i].size() <= (i <= before ? 1200 : 512));
  }
  CHECK(flows(bench.arrived()) == 1500);
}

TEST_CASE("templates come again by time and by count of messages") {
  Bench bench;
  bench.settings.template_interval = 300s;
  bench.settings.template_messages = 50;
  bench.start();
  bench.write(17 * 40);
  const auto begin = bench.arrived();
  CHECK(std::count_if(begin.begin(), begin.end(), has_templates) == 3);  // the session's first messages
  CHECK(has_templates(begin[0]));
  CHECK(has_templates(begin[1]));
  CHECK(has_templates(begin[2]));
  bench.now += 299s;
  bench.write(17 * 5);
  auto next = bench.arrived();
  CHECK(std::none_of(next.begin(), next.end(), has_templates));
  bench.now += 1s;
  bench.write(17 * 5);
  next = bench.arrived();
  CHECK(std::count_if(next.begin(), next.end(), has_templates) == 1);
  bench.write(17 * 200);
  next = bench.arrived();
  const auto with = std::count_if(next.begin(), next.end(), has_templates);
  CHECK(with >= 3);
  CHECK(with <= 5);
  for (const auto& message : next) {
    if (has_templates(message)) CHECK(flows({message}) > 0);
  }
}

TEST_CASE("templates and reports come again by time though there is no data") {
  Bench bench;
  bench.start();
  bench.write(1);
  for (int i = 0; i < 50; ++i) bench.output->step(bench.now += 100ms);
  CHECK(flows(bench.arrived()) == 1);
  for (int i = 0; i < 40; ++i) bench.output->step(bench.now += 10s);
  const auto later = bench.arrived();
  CHECK(std::count_if(later.begin(), later.end(), has_templates) == 1);
  CHECK(std::any_of(later.begin(), later.end(), [](const auto& message) {
    return std::any_of(message.records.begin(), message.records.end(),
                       [](const auto& r) { return r.find(0, 163) != nullptr; });
  }));
}

TEST_CASE("a message that is not full goes out after a second") {
  Bench bench;
  bench.start();
  bench.write(1);
  bench.output->step(bench.now + 900ms);
  CHECK(bench.network.messages.empty());
  bench.output->step(bench.now + 1100ms);
  CHECK(bench.network.messages.size() == 1);
  CHECK(bench.counters.records_sent.get() == 0);  // it may still be refused
  bench.output->step(bench.now + 1300ms);
  CHECK(bench.counters.records_sent.get() == 1);
}

TEST_CASE("a message that never left is lost with its records, and its sequence number is used again") {
  Bench bench;
  bench.start();
  bench.write(200);
  bench.network.answer = SendResult::lost;
  bench.write(200);
  bench.network.answer = SendResult::sent;
  bench.write(200);
  bench.finish();
  const std::size_t got = flows(bench.arrived());  // which checks the sequence
  CHECK(bench.counters.records_not_sent.get() > 100);
  CHECK(bench.counters.records_sent.get() == got);
  CHECK(bench.settled() == 600);
  CHECK(bench.counters.messages_lost.get() > 0);
}

TEST_CASE("templates that were in a lost message come again") {
  Bench bench;
  bench.network.answer = SendResult::lost;
  bench.start();
  bench.write(100);
  bench.network.answer = SendResult::sent;
  bench.write(100);
  bench.finish();
  const auto messages = bench.arrived();
  REQUIRE_FALSE(messages.empty());
  CHECK(has_templates(messages[0]));
  CHECK(bench.settled() == 200);
}

TEST_CASE("at the end a network that takes nothing is tried a few times, not for as long as there is time") {
  for (const std::size_t records : {0, 1, 100}) {
    CAPTURE(records);
    Bench bench;
    bench.start();
    bench.network.answer = SendResult::lost;
    bench.write(records);
    bench.finish();
    CHECK(bench.settled() == records);
    CHECK(bench.counters.messages_lost.get() < records + 10);
  }
}

TEST_CASE("refused messages are counted as lost, and who listens next gets templates first") {
  Bench bench;
  bench.start();
  bench.write(500);
  bench.output->step(bench.now += 200ms);
  const std::size_t got = flows(bench.arrived());
  bench.network.refuse = true;
  bench.write(500);
  CHECK(bench.counters.records_not_sent.get() > 400);
  bench.network.refuse = false;
  bench.reader.new_session();
  bench.write(500);
  bench.finish();
  const auto messages = bench.arrived();
  REQUIRE_FALSE(messages.empty());
  CHECK(has_templates(messages[0]));
  CHECK(bench.counters.records_sent.get() == got + flows(messages));
  CHECK(bench.settled() == 1500);
}

TEST_CASE("a busy transport holds the record back, and after the patience it is lost") {
  Bench bench;
  bench.start(2s);
  bench.write(100);
  bench.network.answer = SendResult::busy;
  std::size_t took = 0;
  while (bench.write()) ++took;
  CHECK(took < 30);  // what the message in hand had room for
  bench.now += 1s;
  CHECK_FALSE(bench.write());
  CHECK(bench.counters.records_not_sent.get() == 0);
  bench.now += 1s;
  bench.write(100);
  CHECK(bench.counters.records_not_sent.get() > 80);
  bench.network.answer = SendResult::sent;
  bench.write(100);
  bench.finish();
  CHECK(flows(bench.arrived()) == bench.counters.records_sent.get());
  CHECK(bench.settled() == bench.written);
  CHECK(bench.counters.send_busy.get() > 0);
}

TEST_CASE("a new session begins at sequence 0 with templates and keeps the message in hand") {
  for (const bool reliable : {false, true}) {
    CAPTURE(reliable);
    Bench bench;
    bench.network.reliable = reliable;
    bench.start(60s);
    bench.write(1000);
    bench.network.answer = SendResult::busy;
    while (bench.write()) {
    }
    static_cast<void>(bench.arrived());
    bench.network.answer = SendResult::sent;
    ++bench.network.session;
    bench.reader.new_session();
    bench.write(1000);
    bench.finish();
    const auto messages = bench.arrived();
    REQUIRE_FALSE(messages.empty());
    CHECK(messages[0].sequence == 0);
    CHECK(bench.counters.records_sent.get() == bench.written);
    CHECK(bench.counters.sessions.get() == 2);
  }
}

TEST_CASE("a session that begins after the first records loses none of them") {
  Bench bench;
  bench.network.reliable = true;
  bench.network.session = 0;
  bench.network.answer = SendResult::busy;
  bench.start(60s);
  while (bench.write()) {
  }
  bench.network.answer = SendResult::sent;
  bench.network.session = 1;
  bench.write(100);
  bench.finish();
  CHECK(flows(bench.arrived()) == bench.written);
  CHECK(bench.counters.records_sent.get() == bench.written);
}

TEST_CASE("over a reliable transport templates go once, and statistics again by time") {
  Bench bench;
  bench.network.reliable = true;
  bench.settings.template_messages = 10;
  bench.start();
  for (int i = 0; i < 5; ++i) {
    bench.write(2000);
    bench.now += 301s;
  }
  bench.finish();
  std::size_t templates = 0, statistics = 0;
  for (const auto& message : bench.arrived()) {
    templates += message.templates.size();
    statistics += static_cast<std::size_t>(std::count_if(message.records.begin(), message.records.end(),
                                                         [](const auto& r) { return r.find(0, 41) != nullptr; }));
  }
  CHECK(templates == 8);
  CHECK(statistics >= 5);
}

TEST_CASE("the last report tells the totals of what went before") {
  Bench bench;
  bench.start();
  bench.write(1000);
  bench.finish();
  const auto messages = bench.arrived();
  const ipfix_reader::Record* last = nullptr;
  for (const auto& message : messages) {
    for (const auto& record : message.records) {
      if (record.find(0, 41) != nullptr) last = &record;
    }
  }
  REQUIRE(last != nullptr);
  CHECK(last->find(0, 42)->number() == 1000);
  CHECK(last->find(0, 41)->number() == messages.size() - 1);
}

TEST_CASE("the directions of a Biflow go in one record, and a half that is alone in its own") {
  Bench bench;
  bench.ipfix.biflow = true;
  bench.start();
  const auto half = [](std::uint64_t flow_id, std::uint64_t packets, bool mate_follows) {
    FlowRecord record;
    record.protocol = 6;
    record.flow_id = flow_id;
    record.packets = packets;
    record.mate_follows = mate_follows;
    return record;
  };
  CHECK(bench.write(half(10, 1, true)));
  CHECK(bench.write(half(11, 2, false)));
  CHECK(bench.write(half(21, 3, true)));  // its mate was lost
  CHECK(bench.write(half(30, 4, true)));
  CHECK(bench.write(half(31, 5, false)));
  CHECK(bench.write(half(40, 6, false)));
  CHECK(bench.write(half(50, 7, true)));  // and the program ends
  bench.finish();
  std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;
  for (const auto& message : bench.arrived()) {
    for (const auto& record : message.records) {
      if (record.scope_fields != 0) continue;
      const auto* reverse = record.find(29'305, 2);
      seen.emplace_back(record.find(0, 2)->number(), reverse == nullptr ? 0 : reverse->number());
    }
  }
  CHECK(seen == std::vector<std::pair<std::uint64_t, std::uint64_t>>{{1, 2}, {3, 0}, {4, 5}, {6, 0}, {7, 0}});
  CHECK(bench.counters.records_sent.get() == 7);
  CHECK(bench.settled() == 7);
}

TEST_CASE("whatever the network does, each record is settled once and every message can be read") {
  std::mt19937_64 random{7};
  for (int round = 0; round < 30; ++round) {
    Bench bench;
    bench.network.reliable = round % 3 == 0;
    const bool extended = round % 5 < 2;
    bench.ipfix.fields = {extended ? "extended" : "standard"};
    bench.ipfix.biflow = round % 4 == 1;
    // Room for all templates and a record, or not.
    bench.network.max_message = round % 2 == 0 ? 512 : extended ? 6000 : 1472;
    // A refused part of what takes several messages is missing to the reader: no fault of the writer's.
    const bool can_be_refused = !bench.network.reliable && bench.network.max_message != 512;
    bench.settings.template_messages = static_cast<std::uint32_t>(random() % 20);
    bench.settings.max_rate = round % 4 == 0 ? 5000 : 0;
    bench.start(1s);
    std::uint64_t last_flow_id = 0;
    for (int i = 0; i < 3000; ++i) {
      bench.now += Duration{static_cast<std::int64_t>(random() % 2'000'000)};
      if (random() % 50 == 0) bench.network.answer = static_cast<SendResult>(random() % 3);
      if (random() % 100 == 0) bench.network.refuse = can_be_refused && random() % 3 == 0;
      if (random() % 300 == 0) {
        static_cast<void>(bench.arrived());
        bench.reader.new_session();
        ++bench.network.session;
      }
      if (random() % 20 == 0) bench.output->step(bench.now);
      FlowRecord record = random_record(random);
      record.mate_follows = random() % 3 == 0;
      if (random() % 2 == 0) record.flow_id = last_flow_id ^ 1U;
      last_flow_id = record.flow_id;
      static_cast<void>(bench.write(record));
      // A refused message is missing to the reader although its numbers are spent.
      if (bench.network.refuse) {
        static_cast<void>(bench.arrived());
        bench.reader.expect_gap();
      }
    }
    bench.network.answer = SendResult::sent;
    bench.network.refuse = false;
    bench.finish();
    static_cast<void>(bench.arrived());
    CHECK(bench.settled() == bench.written);
  }
}

TEST_CASE("over TCP a record is sent when its octets are acknowledged, and lost when the connection breaks before") {
  Bench bench;
  bench.network.reliable = true;
  bench.network.outstanding.octets = 1U << 30U;  // nothing has arrived
  bench.start();
  bench.write(1000);
  bench.now += 2s;
  bench.output->step(bench.now);
  CHECK(bench.settled() == 0);
  // All but the last octet: the last message has not arrived.
  const auto messages = bench.arrived();
  const std::size_t last = flows({messages.back()});
  REQUIRE(last > 0);
  bench.network.outstanding.octets = 1;
  bench.output->step(bench.now += 1s);
  CHECK(bench.counters.records_sent.get() == 1000 - last);
  CHECK(bench.counters.records_not_sent.get() == 0);
  CHECK_FALSE(bench.output->failed());
  bench.network.outstanding.lost = true;
  bench.output->step(bench.now += 1s);
  CHECK(bench.counters.records_sent.get() == 1000 - last);
  CHECK(bench.counters.records_not_sent.get() == last);
  CHECK(bench.counters.messages_lost.get() == 1);
  CHECK(bench.output->failed());
  // What comes after it and arrives says that all is well.
  bench.network.outstanding = {};
  ++bench.network.session;
  bench.write(10);
  bench.finish();
  CHECK(bench.settled() == 1010);
  CHECK_FALSE(bench.output->failed());
}

TEST_CASE("a collector that acknowledges nothing gets so many records and no more, and some seconds at the end") {
  Bench bench;
  bench.network.reliable = true;
  bench.network.outstanding.octets = 1U << 30U;
  bench.start();
  std::size_t taken = 0;
  while (bench.write()) ++taken;
  CHECK(taken <= IpfixOutput::kMaxUnacknowledged);
  CHECK(taken > IpfixOutput::kMaxUnacknowledged / 2);
  bench.now += 3s;
  REQUIRE(bench.write());  // after all patience the message in hand is lost
  for (int i = 0; i < 700 && !bench.output->finish(bench.now); ++i) bench.now += 10ms;
  CHECK(bench.output->finish(bench.now));
  CHECK(bench.counters.records_sent.get() == 0);
  CHECK(bench.settled() == bench.written);
  CHECK(bench.output->failed());
}
