// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/reader.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <set>

#include "support/capture_file.hpp"
#include "support/comparable_record.hpp"
#include "support/random_traffic.hpp"
#include "whiteowl/config/load.hpp"
#include "whiteowl/daemon/worker.hpp"

using namespace whiteowl;
using namespace whiteowl::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kNanosecondMagic = 0xA1B23C4D;

Octets capture_of(const std::vector<StoredFrame>& frames) {
  FileWriter file{Endian::little};
  file.put(pcap_header(Endian::little, kNanosecondMagic, 1));
  for (const StoredFrame& frame : frames) {
    const auto stamp = static_cast<std::uint64_t>(frame.time.time_since_epoch().count());
    file.put(pcap_packet(Endian::little, static_cast<std::uint32_t>(stamp / 1'000'000'000),
                         static_cast<std::uint32_t>(stamp % 1'000'000'000), frame.bytes, frame.wire_octets));
  }
  return file.octets();
}

Config config_of(std::uint32_t queue_records = 1U << 16U) {
  Config config = default_config();
  config.flow.max_flows = 65'536;
  config.flow.active_timeout = 20s;
  config.flow.inactive_timeout = 5s;
  config.exporter.queue_records = queue_records;
  return config;
}

struct Outcome {
  std::vector<FlowRecord> records;
  std::uint64_t received = 0, discarded = 0, metered = 0;
  std::set<std::size_t> busy;  // workers that metered something
  std::string failure;
};

// As the probe does it, without its exporter.
Outcome meter(const std::string& path, const Config& config, std::uint32_t workers) {
  auto source = std::make_unique<FileSource>(FileSettings{path, {}, workers > 1 ? Reader::kBuffers : 1U});
  std::shared_ptr<Reader> reader;
  Doorbell exporter;
  std::vector<std::unique_ptr<Worker>> all;
  if (workers > 1)
    reader = std::make_shared<Reader>(std::move(source), config.decode, config.flow.vlan_in_key, workers);
  for (std::uint32_t i = 0; i < workers; ++i) {
    Input input;
    if (reader)
      input.reader = reader;
    else
      input.source = std::move(source);
    all.push_back(std::make_unique<Worker>(std::move(input), config, i, workers, QueueSink::WhenFull::wait, exporter));
  }
  for (const auto& worker : all) worker->start();
  if (reader) reader->start();
  Outcome outcome;
  for (std::size_t ended = 0; ended < all.size();) {
    ended = 0;
    for (const auto& worker : all) {
      for (const FlowRecord* record; (record = worker->queue().front()) != nullptr; worker->queue().pop())
        outcome.records.push_back(*record);
      if (worker->queue().finished()) ++ended;
    }
  }
  if (reader) reader->join();
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i]->join();
    const std::uint64_t metered = all[i]->counters().meter->packets_metered.get();
    outcome.metered += metered;
    if (metered != 0) outcome.busy.insert(i);
  }
  const auto reading = all.front()->reading();
  outcome.failure = reader ? reader->failure() : all.front()->failure();
  outcome.received = (reader ? reader->capture_counters() : *reading->capture).packets_received.get();
  const auto& classified = reader ? reader->classifier_counters() : *reading->classifier;
  for (const Counter& counter : classified.packets_discarded) outcome.discarded += counter.get();
  return outcome;
}

}  // namespace

TEST_CASE("any number of workers makes the records that one makes") {
  for (const std::uint32_t seed : {1U, 2U, 3U}) {
    const TemporaryFile file{{capture_of(RandomTraffic{seed, 40}.frames(30'000))}};
    for (const bool extended : {false, true}) {
      Config config = config_of();
      config.tcp.extended = extended;
      config.flow.biflow = seed == 3;
      const Outcome one = meter(file.path(), config, 1);
      REQUIRE(one.received == 30'000);
      REQUIRE(one.records.size() > 100);
      for (const std::uint32_t workers : {2U, 3U, 8U}) {
        INFO("seed " << seed << ", workers " << workers);
        const Outcome some = meter(file.path(), config, workers);
        CHECK(some.received == one.received);
        CHECK(some.discarded == one.discarded);
        CHECK(some.metered == one.metered);
        CHECK(some.busy.size() == workers);
        CHECK((sorted(some.records) == sorted(one.records)));
      }
    }
  }
}

TEST_CASE("frames stay whole while workers are slow, whatever the size of a record of the file") {
  // Each larger than a buffer's share, so that the reader goes round its buffers while the workers wait.
  RandomTraffic traffic{5, 30};
  auto frames = traffic.frames(3000);
  for (std::size_t i = 0; i < frames.size(); i += 2) frames[i].bytes.resize(frames[i].bytes.size() + 60'000);
  frames[7].bytes.resize(262'000);  // and one that is larger than a buffer
  const TemporaryFile file{{capture_of(frames)}};
  const Config narrow = config_of(64);  // workers wait for room
  CHECK((sorted(meter(file.path(), narrow, 3).records) == sorted(meter(file.path(), narrow, 1).records)));
}

TEST_CASE("a file that is cut short gives the records of what it had, and says so once") {
  Octets octets = capture_of(RandomTraffic{6, 10}.frames(1000));
  octets.resize(octets.size() - 5);
  const TemporaryFile file{{octets}};
  const Outcome one = meter(file.path(), config_of(), 1), two = meter(file.path(), config_of(), 2);
  CHECK(one.received == 999);
  CHECK(two.received == 999);
  CHECK(two.failure == one.failure);
  CHECK(two.failure.find("cut short") != std::string::npos);
  CHECK((sorted(two.records) == sorted(one.records)));
}

TEST_CASE("an empty capture ends all workers") {
  const TemporaryFile file{{capture_of({})}};
  const Outcome outcome = meter(file.path(), config_of(), 4);
  CHECK(outcome.records.empty());
  CHECK(outcome.failure.empty());
}

TEST_CASE("a reader that was never started lets its workers end") {
  const TemporaryFile file{{capture_of(RandomTraffic{7, 4}.frames(10))}};
  auto source = std::make_unique<FileSource>(FileSettings{file.path(), {}, Reader::kBuffers});
  const Config config = config_of();
  auto reader = std::make_shared<Reader>(std::move(source), config.decode, false, 2);
  Input input;
  input.reader = reader;
  input.stop = [reader] { reader->stop(); };
  Doorbell exporter;
  Worker worker{std::move(input), config, 0, 2, QueueSink::WhenFull::wait, exporter};
  worker.start();
  worker.stop();
  worker.join();
  CHECK(worker.done());
}

TEST_CASE("a stop ends the reading of a silent pipe, and what came before it is in the records") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const UniqueFd reading{ends[0]}, writing{ends[1]};
  const Octets octets = capture_of(RandomTraffic{8, 4}.frames(50));
  REQUIRE(::write(writing.get(), octets.data(), octets.size()) == static_cast<ssize_t>(octets.size()));
  auto source =
      std::make_unique<FileSource>(FileSettings{"/proc/self/fd/" + std::to_string(ends[0]), {}, Reader::kBuffers});
  const Config config = config_of();
  auto reader = std::make_shared<Reader>(std::move(source), config.decode, false, 2);
  Doorbell exporter;
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::uint32_t i = 0; i < 2; ++i) {
    Input input;
    input.reader = reader;
    workers.push_back(std::make_unique<Worker>(std::move(input), config, i, 2, QueueSink::WhenFull::wait, exporter));
    workers.back()->start();
  }
  reader->start();
  const auto received = [&reader] { return reader->capture_counters().packets_received.get(); };
  for (int i = 0; i < 500 && received() < 50; ++i) std::this_thread::sleep_for(10ms);
  reader->stop();
  reader->join();
  std::uint64_t packets = 0;
  for (const auto& worker : workers) {
    worker->join();
    CHECK(worker->counters().meter->packets_in_table.get() == 0);
    packets += worker->counters().meter->packets_metered.get();
  }
  std::uint64_t discarded = 0;
  for (const Counter& counter : reader->classifier_counters().packets_discarded) discarded += counter.get();
  CHECK(packets + discarded == 50);
}
