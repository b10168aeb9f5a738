// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/exporter.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <thread>

#include "support/ipfix_reader.hpp"
#include "support/loopback.hpp"
#include "whiteowl/base/error.hpp"

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

constexpr Timestamp kNow{1'700'000'000s};

FlowRecord numbered(std::uint64_t worker, std::uint64_t number) {
  FlowRecord record;
  record.protocol = 6;
  record.packets = number;
  record.octets = worker;
  return record;
}

class TemporaryFile {
 public:
  TemporaryFile() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("whiteowl_exporter_test_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  [[nodiscard]] std::string uri() const { return "file://" + path_.string(); }
  [[nodiscard]] std::vector<std::uint8_t> bytes() const {
    std::ifstream file{path_, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }

 private:
  std::filesystem::path path_;
};

// Flow Records by worker (octetDeltaCount), each number (packetDeltaCount) in its order.
std::map<std::uint64_t, std::vector<std::uint64_t>> flows_of(const std::vector<ipfix_reader::Message>& messages) {
  std::map<std::uint64_t, std::vector<std::uint64_t>> flows;
  for (const auto& message : messages) {
    for (const auto& record : message.records) {
      if (record.scope_fields == 0) flows[record.find(0, 1)->number()].push_back(record.find(0, 2)->number());
    }
  }
  return flows;
}

std::uint64_t sum(const ExportCounters& c) { return c.records_sent.get() + c.records_not_sent.get(); }

}  // namespace

TEST_CASE("a full queue drops the record and counts it with its packets and octets") {
  RecordQueue queue{4};
  QueueSink sink{queue, QueueSink::WhenFull::drop};
  for (std::uint64_t i = 0; i < 4; ++i) sink.put(numbered(1, 1));
  sink.put(numbered(30, 7));
  sink.put(numbered(30, 7));
  CHECK(sink.counters().records_not_sent.get() == 2);
  CHECK(sink.counters().packets_in_records_not_sent.get() == 14);
  CHECK(sink.counters().octets_in_records_not_sent.get() == 60);
  CHECK(queue.size() == 4);
  sink.set_when_full(QueueSink::WhenFull::wait);
  sink.give_up_waiting();
  sink.put(numbered(1, 1));
  CHECK(sink.counters().waits.get() == 1);
  CHECK(sink.counters().records_not_sent.get() == 3);
}

TEST_CASE("a queue that fills calls an exporter that naps") {
  constexpr Duration kLong = 30s;
  RecordQueue queue{64};
  Doorbell bell;
  QueueSink sink{queue, QueueSink::WhenFull::drop, true, &bell};
  std::atomic<bool> awake{false};
  const auto begin = std::chrono::steady_clock::now();
  std::thread exporter{[&bell, &awake] {
    bell.wait(kLong);
    awake = true;
  }};
  while (!awake) {
    while (queue.front() != nullptr) queue.pop();
    for (std::uint64_t i = 0; i < 32; ++i) sink.put(numbered(1, 1));
  }
  exporter.join();
  CHECK(std::chrono::steady_clock::now() - begin < kLong);
  CHECK(sink.counters().records_not_sent.get() == 0);
}

TEST_CASE(
    "a collector that stays keeps its session over a change, another comes, and one that goes gets what it took") {
  TemporaryFile stays, goes, comes;
  RecordQueue queue{1024};
  ExporterSettings settings;
  settings.collectors = {stays.uri(), goes.uri()};
  IpfixSettings ipfix;
  Exporter exporter{settings, ipfix, {&queue}, nullptr};
  Timestamp now = kNow;
  std::uint64_t number = 0;
  const auto put = [&](std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      REQUIRE(queue.try_push(numbered(1, ++number)));
      while (exporter.step(now += 10us)) continue;
    }
  };
  put(100);
  settings.collectors = {comes.uri(), stays.uri()};
  const auto change = exporter.prepare(settings, ipfix);
  exporter.apply(*change);
  put(50);
  queue.close();
  for (int i = 0; i < 100 && !exporter.finished(now += 1ms); ++i) static_cast<void>(exporter.step(now));
  CHECK(exporter.finished(now));
  CHECK(exporter.counters().records_sent.get() == 150);
  CHECK(exporter.counters().records_not_sent.get() == 0);
  const auto numbers = [](const TemporaryFile& file) {
    ipfix_reader::Reader reader;
    auto found = flows_of(reader.read_all(file.bytes()))[1];
    for (const std::string& fault : reader.faults) FAIL_CHECK(fault);  // of the sequence, too
    return found;
  };
  CHECK(numbers(stays).size() == 150);
  CHECK(numbers(goes).size() == 100);
  const auto later = numbers(comes);
  REQUIRE(later.size() == 50);
  CHECK(later.front() == 101);
  CHECK(later.back() == 150);
}

TEST_CASE("a change that cannot be made is refused as a whole") {
  TemporaryFile file;
  RecordQueue queue{16};
  ExporterSettings settings;
  settings.collectors = {file.uri()};
  const Exporter exporter{settings, IpfixSettings{}, {&queue}, nullptr};
  ExporterSettings wrong = settings;
  wrong.collectors.push_back("file:///no-such-folder/x");
  CHECK_THROWS_AS(static_cast<void>(exporter.prepare(wrong, IpfixSettings{})), StartError);
  IpfixSettings no_fields;
  no_fields.fields = {"no_such_field"};
  CHECK_THROWS_AS(static_cast<void>(exporter.prepare(settings, no_fields)), StartError);
}

TEST_CASE("every record of every worker arrives once and in its worker's order") {
  constexpr std::uint64_t kWorkers = 3, kRecords = 20'000;
  TemporaryFile file;
  std::vector<std::unique_ptr<RecordQueue>> queues;
  std::vector<RecordQueue*> pointers;
  for (std::uint64_t i = 0; i < kWorkers; ++i)
    pointers.push_back(queues.emplace_back(std::make_unique<RecordQueue>(256)).get());
  ExporterSettings settings;
  settings.collectors = {file.uri()};
  Exporter exporter{settings, IpfixSettings{}, pointers, [] { return ProcessStatistics{}; }};
  {
    std::vector<std::jthread> workers;
    for (std::uint64_t w = 0; w < kWorkers; ++w) {
      workers.emplace_back([w, queue = pointers[w]] {
        QueueSink sink{*queue, QueueSink::WhenFull::wait};
        for (std::uint64_t i = 1; i <= kRecords; ++i) sink.put(numbered(w, i));
        queue->close();
      });
    }
    // Another thread may look at the counters meanwhile.
    std::jthread watcher{[&exporter](const std::stop_token& stop) {
      while (!stop.stop_requested() && exporter.counters().records_sent.get() < kWorkers * kRecords)
        std::this_thread::sleep_for(1ms);
    }};
    while (!exporter.finished(std::chrono::system_clock::now())) {
      if (!exporter.step(std::chrono::system_clock::now())) std::this_thread::sleep_for(100us);
    }
  }
  CHECK(exporter.counters().records_sent.get() == kWorkers * kRecords);
  CHECK(exporter.counters().packets_in_records_sent.get() == kWorkers * kRecords * (kRecords + 1) / 2);
  CHECK(exporter.counters().records_not_sent.get() == 0);
  ipfix_reader::Reader reader;
  const auto flows = flows_of(reader.read_all(file.bytes()));
  CHECK(reader.faults.empty());
  REQUIRE(flows.size() == kWorkers);
  for (const auto& [worker, numbers] : flows) {
    CHECK(numbers.size() == kRecords);
    bool in_order = true;
    for (std::size_t i = 0; i < numbers.size(); ++i) in_order = in_order && numbers[i] == i + 1;
    CHECK(in_order);
  }
}

TEST_CASE("a collector at a closed port takes nothing from the others, and a record is counted once") {
  TemporaryFile file;
  const LoopbackSocket open{SOCK_DGRAM};
  std::uint16_t closed_port = 0;
  {
    const LoopbackSocket closed{SOCK_DGRAM};
    closed_port = closed.port();
  }
  RecordQueue queue{1024};
  ExporterSettings settings;
  settings.collectors = {"127.0.0.1:" + std::to_string(closed_port), open.host_and_port(), file.uri()};
  Exporter exporter{settings, IpfixSettings{}, {&queue}, nullptr};
  for (std::uint64_t i = 1; i <= 1000; ++i) REQUIRE(queue.try_push(numbered(1, i)));
  queue.close();
  Timestamp now = kNow;
  for (int i = 0; i < 1000 && !exporter.finished(now); ++i) static_cast<void>(exporter.step(now += 1ms));
  CHECK(exporter.finished(now));
  CHECK(exporter.counters().records_sent.get() == 1000);
  CHECK(exporter.counters().records_not_sent.get() == 0);
  CHECK(exporter.counters().messages_lost.get() > 10);
  ipfix_reader::Reader udp, stored;
  std::vector<ipfix_reader::Message> messages;
  for (auto bytes = open.receive(100); !bytes.empty(); bytes = open.receive(100)) messages.push_back(udp.read(bytes));
  CHECK(flows_of(messages)[1].size() == 1000);
  CHECK(udp.faults.empty());
  CHECK(flows_of(stored.read_all(file.bytes()))[1].size() == 1000);
  CHECK(stored.faults.empty());
}

TEST_CASE("records for a collector that refuses all of them are not sent") {
  std::string closed;
  {
    const LoopbackSocket socket{SOCK_DGRAM};
    closed = socket.host_and_port();
  }
  RecordQueue queue{1024};
  ExporterSettings settings;
  settings.collectors = {closed};
  Exporter exporter{settings, IpfixSettings{}, {&queue}, nullptr};
  for (std::uint64_t i = 1; i <= 1000; ++i) REQUIRE(queue.try_push(numbered(1, 3)));
  queue.close();
  Timestamp now = kNow;
  for (int i = 0; i < 1000 && !exporter.finished(now); ++i) static_cast<void>(exporter.step(now += 1ms));
  CHECK(exporter.counters().records_not_sent.get() == 1000);
  CHECK(exporter.counters().packets_in_records_not_sent.get() == 3000);
  CHECK(exporter.counters().records_sent.get() == 0);
}

TEST_CASE("a TCP collector that restarts gets templates and a sequence from 0 again") {
  std::optional<LoopbackSocket> collector;
  collector.emplace(SOCK_STREAM);
  const std::uint16_t port = collector->port();
  RecordQueue queue{4096};
  ExporterSettings settings;
  settings.collectors = {"tcp://" + collector->host_and_port()};
  Exporter exporter{settings, IpfixSettings{}, {&queue}, nullptr};
  Timestamp now = kNow;
  const auto run = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      static_cast<void>(exporter.step(now += 50ms));
      ::usleep(200);
    }
  };
  for (std::uint64_t i = 1; i <= 500; ++i) REQUIRE(queue.try_push(numbered(1, i)));
  run(60);
  UniqueFd first = collector->accept(2000);
  REQUIRE(first);
  run(60);
  ipfix_reader::Reader reader;
  auto messages = reader.read_all(LoopbackSocket::drain(first.get(), 50));
  REQUIRE_FALSE(messages.empty());
  CHECK(messages[0].sequence == 0);
  CHECK(flows_of(messages)[1].size() == 500);
  collector.reset();
  { const UniqueFd closed = std::move(first); }
  run(20);
  for (std::uint64_t i = 501; i <= 1000; ++i) REQUIRE(queue.try_push(numbered(1, i)));
  run(40);
  collector.emplace(SOCK_STREAM, port);
  queue.close();
  std::optional<UniqueFd> second;
  for (int i = 0; i < 2000 && !exporter.finished(now); ++i) run(1);
  second = collector->accept(2000);
  REQUIRE(*second);
  reader.new_session();
  messages = reader.read_all(LoopbackSocket::drain(second->get(), 50));
  REQUIRE_FALSE(messages.empty());
  CHECK(messages[0].sequence == 0);
  CHECK(flows_of(messages)[1].size() == 500);
  CHECK(flows_of(messages)[1].front() == 501);
  CHECK(reader.faults.empty());
  CHECK(exporter.counters().records_sent.get() == 1000);
  CHECK(exporter.counters().sessions.get() == 2);
}

TEST_CASE("giving up counts everything that is left as not sent, once") {
  std::uint16_t port = 0;
  {
    const LoopbackSocket closed{SOCK_STREAM};
    port = closed.port();
  }
  RecordQueue one{2048}, two{2048};
  ExporterSettings settings;
  settings.collectors = {"tcp://127.0.0.1:" + std::to_string(port)};
  Exporter exporter{settings, IpfixSettings{}, {&one, &two}, nullptr};
  for (std::uint64_t i = 0; i < 2000; ++i) {
    REQUIRE(one.try_push(numbered(1, 1)));
    REQUIRE(two.try_push(numbered(2, 1)));
  }
  one.close();
  two.close();
  Timestamp now = kNow;
  for (int i = 0; i < 50; ++i) {
    static_cast<void>(exporter.step(now += 1ms));
    CHECK_FALSE(exporter.finished(now));
  }
  exporter.abandon();
  CHECK(exporter.finished(now));
  CHECK(exporter.counters().records_not_sent.get() == 4000);
  CHECK(exporter.counters().packets_in_records_not_sent.get() == 4000);
  CHECK(exporter.counters().octets_in_records_not_sent.get() == 6000);
  CHECK(sum(exporter.counters()) == 4000);
  CHECK_FALSE(exporter.step(now));
  CHECK(sum(exporter.counters()) == 4000);
}

TEST_CASE("a collector that stays away for long loses its records, not the queue's room") {
  std::uint16_t port = 0;
  {
    const LoopbackSocket closed{SOCK_STREAM};
    port = closed.port();
  }
  TemporaryFile file;
  RecordQueue queue{2048};
  ExporterSettings settings;
  settings.collectors = {"tcp://127.0.0.1:" + std::to_string(port), file.uri()};
  Exporter exporter{settings, IpfixSettings{}, {&queue}, nullptr};
  Timestamp now = kNow;
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    while (!queue.try_push(numbered(1, i))) static_cast<void>(exporter.step(now += 1ms));
  }
  CHECK(now - kNow < 3s);  // the patience with one of several, once
  queue.close();
  for (int i = 0; i < 10'000 && !exporter.finished(now); ++i) static_cast<void>(exporter.step(now += 1ms));
  CHECK(exporter.finished(now));
  CHECK(exporter.counters().records_sent.get() == 20'000);
  ipfix_reader::Reader reader;
  CHECK(flows_of(reader.read_all(file.bytes()))[1].size() == 20'000);
  CHECK(reader.faults.empty());
}

TEST_CASE("half a million records go out over UDP within four seconds, and never more than a burst at once") {
  const LoopbackSocket collector{SOCK_DGRAM};
  RecordQueue queue{16'384};
  ExporterSettings settings;
  settings.collectors = {collector.host_and_port()};
  Exporter exporter{settings, IpfixSettings{}, {&queue}, nullptr};
  constexpr std::uint64_t kRecords = 524'288;
  std::uint64_t put = 0, before = 0, most = 0;
  Timestamp now = kNow;
  while (!exporter.finished(now)) {
    for (; put < kRecords && queue.try_push(numbered(1, put + 1)); ++put) {
    }
    if (put == kRecords) queue.close();
    while (exporter.step(now)) {
    }
    now += 1ms;
    const std::uint64_t sent = exporter.counters().messages_sent.get();
    most = std::max(most, sent - before);
    before = sent;
    REQUIRE(now - kNow < 10s);
  }
  CHECK(now - kNow < 4s);
  CHECK(most <= 65);
  CHECK(exporter.counters().records_sent.get() == kRecords);
}

TEST_CASE("a wrong collector ends the start and is named") {
  RecordQueue queue{4};
  ExporterSettings settings;
  settings.collectors = {"udp://192.0.2.1:99999"};
  try {
    Exporter exporter{settings, IpfixSettings{}, {&queue}, nullptr};
    FAIL("accepted");
  } catch (const StartError& error) {
    CHECK(error.status() == ExitStatus::configuration);
    CHECK(std::string{error.what()}.find("udp://192.0.2.1:99999") != std::string::npos);
  }
}
