// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/memory_need.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "fake_source.hpp"
#include "whiteowl/base/error.hpp"
#include "whiteowl/config/load.hpp"
#include "whiteowl/daemon/probe.hpp"

using namespace whiteowl;

namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20U;

Config live_config() {
  Config config = default_config();
  config.capture.workers = 2;
  config.capture.interfaces = {"eth0", "eth1"};
  return config;
}

std::string refusal(const Config& config, InputKind kind, const MemoryRoom& room, Rings rings = Rings::to_be_made) {
  try {
    require_memory(config, kind, room, rings);
  } catch (const StartError& error) {
    CHECK(error.status() == ExitStatus::failure);
    return error.what();
  }
  return {};
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The number that a line ends with.
std::uint32_t advised(const std::string& line) {
  return static_cast<std::uint32_t>(std::strtoul(line.substr(line.rfind(' ') + 1).c_str(), nullptr, 10));
}

}  // namespace

TEST_CASE("what is said before is what the probe takes") {
  Config config = live_config();
  config.flow.max_flows = 10'000;
  std::vector<Input> inputs;
  for (int i = 0; i < 2; ++i) inputs.push_back(live_input(1));
  const Probe probe{config, std::move(inputs), InputKind::live};
  CHECK(memory_need(config, InputKind::live).tables == probe.table_octets());
}

TEST_CASE("rings are those of all workers and interfaces, and a file has none") {
  Config config = live_config();
  config.capture.buffer_size_mb = 256;
  CHECK(memory_need(config, InputKind::live).rings == 256 * kMebi);
  CHECK(memory_need(config, InputKind::file).rings == 0);
}

TEST_CASE("more than is left is refused for a live capture, with the setting that takes most and what it may be") {
  Config config = live_config();
  config.flow.max_flows = 134'217'728;
  const MemoryRoom room{.machine = {.left = 8192 * kMebi, .total = 65'536 * kMebi}, .group = {}};
  const std::string line = refusal(config, InputKind::live, room);
  CHECK(has(line, "8.0 GiB left;"));
  CHECK(has(line, "lower flow.max_flows from 134217728 to "));
  config.flow.max_flows = advised(line);
  CHECK(refusal(config, InputKind::live, room).empty());
  config.flow.max_flows += config.flow.max_flows / 8;
  CHECK_FALSE(refusal(config, InputKind::live, room).empty());
}

TEST_CASE("rings that are too large are named, unless they are there already") {
  Config config = live_config();
  config.capture.buffer_size_mb = 4096;
  const MemoryRoom room{.machine = {.left = 1024 * kMebi, .total = 65'536 * kMebi}, .group = {}};
  const std::string line = refusal(config, InputKind::live, room);
  CHECK(has(line, "lower capture.buffer_size_mb from 4096 to "));
  CHECK(refusal(config, InputKind::live, room, Rings::there).empty());
  config.capture.buffer_size_mb = advised(line);
  CHECK(refusal(config, InputKind::live, room).empty());
}

TEST_CASE("a control group bounds the tables, not the rings") {
  Config config = live_config();
  config.capture.buffer_size_mb = 512;
  const std::uint64_t tables = memory_need(config, InputKind::live).tables;
  MemoryRoom room{.machine = {}, .group = {.left = tables * 5 / 4, .total = tables * 5 / 4}};
  CHECK(refusal(config, InputKind::live, room).empty());
  room.group.left = tables / 2;
  CHECK(has(refusal(config, InputKind::live, room), "left in the control group; lower flow.max_flows"));
}

TEST_CASE("a capture file's tables need not be left, but must be possible") {
  Config config = default_config();
  const std::uint64_t tables = memory_need(config, InputKind::file).tables;
  CHECK(refusal(config, InputKind::file, {.machine = {.left = 0, .total = tables}, .group = {}}).empty());
  CHECK(has(refusal(config, InputKind::file, {.machine = {.left = 0, .total = tables - 1}, .group = {}}), " there;"));
}

TEST_CASE("where no single setting is enough several are named") {
  Config config = live_config();
  config.flow.max_flows = 100'000'000;
  config.capture.buffer_size_mb = 65'536;
  CHECK(has(refusal(config, InputKind::live, {.machine = {.left = kMebi, .total = kMebi}, .group = {}}),
            "lower flow.max_flows, capture.buffer_size_mb"));
}
