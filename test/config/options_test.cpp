// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/options.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "whiteowl/config/load.hpp"
#include "whiteowl/config/settings.hpp"

using namespace whiteowl;
using namespace std::chrono_literals;

TEST_CASE("the defaults are those of the probe's description") {
  const Config config = default_config();
  CHECK(config.capture.interfaces.empty());
  CHECK(config.capture.promiscuous);
  CHECK(config.capture.snap_len == 128);
  CHECK(config.capture.bpf_filter.empty());
  CHECK(config.capture.buffer_size_mb == 64);
  CHECK(config.collector_ip.empty());
  CHECK(config.exporter.default_port == 2055);
  CHECK(config.ipfix.domain_id == 1);
  CHECK(config.ipfix.template_id == 256);
  CHECK(config.exporter.template_interval == 300s);
  CHECK(config.flow.active_timeout == 60s);
  CHECK(config.flow.inactive_timeout == 15s);
  CHECK(config.flow.interface_index == std::vector<std::uint32_t>{1});
  CHECK(config.tcp.track);
  CHECK(config.ipfix.tcp_fields);
  CHECK(config.exporter.collectors.empty());
  CHECK(config.ipfix.enterprise_number == 99'999);
  CHECK(config.ipfix.fields == std::vector<std::string>{"standard"});
  CHECK(config.flow.max_flows == 262'144);
  CHECK_FALSE(config.decode.inner);
  CHECK_FALSE(config.capture.lock_filter);
  CHECK(config.tcp.rtt_side == RttSide::destination);
  CHECK(config.tcp.retransmit_mode == RetransmitMode::seed);
  CHECK(config.tcp.ts_rtt);
  CHECK(config.tcp.syn_cache_max == 100'000);
  CHECK(config.tcp.syn_ttl == 30s);
  CHECK(config.tcp.dedup);
  CHECK(config.tcp.dup_id_window == 100ms);
  CHECK(config.tcp.dup_window == 100us);
  CHECK(config.tcp.reorder_default == 3ms);
  CHECK(config.tcp.timeout_silence == 180ms);
  CHECK(config.tcp.close_linger == 5s);
}

TEST_CASE("keys are unique, have two levels, and blocks stand together") {
  std::set<std::string_view> keys;
  std::set<std::string_view> blocks;
  std::string_view block;
  for (const Option& option : kOptions) {
    CAPTURE(option.key);
    CHECK(keys.insert(option.key).second);
    CHECK(std::count(option.key.begin(), option.key.end(), '.') == 1);
    if (option.block() != block) CHECK(blocks.insert(option.block()).second);
    block = option.block();
    CHECK(option.sentence.back() == '.');
  }
}

TEST_CASE("every default, read and written, is what the table says") {
  const Settings settings;
  for (const Option& option : kOptions) {
    CAPTURE(option.key);
    const SettingValue value = option.get(settings.config(), option.limits);
    const std::string text = value.is_list && value.items.empty() ? "" : value.items.front();
    const bool empty = option.default_text == "\"\"" || option.default_text == "[]";
    CHECK(text == (empty ? "" : std::string{option.default_text}));
  }
}

TEST_CASE("every option has a destination of its own") {
  // A value that differs from the default must show in its own row and in no other.
  for (const Option& option : kOptions) {
    CAPTURE(option.key);
    std::string other;
    switch (option.kind) {
      case OptionKind::flag:
        other = option.default_text == "true" ? "false" : "true";
        break;
      case OptionKind::word:
        other = option.limits.words.back();
        break;
      case OptionKind::number:
      case OptionKind::numbers:
        other = std::to_string(option.limits.max - 1);
        break;
      case OptionKind::duration:
        other = "1234s";
        break;
      case OptionKind::text:
      case OptionKind::texts:
        other = option.key == "metrics.listen" ? "192.0.2.1:80" : option.key == "export.fields" ? "extended" : "x1";
        break;
    }
    Config config = default_config();
    option.set(config, scalar(other), option.limits);
    for (const Option& row : kOptions) {
      CAPTURE(row.key);
      const bool changed = row.get(config, row.limits) != row.get(default_config(), row.limits);
      CHECK(changed == (row.key == option.key));
    }
  }
}

TEST_CASE("a reload can change the filter, the collectors, the timeouts and the log level") {
  for (const char* const key : {"capture.bpf_filter", "export.collector_ip", "export.collector_port",
                                "export.collectors", "export.active_timeout", "export.inactive_timeout", "log.level"}) {
    CAPTURE(key);
    CHECK(Settings::find(key, {}).reload == Reload::yes);
  }
  CHECK(Settings::find("capture.interface", {}).reload == Reload::no);
  CHECK(Settings::find("flow.max_flows", {}).reload == Reload::no);
}
