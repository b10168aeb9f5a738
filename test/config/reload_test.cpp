// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/reload.hpp"

#include <doctest/doctest.h>

#include "whiteowl/config/load.hpp"

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

using Keys = std::vector<std::string_view>;

Config read(const std::string& yaml) { return load_config_text(yaml, "c.yaml"); }

}  // namespace

TEST_CASE("nothing changes when the file says the same") {
  const Config config = read("capture:\n  interface: eth0\nexport:\n  collector_ip: 192.0.2.1\n");
  const ReloadPlan plan = plan_reload(config, config);
  CHECK(plan.changed.empty());
  CHECK(plan.kept.empty());
  CHECK(plan.config.exporter.collectors == std::vector<std::string>{"192.0.2.1:2055"});
}

TEST_CASE("what can be taken over is, what needs a restart is named and stays as it was") {
  const Config running = read("capture:\n  interface: eth0\nflow:\n  max_flows: 1000\n");
  const Config wanted = read(
      "capture:\n  interface: eth1\n  bpf_filter: udp\nflow:\n  max_flows: 2000\n"
      "export:\n  active_timeout: 7s\n  collector_ip: 192.0.2.1\nlog:\n  level: error\n");
  const ReloadPlan plan = plan_reload(running, wanted);
  CHECK(plan.kept == Keys{"capture.interface", "flow.max_flows"});
  CHECK(plan.changed ==
        Keys{"capture.bpf_filter", "export.collector_ip", "export.collectors", "export.active_timeout", "log.level"});
  CHECK(plan.config.capture.interfaces == std::vector<std::string>{"eth0"});
  CHECK(plan.config.flow.max_flows == 1000);
  CHECK(plan.config.capture.bpf_filter == "udp");
  CHECK(plan.config.flow.active_timeout == 7s);
  CHECK(plan.config.exporter.collectors == std::vector<std::string>{"192.0.2.1:2055"});
  CHECK(plan.config.log.level == LogLevel::error);
}

TEST_CASE("a locked filter waits for a restart") {
  const Config running = read("capture:\n  lock_filter: true\n");
  const ReloadPlan plan = plan_reload(running, read("capture:\n  lock_filter: true\n  bpf_filter: udp\n"));
  CHECK(plan.kept == Keys{"capture.bpf_filter"});
  CHECK(plan.config.capture.bpf_filter.empty());
}

TEST_CASE("fields that are not measured yet wait for a restart, fewer fields do not") {
  Config running = read("");
  Config wanted = read("export:\n  fields: extended\n");
  running.tcp.extended = false;
  wanted.tcp.extended = true;
  CHECK(plan_reload(running, wanted).kept == Keys{"export.fields"});
  const ReloadPlan back = plan_reload(wanted, running);
  CHECK(back.kept.empty());
  CHECK(back.config.tcp.extended);
  CHECK(back.config.ipfix.fields == std::vector<std::string>{"standard"});
}
