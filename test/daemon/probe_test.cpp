// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/probe.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "fake_source.hpp"
#include "whiteowl/base/error.hpp"
#include "whiteowl/config/load.hpp"

using namespace whiteowl;

namespace {

Config quiet_config() {
  Config config = default_config();
  config.flow.max_flows = 200'000;
  config.exporter.output = StandardOutput::none;
  config.exporter.collectors.clear();
  return config;
}

// Listens and accepts, but never reads.
struct SilentCollector {
  UniqueFd socket{checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
  std::string uri;

  SilentCollector() {
    const int small = 2048;
    checked(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), "SO_RCVBUF");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::inet_addr("127.0.0.1");
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    checked(::bind(socket.get(), generic, size), "bind");
    checked(::listen(socket.get(), 1), "listen");
    checked(::getsockname(socket.get(), generic, &size), "getsockname");
    uri = "tcp://127.0.0.1:" + std::to_string((address.sin_port >> 8U) | ((address.sin_port & 0xFFU) << 8U));
  }
};

struct TemporaryFile {
  explicit TemporaryFile(const std::string& name = "probe")
      : path{std::filesystem::temp_directory_path() / (name + "_test." + std::to_string(::getpid()) + ".ipfix")} {}
  std::filesystem::path path;
  ~TemporaryFile() { std::filesystem::remove(path); }
};

bool readable(int fd, int milliseconds) {
  pollfd watched{fd, POLLIN, 0};
  return ::poll(&watched, 1, milliseconds) == 1;
}

std::vector<Input> one(Input input) {
  std::vector<Input> inputs;
  inputs.push_back(std::move(input));
  return inputs;
}

}  // namespace

TEST_CASE("a file is metered to its end, and every packet is accounted for") {
  TemporaryFile file;
  Config config = quiet_config();
  config.exporter.collectors = {"file://" + file.path.string()};
  Probe probe{config, one(file_input(5000)), InputKind::file};
  REQUIRE(readable(probe.finished_fd(), 30'000));
  CHECK(probe.finish());
  const auto final = account(probe.counters());
  CHECK(final.received == 10'000);
  CHECK(final.in_records_sent == 10'000);
  CHECK(final.in_records_not_sent == 0);
  CHECK(final.holds());
  CHECK(std::filesystem::file_size(file.path) > 5000 * 62);
  CHECK(probe.failure().empty());
}

TEST_CASE("several workers run until they are stopped, and their packets add up") {
  TemporaryFile file;
  Config config = quiet_config();
  config.exporter.collectors = {"file://" + file.path.string()};
  std::vector<Input> inputs;
  for (int i = 0; i < 3; ++i) inputs.push_back(live_input(300));
  Probe probe{config, std::move(inputs), InputKind::live};
  CHECK(probe.workers() == 3);
  CHECK(probe.ring_octets() == 3 * 4096);
  while (account(probe.counters()).received < 1800) std::this_thread::yield();
  CHECK_FALSE(readable(probe.finished_fd(), 0));
  probe.stop();
  REQUIRE(readable(probe.finished_fd(), 30'000));
  CHECK(probe.finish());
  const auto final = account(probe.counters());
  CHECK(final.in_records_sent == 1800);
  CHECK(final.holds());
}

TEST_CASE("a collector that does not read cannot hold up a stop, and what it did not take is counted") {
  const SilentCollector collector;
  Config config = quiet_config();
  config.exporter.collectors = {collector.uri};
  Probe probe{config, one(live_input(100'000)), InputKind::live};
  while (account(probe.counters()).received < 200'000) std::this_thread::yield();
  const auto begin = std::chrono::steady_clock::now();
  probe.stop(std::chrono::milliseconds{300});
  REQUIRE(readable(probe.finished_fd(), 30'000));
  const bool complete = probe.finish();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{10});
  CHECK_FALSE(complete);
  const auto final = account(probe.counters());
  CHECK(final.in_records_not_sent > 0);
  CHECK(final.holds());
}

TEST_CASE("a change of the outputs while running loses no record, and a refused one changes nothing") {
  TemporaryFile first, second{"second"};
  Config config = quiet_config();
  config.exporter.collectors = {"file://" + first.path.string()};
  Probe probe{config, one(live_input(1000)), InputKind::live};
  while (account(probe.counters()).received < 2000) std::this_thread::yield();
  config.exporter.collectors = {"file://" + second.path.string(), "file:///no-such-folder/x"};
  CHECK_THROWS_AS(static_cast<void>(probe.change(config)), StartError);
  config.exporter.collectors = {"file://" + second.path.string()};
  CHECK(probe.change(config).empty());
  probe.stop();
  REQUIRE(readable(probe.finished_fd(), 30'000));
  CHECK(probe.finish());
  CHECK(account(probe.counters()).in_records_sent == 2000);
  CHECK(account(probe.counters()).holds());
  CHECK(std::filesystem::file_size(second.path) > 1000 * 62);  // the table was flushed into it
}

TEST_CASE("a thread that hangs shows in the beats") {
  std::vector<Input> inputs;
  inputs.push_back(live_input(1));
  inputs.push_back(stuck_input());
  Probe probe{quiet_config(), std::move(inputs), InputKind::live};
  while (probe.beats()[0].rounds < 3 || probe.beats()[2].rounds < 3) std::this_thread::yield();
  const auto beats = probe.beats();
  REQUIRE(beats.size() == 3);
  CHECK(beats[0].name == "capture-0");
  CHECK(beats[1].rounds == 0);
  CHECK(beats[2].name == "export");
}

TEST_CASE("a probe that is destroyed while it runs stops") {
  Probe probe{quiet_config(), one(live_input(10)), InputKind::live};
}

TEST_CASE("why a source ended is passed on") {
  Probe probe{quiet_config(), one(file_input(10, "x.pcap: cut off")), InputKind::file};
  REQUIRE(readable(probe.finished_fd(), 30'000));
  probe.finish();
  CHECK(probe.failure() == "x.pcap: cut off");
  CHECK(account(probe.counters()).holds());
}

TEST_CASE("workers are as many as named, else at least one and at most four") {
  CaptureSettings settings;
  settings.workers = 7;
  CHECK(worker_count(settings) == 7);
  settings.workers = 0;
  CHECK(worker_count(settings) >= 1);
  CHECK(worker_count(settings) <= 4);
}
