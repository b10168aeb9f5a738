// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/service.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>
#include <vector>

#include "fake_manager.hpp"
#include "fake_source.hpp"

using namespace whiteowl;

namespace {

struct Run {
  Config config = default_config();
  std::vector<int> raised{};  // signals that come once the probe captures
  SignalInbox signals;
  std::filesystem::path counters =
      std::filesystem::temp_directory_path() / ("service_test." + std::to_string(::getpid()) + ".json");
  ServiceSettings settings{
      .quiet = true, .subject = "test", .write_counters = [this](const CounterSources& sources) {
        write_counters(counters.string(), sources);
      }};

  Run() {
    config.flow.max_flows = 4096;
    config.exporter.output = StandardOutput::none;
  }
  ~Run() { std::filesystem::remove(counters); }

  ExitStatus serve_input(Input input, InputKind kind) {
    std::vector<Input> inputs;
    inputs.push_back(std::move(input));
    return serve_inputs(std::move(inputs), kind);
  }
  ExitStatus serve_inputs(std::vector<Input> inputs, InputKind kind) {
    Probe probe{config, std::move(inputs), kind};
    for (const int number : raised) ::kill(::getpid(), number);  // they wait in the inbox
    return serve(probe, signals, settings);
  }
  [[nodiscard]] nlohmann::json written() const {
    std::ifstream file{counters};
    return nlohmann::json::parse(file);
  }
};

}  // namespace

TEST_CASE("the end of a file is the end of the run, with its counters written") {
  Run run;
  CHECK(run.serve_input(file_input(100), InputKind::file) == ExitStatus::ok);
  CHECK(run.written()["packets_received"] == 200);
  CHECK(run.written()["packets_in_table"] == 0);
}

TEST_CASE("SIGTERM ends a capture with exit status 0 and everything exported") {
  Run run;
  run.raised = {SIGTERM};
  CHECK(run.serve_input(live_input(100), InputKind::live) == ExitStatus::ok);
  CHECK(run.written()["packets_in_table"] == 0);
}

TEST_CASE("SIGUSR1 and SIGHUP do not end a capture, SIGINT does") {
  Run run;
  run.raised = {SIGUSR1, SIGHUP, SIGINT};
  CHECK(run.serve_input(live_input(1), InputKind::live) == ExitStatus::ok);
}

TEST_CASE("a capture ends by itself after its time") {
  Run run;
  run.settings.run_for = std::chrono::milliseconds{50};
  CHECK(run.serve_input(live_input(100), InputKind::live) == ExitStatus::ok);
  CHECK(run.written()["packets_received"] == 200);
}

TEST_CASE("the service manager hears that it is ready, how it goes and that it stops") {
  Run run;
  const FakeManager manager;
  run.raised = {SIGTERM};
  CHECK(run.serve_input(live_input(100), InputKind::live) == ExitStatus::ok);
  const auto told = manager.told();
  REQUIRE(told.size() >= 2);
  CHECK(told.front().starts_with("READY=1\nSTATUS=Capturing from test: "));
  CHECK(std::count_if(told.begin(), told.end(), [](const auto& m) { return m.starts_with("STOPPING=1"); }) >= 1);
}

TEST_CASE("the watchdog is fed while all threads go round, and not while one capture thread is stuck") {
  for (const bool one_hangs : {false, true}) {
    CAPTURE(one_hangs);
    Run run;
    run.settings.run_for = std::chrono::milliseconds{1300};
    const FakeManager manager;
    manager.want_watchdog(1'000'000);
    std::vector<Input> inputs;
    inputs.push_back(live_input(100));
    if (one_hangs) inputs.push_back(stuck_input());
    CHECK(run.serve_inputs(std::move(inputs), InputKind::live) == ExitStatus::ok);
    const auto told = manager.told();
    CHECK((std::count(told.begin(), told.end(), "WATCHDOG=1") != 0) == !one_hangs);
  }
}

namespace {

// A reload that lasts until it is told to end, or is cancelled.
struct SlowReload {
  std::atomic<unsigned> begun{0}, cancelled{0};
  std::atomic<unsigned> may_end{0};
  LogSettings operator()(int cancel_fd) {
    const unsigned number = ++begun;
    while (may_end < number && !is_readable(cancel_fd)) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    if (is_readable(cancel_fd)) ++cancelled;
    return {};
  }
};

template <typename Condition>
void wait_until(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!condition() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  CHECK(condition());
}

// All messages so far, since told() gives each once.
struct Told {
  const FakeManager& manager;
  std::vector<std::string> all{};
  std::ptrdiff_t count(std::string_view beginning) {
    for (auto& message : manager.told()) all.push_back(std::move(message));
    return std::count_if(all.begin(), all.end(), [&](const auto& m) { return m.starts_with(beginning); });
  }
};

}  // namespace

TEST_CASE("SIGHUP has the settings read again between RELOADING and READY") {
  Run run;
  const FakeManager manager;
  SlowReload slow;
  run.settings.reload = [&](int cancel_fd) { return slow(cancel_fd); };
  ::kill(::getpid(), SIGHUP);
  std::thread others{[&] {
    Told told{manager};
    wait_until([&] { return slow.begun == 1; });
    CHECK(told.count("READY=1\n") == 1);
    wait_until([&] { return told.count("RELOADING=1\nMONOTONIC_USEC=") == 1; });
    slow.may_end = 1;
    wait_until([&] { return told.count("READY=1\n") == 2; });
    ::kill(::getpid(), SIGTERM);
  }};
  CHECK(run.serve_input(live_input(1), InputKind::live) == ExitStatus::ok);
  others.join();
  CHECK(slow.begun == 1);
}

TEST_CASE(
    "while a reload takes its time the watchdog is fed, and what SIGHUP asks for meanwhile comes behind it, once") {
  Run run;
  const FakeManager manager;
  manager.want_watchdog(1'000'000);
  SlowReload slow;
  run.settings.reload = [&](int cancel_fd) { return slow(cancel_fd); };
  ::kill(::getpid(), SIGHUP);
  std::thread others{[&] {
    Told told{manager};
    wait_until([&] { return slow.begun == 1; });
    const auto fed = told.count("WATCHDOG=1");
    wait_until([&] { return told.count("WATCHDOG=1") >= fed + 3; });
    // Each is taken before the next comes, or they would be one signal.
    for (int i = 0; i < 3; ++i) {
      const auto before = told.count("WATCHDOG=1");
      ::kill(::getpid(), SIGHUP);
      wait_until([&] { return told.count("WATCHDOG=1") >= before + 2; });
    }
    CHECK(slow.begun == 1);
    slow.may_end = 2;
    wait_until([&] { return told.count("READY=1\n") == 3; });
    ::kill(::getpid(), SIGTERM);
  }};
  CHECK(run.serve_input(live_input(1), InputKind::live) == ExitStatus::ok);
  others.join();
  CHECK(slow.begun == 2);
  CHECK(slow.cancelled == 0);
}

TEST_CASE("SIGTERM cancels a reload and does not wait for it") {
  Run run;
  SlowReload slow;
  run.settings.reload = [&](int cancel_fd) { return slow(cancel_fd); };
  ::kill(::getpid(), SIGHUP);
  std::thread others{[&] {
    wait_until([&] { return slow.begun == 1; });
    ::kill(::getpid(), SIGTERM);
  }};
  CHECK(run.serve_input(live_input(100), InputKind::live) == ExitStatus::ok);
  others.join();
  CHECK(slow.cancelled == 1);
  CHECK(run.written()["packets_in_table"] == 0);
}

TEST_CASE("a damaged file is exported up to the damage and then is the line for the user") {
  Run run;
  CHECK_THROWS_WITH_AS(run.serve_input(file_input(100, "x.pcap: cut off"), InputKind::file), "x.pcap: cut off",
                       StartError);
  CHECK(run.written()["packets_received"] == 200);
}

TEST_CASE("the start line says what, where from, how much memory and where to") {
  Invocation invocation;
  invocation.config = default_config();
  invocation.config.capture.interfaces = {"eth0", "eth1"};
  invocation.config.exporter.collectors = {"udp://192.0.2.7:4739"};
  std::vector<Input> inputs;
  inputs.push_back(live_input(1));
  Config config = invocation.config;
  config.exporter.collectors.clear();
  config.flow.max_flows = 4096;
  const Probe probe{config, std::move(inputs), InputKind::live};
  const std::string line = start_line(invocation, probe, 4711, "hash");
  CHECK(line.find("capturing on eth0, eth1, 1 worker, fanout group 4711 (hash)") != std::string::npos);
  CHECK(start_line(invocation, probe, 4711, "").find("fanout") == std::string::npos);
  CHECK(line.find("memory fixed from here on: rings 0.0 MiB, flow tables ") != std::string::npos);
  CHECK(line.ends_with("; settings from no file; records to udp://192.0.2.7:4739"));
  invocation.config_file = "/etc/x.yaml";
  CHECK(start_line(invocation, probe, 1, "").find("; settings from /etc/x.yaml;") != std::string::npos);
}
