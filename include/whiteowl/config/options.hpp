// SPDX-License-Identifier: Apache-2.0
// THE TABLE of options: adding a setting is adding a member to a module's settings and a line here; nothing else names
// it. Derived from it: the parser of file and --set, the defaults, --print-config, etc/config.yaml and
// chompy-probe.yaml(5). The type of the destination picks the parser, so a value means the same wherever it is written.
#pragma once

#include <array>
#include <string_view>
#include <type_traits>
#include <vector>

#include "whiteowl/config/config.hpp"
#include "whiteowl/config/value.hpp"
#include "whiteowl/exporter/collector.hpp"
#include "whiteowl/ipfix/elements.hpp"

namespace whiteowl {

// What a setting looks like to a person; follows from the type of its destination.
enum class OptionKind : std::uint8_t { flag, word, number, numbers, duration, text, texts };

// Whether a running probe can take over a new value.
enum class Reload : std::uint8_t { no, yes };

struct Option {
  std::string_view key;           // block.name, as in the file
  std::string_view default_text;  // as a user would write it in YAML
  Limits limits;
  Reload reload;
  std::string_view sentence;  // for people: sample file and manual
  OptionKind kind;
  void (*set)(Config&, const SettingValue&, const Limits&);  // throws BadValue
  SettingValue (*get)(const Config&, const Limits&);

  [[nodiscard]] constexpr std::string_view block() const { return key.substr(0, key.find('.')); }
  [[nodiscard]] constexpr std::string_view name() const { return key.substr(key.find('.') + 1); }
};

template <typename T>
constexpr OptionKind kind_of(const Limits& limits) {
  if constexpr (std::is_enum_v<T>) return OptionKind::word;
  if constexpr (std::is_same_v<T, bool>) return limits.words.empty() ? OptionKind::flag : OptionKind::word;
  if constexpr (std::is_integral_v<T>) return OptionKind::number;
  if constexpr (std::is_same_v<T, Duration>) return OptionKind::duration;
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return OptionKind::texts;
  if constexpr (std::is_same_v<T, std::vector<std::uint32_t>>) return OptionKind::numbers;
  return OptionKind::text;
}

// `Destination` is a captureless lambda from (const) Config& to a reference into it.
template <typename Destination>
constexpr Option option(std::string_view key, std::string_view default_text, const Limits& limits, Reload reload,
                        std::string_view sentence, Destination) {
  using T = std::remove_reference_t<decltype(Destination{}(std::declval<Config&>()))>;
  return Option{
      key,
      default_text,
      limits,
      reload,
      sentence,
      kind_of<T>(limits),
      [](Config& config, const SettingValue& value, const Limits& l) { read_value(Destination{}(config), value, l); },
      [](const Config& config, const Limits& l) { return write_value(Destination{}(config), l); }};
}

constexpr Limits any() { return {}; }
constexpr Limits range(std::int64_t min, std::int64_t max, std::string_view unit = {}) {
  return {.min = min, .max = max, .unit = unit, .zero_word = {}, .words = {}};
}
constexpr Limits range_or(std::string_view zero_word, std::int64_t min, std::int64_t max, std::string_view unit = {}) {
  return {.min = min, .max = max, .unit = unit, .zero_word = zero_word, .words = {}};
}
constexpr Limits at_least(Duration min) {
  return {.min = min.count(), .max = kMaxDuration.count(), .unit = {}, .zero_word = {}, .words = {}};
}
constexpr Limits one_of(std::span<const std::string_view> words) {
  return {.unit = {}, .zero_word = {}, .words = words};
}
constexpr Limits checked_by(std::string (*check)(const std::string&)) {
  return {.unit = {}, .zero_word = {}, .words = {}, .check = check};
}

// In the order of the enumerators; no, yes for a switch.
inline constexpr std::array<std::string_view, 6> kFanoutModeWords{"auto", "hash",          "steer",
                                                                  "cpu",  "queue_mapping", "round_robin"};
inline constexpr std::array<std::string_view, 2> kTimeStampsWords{"software", "hardware"};
inline constexpr std::array<std::string_view, 2> kTunnelWords{"outer", "inner"};
inline constexpr std::array<std::string_view, 2> kRttSideWords{"destination", "source"};
inline constexpr std::array<std::string_view, 2> kRetransmitModeWords{"seed", "strict"};
inline constexpr std::array<std::string_view, 4> kLogLevelWords{"debug", "info", "warning", "error"};
inline constexpr std::array<std::string_view, 3> kOutputWords{"none", "table", "json"};  // of --output

// Rows of a block stand together: the order here is the order of the documents.
inline constexpr std::array kOptions = {
    option(
        "capture.interface", "\"\"", checked_by(check_interface_name), Reload::no,
        "Interface to capture on; a list names several, such as the two legs of a TAP.",
        [](auto& c) -> auto& { return c.capture.interfaces; }),
    option(
        "capture.promiscuous", "true", any(), Reload::no, "Also capture packets that are addressed to other machines.",
        [](auto& c) -> auto& { return c.capture.promiscuous; }),
    option(
        "capture.snap_len", "128", range(54, 262'144, "octets"), Reload::no,
        "Octets of each packet that are looked at; headers are enough.",
        [](auto& c) -> auto& { return c.capture.snap_len; }),
    option(
        "capture.bpf_filter", "\"\"", any(), Reload::yes,
        "Only packets that match this pcap-filter(7) expression are metered; empty takes all.",
        [](auto& c) -> auto& { return c.capture.bpf_filter; }),
    option(
        "capture.buffer_size_mb", "64", range(1, 65'536, "MiB"), Reload::no,
        "Capture buffer in the kernel, shared among all workers and interfaces.",
        [](auto& c) -> auto& { return c.capture.buffer_size_mb; }),
    option(
        "capture.workers", "auto", range_or("auto", 1, 256, "threads"), Reload::no,
        "Threads that capture and meter; auto chooses by the processors. A capture file has one with auto; several "
        "have a thread more that reads for them, and make the same records.",
        [](auto& c) -> auto& { return c.capture.workers; }),
    option(
        "capture.fanout_group", "auto", range_or("auto", 1, 65'535), Reload::no,
        "Processes that name the same group share the packets of an interface; auto takes a group of its own.",
        [](auto& c) -> auto& { return c.capture.fanout_group; }),
    option(
        "capture.fanout_mode", "auto", one_of(kFanoutModeWords), Reload::no,
        "How the kernel chooses the worker of a packet; auto is steer with decode.tunnels: inner and hash without, "
        "which bring both directions of a flow to one worker on any network card.",
        [](auto& c) -> auto& { return c.capture.fanout_mode; }),
    option(
        "capture.defragment", "false", any(), Reload::no,
        "Let the kernel put fragmented IPv4 datagrams together first, so that each counts as one packet.",
        [](auto& c) -> auto& { return c.capture.defragment; }),
    option(
        "capture.cpus", "[]", range(0, 1023), Reload::no,
        "Processors that the workers run on, one each in turn; an empty list leaves the choice to the kernel.",
        [](auto& c) -> auto& { return c.capture.cpus; }),
    option(
        "capture.timestamps", "software", one_of(kTimeStampsWords), Reload::no,
        "Who stamps the packets: the kernel, or the network card where it does. Its clock must have been switched on "
        "and set to the system's before, which this program does not do.",
        [](auto& c) -> auto& { return c.capture.timestamps; }),
    option(
        "capture.lock_filter", "false", any(), Reload::no,
        "Lock the filter in the kernel, so that not even this process can change it any more.",
        [](auto& c) -> auto& { return c.capture.lock_filter; }),

    option(
        "decode.tunnels", "outer", one_of(kTunnelWords), Reload::no,
        "Whose addresses and ports make the flow: those of the outermost IP header, or of the packet inside a tunnel.",
        [](auto& c) -> auto& { return c.decode.inner; }),
    option(
        "decode.max_tunnel_depth", "4", range(1, 16, "headers"), Reload::no,
        "Tunnels inside tunnels that are followed at most.",
        [](auto& c) -> auto& { return c.decode.max_tunnel_depth; }),
    option(
        "decode.fragment_cache_max", "1024", range(16, 1'048'576, "datagrams"), Reload::no,
        "Fragmented datagrams whose ports each worker remembers at once.",
        [](auto& c) -> auto& { return c.decode.fragment_cache_max; }),

    option(
        "flow.max_flows", "262144", range(16, 134'217'728, "conversations"), Reload::no,
        "Conversations in the flow table, both directions together; the memory is taken at the start.",
        [](auto& c) -> auto& { return c.flow.max_flows; }),
    option(
        "flow.unanswered_room", "8192", range(0, 1'048'576, "conversations"), Reload::no,
        "Places beside max_flows that only conversations without an answer take: a flood must fill them before it "
        "pushes "
        "out a conversation whose answer is under way.",
        [](auto& c) -> auto& { return c.flow.unanswered_room; }),
    option(
        "flow.vlan_key", "false", any(), Reload::no, "Keep equal addresses and ports in different VLANs apart.",
        [](auto& c) -> auto& { return c.flow.vlan_in_key; }),

    option(
        "tcp.rtt_side", "destination", one_of(kRttSideWords), Reload::no,
        "Whose round-trip time a record carries: between the probe and the record's destination, or its source.",
        [](auto& c) -> auto& { return c.tcp.rtt_side; }),
    option(
        "tcp.retransmit_mode", "seed", one_of(kRetransmitModeWords), Reload::no,
        "Whether retransmit_count takes every segment below the highest seen (seed) or leaves reordered ones out "
        "(strict).",
        [](auto& c) -> auto& { return c.tcp.retransmit_mode; }),
    option(
        "tcp.ts_rtt", "true", any(), Reload::no,
        "Take round-trip times from TCP timestamps where no acknowledgement fits.",
        [](auto& c) -> auto& { return c.tcp.ts_rtt; }),
    option(
        "tcp.syn_cache_max", "100000", range(10, 16'777'216, "entries"), Reload::no,
        "SYNs that are remembered until their SYN-ACK comes; when full, the oldest tenth goes.",
        [](auto& c) -> auto& { return c.tcp.syn_cache_max; }),
    option(
        "tcp.syn_ttl", "30s", at_least(std::chrono::milliseconds{1}), Reload::no, "How long a SYN is remembered.",
        [](auto& c) -> auto& { return c.tcp.syn_ttl; }),
    option(
        "tcp.dedup", "true", any(), Reload::no,
        "Recognise packets that a mirror port delivers twice, and do not take them for retransmissions.",
        [](auto& c) -> auto& { return c.tcp.dedup; }),
    option(
        "tcp.dup_id_window", "100ms", at_least(Duration{0}), Reload::no,
        "Copies with the same IP identification come within this time.",
        [](auto& c) -> auto& { return c.tcp.dup_id_window; }),
    option(
        "tcp.dup_window", "100us", at_least(Duration{0}), Reload::no,
        "Copies without an IP identification come within this time; 0 does not look for them.",
        [](auto& c) -> auto& { return c.tcp.dup_window; }),
    option(
        "tcp.reorder_default", "3ms", at_least(Duration{0}), Reload::no,
        "A segment this late is taken for reordered rather than repeated while the round-trip time is unknown.",
        [](auto& c) -> auto& { return c.tcp.reorder_default; }),
    option(
        "tcp.timeout_silence", "180ms", at_least(Duration{0}), Reload::no,
        "A repetition after this much silence is taken for a retransmission timeout.",
        [](auto& c) -> auto& { return c.tcp.timeout_silence; }),
    option(
        "tcp.close_linger", "5s", at_least(Duration{0}), Reload::yes,
        "A closed connection stays in the table this long before it is exported.",
        [](auto& c) -> auto& { return c.tcp.close_linger; }),

    option(
        "export.collector_ip", "\"\"", checked_by(check_collector_address), Reload::yes,
        "Address or name of the collector that gets the flows over UDP; empty sends nothing.",
        [](auto& c) -> auto& { return c.collector_ip; }),
    option(
        "export.collector_port", "2055", range(1, 65'535), Reload::yes,
        "Its port, and that of every other collector that names none.",
        [](auto& c) -> auto& { return c.exporter.default_port; }),
    option(
        "export.collectors", "[]", checked_by(check_collector), Reload::yes,
        "More collectors, each of which gets all flows: udp://HOST:PORT, tcp://HOST:PORT or file:///PATH.",
        [](auto& c) -> auto& { return c.exporter.collectors; }),
    option(
        "export.domain_id", "1", range(0, 4'294'967'295), Reload::no,
        "IPFIX Observation Domain ID; give each process its own.", [](auto& c) -> auto& { return c.ipfix.domain_id; }),
    option(
        "export.template_id", "256", range(256, 65'520), Reload::no,
        "ID of the first IPFIX template; the others follow it.", [](auto& c) -> auto& { return c.ipfix.template_id; }),
    option(
        "export.template_interval", "300s", at_least(std::chrono::seconds{1}), Reload::yes,
        "Over UDP, send the templates again after this time.",
        [](auto& c) -> auto& { return c.exporter.template_interval; }),
    option(
        "export.template_messages", "1000", range(0, 4'294'967'295, "messages"), Reload::yes,
        "Over UDP, send the templates again after this many messages; 0 counts on the time alone.",
        [](auto& c) -> auto& { return c.exporter.template_messages; }),
    option(
        "export.active_timeout", "60s", at_least(std::chrono::milliseconds{1}), Reload::yes,
        "A long-lived flow is exported this often; its counters start anew and the flow stays.",
        [](auto& c) -> auto& { return c.flow.active_timeout; }),
    option(
        "export.inactive_timeout", "15s", at_least(std::chrono::milliseconds{1}), Reload::yes,
        "A flow without a packet for this long is exported and removed.",
        [](auto& c) -> auto& { return c.flow.inactive_timeout; }),
    option(
        "export.interface_index", "1", range(0, 4'294'967'295), Reload::no,
        "Number exported as ingressInterface; a list gives one for each interface.",
        [](auto& c) -> auto& { return c.flow.interface_index; }),
    option(
        "export.track_tcp_performance", "true", any(), Reload::no,
        "Measure TCP round-trip times, retransmissions and windows, and export them.",
        [](auto& c) -> auto& { return c.tcp.track; }),
    option(
        "export.fields", "standard", checked_by(check_field), Reload::yes,
        "Fields of a record: standard, extended, or a list of names, one of which may be standard or extended.",
        [](auto& c) -> auto& { return c.ipfix.fields; }),
    option(
        "export.biflow", "false", any(), Reload::no,
        "Export both directions of a conversation in one IPFIX record (RFC 5103); JSON and the table keep two.",
        [](auto& c) -> auto& { return c.ipfix.biflow; }),
    option(
        "export.enterprise_number", "99999", range(1, 4'294'967'295), Reload::no,
        "Private Enterprise Number of the TCP performance fields.",
        [](auto& c) -> auto& { return c.ipfix.enterprise_number; }),
    option(
        "export.mtu", "auto", range_or("auto", 576, 65'535, "octets"), Reload::yes,
        "Size of an IP packet with a message in it at most; auto asks the kernel for the path's.",
        [](auto& c) -> auto& { return c.exporter.mtu; }),
    option(
        "export.queue_records", "16384", range(64, 16'777'216, "records"), Reload::no,
        "Records that may wait between a worker and the exporter; more are dropped and counted.",
        [](auto& c) -> auto& { return c.exporter.queue_records; }),
    option(
        "export.max_rate", "auto", range_or("auto", 1, 1'000'000, "messages a second"), Reload::yes,
        "Messages to a UDP collector at most; auto slows down only the burst at the end.",
        [](auto& c) -> auto& { return c.exporter.max_rate; }),

    option(
        "metrics.listen", "\"\"", checked_by(check_listen_address), Reload::no,
        "Address and port of a page of the counters for Prometheus, http://ADDRESS:PORT/metrics; empty switches it "
        "off. "
        "Whoever can reach the port can read it: 127.0.0.1:9108 keeps it on this host.",
        [](auto& c) -> auto& { return c.metrics.listen; }),

    option(
        "process.sandbox", "true", any(), Reload::no,
        "Give up what is not needed before the first packet is looked at: every capability but CAP_NET_RAW, new "
        "privileges, system calls that the program does not make, core files. A capture file is read without any "
        "capability.",
        [](auto& c) -> auto& { return c.process.sandbox; }),
    option(
        "process.user", "_chompy-probe", any(), Reload::no,
        "User to become when root starts the program and process.sandbox is on; this one is used only where it exists, "
        "any other must. Empty stays root, without its capabilities. Outputs are opened before; what a reload opens "
        "must be open to that user.",
        [](auto& c) -> auto& { return c.process.user; }),

    option(
        "log.level", "info", one_of(kLogLevelWords), Reload::yes, "The least important messages that are logged.",
        [](auto& c) -> auto& { return c.log.level; }),
    option(
        "log.statistics_interval", "60s", at_least(Duration{0}), Reload::yes,
        "Log a line of counters this often; 0 logs it only at the end.",
        [](auto& c) -> auto& { return c.log.statistics_interval; }),
};

}  // namespace whiteowl
