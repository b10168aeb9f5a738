// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/reload.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "fake_source.hpp"

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

// A probe on a source in memory, its configuration file, and what is logged.
struct Room {
  std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("reload_test." + std::to_string(::getpid()) + ".yaml");
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> log = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(16);
  std::shared_ptr<spdlog::logger> before = spdlog::default_logger();
  std::vector<std::string> arguments{"-config", file.string(), "--output", "none", "--set", "flow.max_flows=4096"};

  Room() {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", log));
    spdlog::set_pattern("%l %v");
  }
  ~Room() {
    spdlog::set_default_logger(before);
    std::filesystem::remove(file);
  }
  void write(const std::string& text) const { std::ofstream{file} << "capture:\n  interface: eth0\n" << text; }
  [[nodiscard]] Config read() const {
    std::vector<const char*> words;
    for (const auto& argument : arguments) words.push_back(argument.c_str());
    return parse_invocation(words).config;
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    auto lines = log->last_formatted();
    for (auto& line : lines) line.resize(line.find_last_not_of('\n') + 1);
    return lines;
  }
};

}  // namespace

TEST_CASE("a reload takes over what it can, names what waits for a restart, and refuses a mistake as a whole") {
  Room room;
  room.write("log:\n  statistics_interval: 60s\n");
  std::vector<Input> inputs;
  inputs.push_back(live_input(10));
  const Config config = room.read();
  Probe probe{config, std::move(inputs), InputKind::live};
  Reloader reloader{room.arguments, config, probe};

  room.write("  snap_len: 90\nlog:\n  statistics_interval: 5s\n");
  CHECK(reloader.reload().statistics_interval == 5s);
  using Lines = std::vector<std::string>;
  CHECK(room.lines() ==
        Lines{"info settings read again from " + room.file.string() + ": now in force: log.statistics_interval",
              "warning a restart is needed to change capture.snap_len; kept as at the start"});

  room.write("log:\n  statistics_interval: 5\n");
  CHECK(reloader.reload().statistics_interval == 5s);
  REQUIRE(room.lines().size() == 3);
  CHECK(room.lines()[2].starts_with("error reload: " + room.file.string() + ":4:24: log.statistics_interval: "));
  CHECK(room.lines()[2].ends_with("; the settings stay as they were"));

  room.write("log:\n  statistics_interval: 5s\n  level: error\n");
  CHECK(reloader.reload().level == LogLevel::error);
  CHECK(spdlog::get_level() == spdlog::level::err);
}

TEST_CASE("a reload that is cancelled before it reads anything changes nothing and says so") {
  Room room;
  room.write("log:\n  statistics_interval: 60s\n");
  std::vector<Input> inputs;
  inputs.push_back(live_input(10));
  const Config config = room.read();
  Probe probe{config, std::move(inputs), InputKind::live};
  Reloader reloader{room.arguments, config, probe};
  std::filesystem::remove(room.file);
  REQUIRE(::mkfifo(room.file.c_str(), 0600) == 0);
  const UniqueFd cancelled{::eventfd(1, EFD_CLOEXEC)};
  CHECK(reloader.reload(cancelled.get()).statistics_interval == 60s);
  CHECK(room.lines() ==
        std::vector<std::string>{"info reload: given up, as the probe stops; the settings stay as they were"});
}

TEST_CASE("the thread of a reload is heard of when it is done, and given up when it does not end") {
  {
    ReloadThread thread{[](int) { return LogSettings{.statistics_interval = 7s}; }};
    CHECK_FALSE(thread.runs());
    CHECK(thread.gives_up());
  }
  for (int round = 0; round < 2; ++round) {
    ReloadThread thread{[](int) { return LogSettings{.statistics_interval = 7s}; }};
    REQUIRE(thread.begin());
    pollfd watched{thread.done_fd(), POLLIN, 0};
    REQUIRE(::poll(&watched, 1, 20'000) == 1);
    CHECK(thread.finish().statistics_interval == 7s);
    CHECK_FALSE(thread.runs());
    CHECK_FALSE(is_readable(thread.done_fd()));
  }
  std::atomic<bool> may_end{false};
  ReloadThread deaf{[&](int) {
    while (!may_end) std::this_thread::sleep_for(1ms);
    return LogSettings{};
  }};
  REQUIRE(deaf.begin());
  CHECK_FALSE(deaf.gives_up());
  may_end = true;
  CHECK(deaf.gives_up());
}
