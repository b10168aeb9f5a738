// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/worker.hpp"

#include <doctest/doctest.h>
#include <sched.h>

#include <chrono>

#include "fake_source.hpp"
#include "whiteowl/config/load.hpp"

using namespace whiteowl;

namespace {

Config small_config() {
  Config config = default_config();
  config.flow.max_flows = 4096;
  config.exporter.queue_records = 1024;
  return config;
}

// Everything that came through the queue, and how many packets that was.
struct Taken {
  std::uint64_t records = 0, packets = 0, forced = 0;
};
Taken take_all(Worker& worker) {
  Taken taken;
  while (!worker.queue().finished()) {
    const FlowRecord* record = worker.queue().front();
    if (record == nullptr) {
      std::this_thread::yield();
      continue;
    }
    ++taken.records;
    taken.packets += record->packets;
    taken.forced += record->end_reason == FlowEndReason::forced_end ? 1U : 0U;
    worker.queue().pop();
  }
  return taken;
}

}  // namespace

TEST_CASE("a worker meters its source to the end, empties its table and closes its queue") {
  Doorbell exporter;
  Worker worker{file_input(200), small_config(), 0, 1, QueueSink::WhenFull::wait, exporter};
  worker.start();
  const auto taken = take_all(worker);
  worker.join();
  CHECK(worker.done());
  CHECK(taken.records == 200);
  CHECK(taken.packets == 400);
  CHECK(taken.forced == 200);
  CHECK(worker.heartbeat() > 0);
  CHECK(worker.counters().meter->packets_in_table.get() == 0);
  CHECK(worker.reading()->capture->packets_received.get() == 400);
  constexpr Duration kLong = std::chrono::seconds{30};
  const auto begin = std::chrono::steady_clock::now();
  exporter.wait(kLong);  // was called when the queue closed
  CHECK(std::chrono::steady_clock::now() - begin < kLong);
}

TEST_CASE("a file's worker waits for room in the queue instead of losing records") {
  Config config = small_config();
  config.exporter.queue_records = 8;
  Doorbell exporter;
  Worker worker{file_input(1000), config, 0, 1, QueueSink::WhenFull::wait, exporter};
  worker.start();
  const auto taken = take_all(worker);
  worker.join();
  CHECK(taken.records == 1000);
  CHECK(worker.counters().queue->records_not_sent.get() == 0);
}

TEST_CASE("a worker whose source can be asked to end ends when it does") {
  Doorbell exporter;
  Worker worker{live_input(50), small_config(), 0, 1, QueueSink::WhenFull::drop, exporter};
  worker.start();
  while (worker.reading()->capture->packets_received.get() < 100) std::this_thread::yield();
  CHECK_FALSE(worker.done());
  worker.stop();
  CHECK(take_all(worker).packets == 100);
  worker.join();
}

TEST_CASE("a worker told not to wait ends although nobody empties its queue, and counts what it lost") {
  Config config = small_config();
  config.exporter.queue_records = 8;
  Doorbell exporter;
  Worker worker{live_input(500), config, 0, 1, QueueSink::WhenFull::drop, exporter};
  worker.start();
  while (worker.reading()->capture->packets_received.get() < 1000) std::this_thread::yield();
  worker.stop();
  worker.give_up_waiting();
  worker.join();
  CHECK(worker.queue().size() == 8);
  CHECK(worker.counters().queue->records_not_sent.get() == 492);
  CHECK(worker.counters().queue->packets_in_records_not_sent.get() == 984);
}

TEST_CASE("a worker runs on the processor that it was given, and says if it may not") {
  cpu_set_t mine;
  REQUIRE(::sched_getaffinity(0, sizeof mine, &mine) == 0);
  std::uint32_t last = 0;
  for (std::uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) last = CPU_ISSET(cpu, &mine) ? cpu : last;
  Config config = small_config();
  config.capture.cpus = {last};
  std::atomic<int> ran_on{-1};
  Input input = live_input(1);
  input.set_filter = [&](const std::shared_ptr<FilterPrograms>&) {
    ran_on = ::sched_getcpu();
    return true;
  };
  Doorbell exporter;
  Worker worker{std::move(input), config, 3, 4, QueueSink::WhenFull::drop, exporter};
  worker.start();
  worker.change({1, {}, {}, {}, std::make_shared<FilterPrograms>("")});
  while (worker.last_change() != 1) std::this_thread::yield();
  CHECK(ran_on == static_cast<int>(last));

  config.capture.cpus = {1023};
  Worker elsewhere{live_input(1), config, 0, 1, QueueSink::WhenFull::drop, exporter};
  CHECK_THROWS_AS(elsewhere.start(), StartError);
}

TEST_CASE("a worker follows a change after a batch, filter included, and says when") {
  std::string expression;
  bool takes = true;
  Input input = live_input(10);
  input.set_filter = [&](const std::shared_ptr<FilterPrograms>& change) {
    expression = change->expression();
    return takes;
  };
  Doorbell exporter;
  Worker worker{std::move(input), small_config(), 0, 1, QueueSink::WhenFull::drop, exporter};
  worker.start();
  const auto send = [&](std::uint64_t number, const char* filter) {
    auto change = std::make_shared<FilterPrograms>(filter);
    worker.change({number, std::chrono::hours{1}, std::chrono::hours{1}, std::chrono::seconds{1}, std::move(change)});
    while (worker.last_change() != number) std::this_thread::yield();
  };
  send(1, "udp");
  CHECK(expression == "udp");
  CHECK_FALSE(worker.refused_filter());
  takes = false;
  send(2, "tcp");
  CHECK(worker.refused_filter());
  worker.stop();
  CHECK(take_all(worker).records == 10);
  worker.join();
}

TEST_CASE("the kernel's numbers are fetched about once a second of packet time and at the end") {
  auto source = std::make_unique<FakeSource>(10'000, false);
  const FakeSource& fake = *source;
  Doorbell exporter;
  Worker worker{{std::move(source), {}, 0}, small_config(), 0, 1, QueueSink::WhenFull::wait, exporter};
  worker.start();
  take_all(worker);
  worker.join();
  CHECK(fake.refreshed() == 2);  // 20 ms of packets: at the first batch and at the end
}
