// SPDX-License-Identifier: Apache-2.0
// THE TABLE of counters: what the probe says about itself.  One row each: name, one sentence, where it is kept.  The
// JSON of --counters, the statistics line of the log and the metrics page are read off it; a new counter is a new row.
// Also the accounting identity: no packet vanishes between the kernel and the record that carries it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "whiteowl/capture/source.hpp"
#include "whiteowl/exporter/exporter.hpp"
#include "whiteowl/flow/meter.hpp"

namespace whiteowl {

// Who keeps the numbers.  Points into the workers and the exporter, which outlive it.  May be read by any thread at any
// time: while the probe runs the numbers are some microseconds apart from each other, after it stopped they are exact.
struct CounterSources {
  // Who reads packets: each worker of a live capture, one for all workers of a file.
  struct Reading {
    const CaptureCounters* capture = nullptr;
    const ClassifierCounters* classifier = nullptr;
    std::span<const InterfaceCounters> interfaces{};  // the same ones for every reader
  };
  struct Metering {
    const MeterCounters* meter = nullptr;
    const TcpCounters* tcp = nullptr;
    const QueueCounters* queue = nullptr;
  };
  std::vector<Reading> readers;
  std::vector<Metering> workers;
  const ExportCounters* exporter = nullptr;
};

// Where every received packet is.
struct Accounting {
  std::uint64_t received = 0, filtered = 0, discarded = 0, in_records_sent = 0, in_records_not_sent = 0, in_table = 0;

  // received = filtered + discarded + in_records_sent + in_records_not_sent + in_table + this.  While the probe runs:
  // the packets of records on their way from a worker through the exporter.  After it stopped: 0, or there is a bug.
  [[nodiscard]] std::int64_t unaccounted() const noexcept {
    return static_cast<std::int64_t>(received - filtered - discarded - in_records_sent - in_records_not_sent -
                                     in_table);
  }
  [[nodiscard]] bool holds() const noexcept { return unaccounted() == 0; }
};
[[nodiscard]] Accounting account(const CounterSources& sources) noexcept;

// Packets discarded for this reason, all readers together.
[[nodiscard]] std::uint64_t packets_discarded(const CounterSources& sources, Discard reason) noexcept;

enum class CounterKind : std::uint8_t {
  total,      // only rises
  now,        // rises and falls
  by_reason,  // a total for each Discard; read() is their sum
};

struct CounterRow {
  std::string_view name;
  std::string_view sentence;
  CounterKind kind;
  std::uint64_t (*read)(const CounterSources&);
};

namespace counter_place {  // how a row says where its number is kept

template <auto Owner, auto Member>
std::uint64_t readers(const CounterSources& sources) {
  std::uint64_t sum = 0;
  for (const auto& reader : sources.readers) sum += ((reader.*Owner)->*Member).get();
  return sum;
}
template <auto Owner, auto Member>
std::uint64_t workers(const CounterSources& sources) {
  std::uint64_t sum = 0;
  for (const auto& worker : sources.workers) sum += ((worker.*Owner)->*Member).get();
  return sum;
}
template <auto Member>
std::uint64_t exporter(const CounterSources& sources) {
  return (sources.exporter->*Member).get();
}
template <auto Member>
constexpr auto capture = &readers<&CounterSources::Reading::capture, Member>;
template <auto Member>
constexpr auto classifier = &readers<&CounterSources::Reading::classifier, Member>;
template <auto Member>
constexpr auto meter = &workers<&CounterSources::Metering::meter, Member>;
template <auto Member>
constexpr auto tcp = &workers<&CounterSources::Metering::tcp, Member>;
template <auto Member>
constexpr auto queue = &workers<&CounterSources::Metering::queue, Member>;
template <auto InQueue, auto InExporter>
std::uint64_t queue_and_exporter(const CounterSources& sources) {
  return queue<InQueue>(sources) + exporter<InExporter>(sources);
}
std::uint64_t all_discarded(const CounterSources& sources);
std::uint64_t pending(const CounterSources& sources);

}  // namespace counter_place

inline constexpr std::array kCounterTable = {
    CounterRow{"packets_received", "Packets delivered by the kernel or read from the file.", CounterKind::total,
               counter_place::capture<&CaptureCounters::packets_received>},
    CounterRow{"octets_received", "Octets of those packets on the wire.", CounterKind::total,
               counter_place::capture<&CaptureCounters::octets_received>},
    CounterRow{"packets_dropped", "Packets lost by the kernel because the ring was full.", CounterKind::total,
               counter_place::capture<&CaptureCounters::packets_dropped>},
    CounterRow{"ring_freezes", "Times that a ring was full.", CounterKind::total,
               counter_place::capture<&CaptureCounters::ring_freezes>},
    CounterRow{"link_losses", "Times that an interface went down or away.", CounterKind::total,
               counter_place::capture<&CaptureCounters::link_losses>},
    CounterRow{"interfaces_away", "Interfaces that are down or away and waited for.", CounterKind::now,
               counter_place::capture<&CaptureCounters::interfaces_away>},
    CounterRow{"packets_cut", "Packets captured shorter than they were on the wire.", CounterKind::total,
               counter_place::capture<&CaptureCounters::packets_cut>},
    CounterRow{"packets_filtered", "Packets of a capture file that the filter refused.", CounterKind::total,
               counter_place::capture<&CaptureCounters::packets_filtered>},
    CounterRow{"packets_discarded", "Packets that belong to no flow, by reason.", CounterKind::by_reason,
               &counter_place::all_discarded},
    CounterRow{"packets_metered", "Packets counted in a flow.", CounterKind::total,
               counter_place::meter<&MeterCounters::packets_metered>},
    CounterRow{"octets_metered", "IP octets of those packets.", CounterKind::total,
               counter_place::meter<&MeterCounters::octets_metered>},
    CounterRow{"packets_in_records_sent", "Packets in the records that an output took.", CounterKind::total,
               counter_place::exporter<&ExportCounters::packets_in_records_sent>},
    CounterRow{"packets_in_records_not_sent", "Packets in the records that were lost.", CounterKind::total,
               &counter_place::queue_and_exporter<&QueueCounters::packets_in_records_not_sent,
                                                  &ExportCounters::packets_in_records_not_sent>},
    CounterRow{"packets_in_table", "Packets in flows that are not exported yet.", CounterKind::now,
               counter_place::meter<&MeterCounters::packets_in_table>},
    CounterRow{"packets_pending", "Packets in records on their way through the exporter.", CounterKind::now,
               &counter_place::pending},
    CounterRow{"conversations", "Conversations in the flow tables.", CounterKind::now,
               counter_place::meter<&MeterCounters::conversations>},
    CounterRow{"conversations_total", "Conversations ever begun.", CounterKind::total,
               counter_place::meter<&MeterCounters::conversations_total>},
    CounterRow{"conversations_one_way",
               "TCP conversations of which one direction was never seen although its end must have sent.",
               CounterKind::total, counter_place::meter<&MeterCounters::conversations_one_way>},
    CounterRow{"evictions", "Conversations exported early because a flow table was full: the longest idle.",
               CounterKind::total, counter_place::meter<&MeterCounters::evictions>},
    CounterRow{"evictions_half_open", "The same: conversations without an answer, which go first.", CounterKind::total,
               counter_place::meter<&MeterCounters::evictions_half_open>},
    CounterRow{"evictions_crowded",
               "Conversations exported early because too many of them met in one place of the index, which chance does "
               "not bring about.",
               CounterKind::total, counter_place::meter<&MeterCounters::evictions_crowded>},
    CounterRow{"clock_steps_back", "Times that packet stamps went back by more than a second.", CounterKind::total,
               counter_place::classifier<&ClassifierCounters::clock_steps_back>},
    CounterRow{"records", "Flow Records made.", CounterKind::total, counter_place::meter<&MeterCounters::records>},
    CounterRow{"records_sent", "Flow Records that at least one output took.", CounterKind::total,
               counter_place::exporter<&ExportCounters::records_sent>},
    CounterRow{"octets_in_records_sent", "IP octets in those records.", CounterKind::total,
               counter_place::exporter<&ExportCounters::octets_in_records_sent>},
    CounterRow{"records_not_sent", "Flow Records lost: queue full, or no output took them.", CounterKind::total,
               &counter_place::queue_and_exporter<&QueueCounters::records_not_sent, &ExportCounters::records_not_sent>},
    CounterRow{"octets_in_records_not_sent", "IP octets in those records.", CounterKind::total,
               &counter_place::queue_and_exporter<&QueueCounters::octets_in_records_not_sent,
                                                  &ExportCounters::octets_in_records_not_sent>},
    CounterRow{"queue_waits", "Times that a file's reader waited for the exporter.", CounterKind::total,
               counter_place::queue<&QueueCounters::waits>},
    CounterRow{"messages_sent", "IPFIX Messages sent, all collectors together.", CounterKind::total,
               counter_place::exporter<&ExportCounters::messages_sent>},
    CounterRow{"message_octets_sent", "Octets of those Messages.", CounterKind::total,
               counter_place::exporter<&ExportCounters::message_octets_sent>},
    CounterRow{"messages_lost", "IPFIX Messages refused by the network or cut off with their connection.",
               CounterKind::total, counter_place::exporter<&ExportCounters::messages_lost>},
    CounterRow{"send_busy", "Times that a socket had no room and the Message was tried again.", CounterKind::total,
               counter_place::exporter<&ExportCounters::send_busy>},
    CounterRow{"templates_sent", "Template and Options Template Records sent.", CounterKind::total,
               counter_place::exporter<&ExportCounters::templates_sent>},
    CounterRow{"sessions", "Transport Sessions begun.", CounterKind::total,
               counter_place::exporter<&ExportCounters::sessions>},
    CounterRow{"syn_cache_inserts", "SYNs remembered.", CounterKind::total,
               counter_place::tcp<&TcpCounters::syn_cache_inserts>},
    CounterRow{"syn_cache_hits", "SYN-ACKs that met their SYN.", CounterKind::total,
               counter_place::tcp<&TcpCounters::syn_cache_hits>},
    CounterRow{"syn_cache_misses", "SYN-ACKs whose SYN was not known.", CounterKind::total,
               counter_place::tcp<&TcpCounters::syn_cache_misses>},
    CounterRow{"syn_cache_expired", "SYNs forgotten after their time to live.", CounterKind::total,
               counter_place::tcp<&TcpCounters::syn_cache_expired>},
    CounterRow{"syn_cache_evicted", "SYNs forgotten because the cache was full.", CounterKind::total,
               counter_place::tcp<&TcpCounters::syn_cache_evicted>},
    CounterRow{"invalid_segments", "TCP segments outside the window, not measured.", CounterKind::total,
               counter_place::tcp<&TcpCounters::invalid_segments>},
    CounterRow{"duplicate_packets", "TCP packets captured twice.", CounterKind::total,
               counter_place::tcp<&TcpCounters::duplicate_packets>},
};

// How much of it came over which interface.
struct InterfaceCounterRow {
  std::string_view name;
  std::string_view sentence;
  CounterKind kind;
  Counter InterfaceCounters::*member;
};
inline constexpr std::array kInterfaceCounterTable = {
    InterfaceCounterRow{"packets_received", "Packets delivered by the kernel.", CounterKind::total,
                        &InterfaceCounters::packets_received},
    InterfaceCounterRow{"octets_received", "Octets of those packets on the wire.", CounterKind::total,
                        &InterfaceCounters::octets_received},
    InterfaceCounterRow{"packets_dropped", "Packets lost by the kernel because a ring was full.", CounterKind::total,
                        &InterfaceCounters::packets_dropped},
    InterfaceCounterRow{"ring_freezes", "Times that a ring was full.", CounterKind::total,
                        &InterfaceCounters::ring_freezes},
    InterfaceCounterRow{"hardware_stamps", "Packets that bear the network card's time stamp.", CounterKind::total,
                        &InterfaceCounters::hardware_stamps},
    InterfaceCounterRow{"link_losses", "Times that the interface went down or away, for each worker.",
                        CounterKind::total, &InterfaceCounters::link_losses},
    InterfaceCounterRow{"rings_away", "Rings that wait for the interface, one for each worker.", CounterKind::now,
                        &InterfaceCounters::away},
};
[[nodiscard]] std::size_t interface_count(const CounterSources& sources) noexcept;
[[nodiscard]] const std::string& interface_name(const CounterSources& sources, std::size_t interface) noexcept;
// All readers together.
[[nodiscard]] std::uint64_t interface_sum(const CounterSources& sources, std::size_t interface,
                                          Counter InterfaceCounters::*member) noexcept;

// One JSON object, a key for each row in the table's order; packets_discarded is an object by reason; for a
// live capture also "interfaces", an object by name of such objects.  Ends with a newline.
[[nodiscard]] std::string counters_json(const CounterSources& sources);
// name=value for each row that is not zero, and for those that an operator looks for first even when zero; of several
// interfaces what was received and dropped on each; one line.
[[nodiscard]] std::string counters_line(const CounterSources& sources);
// Replaces the file at `path` at once, so that a reader finds the old or the new content, never half of it; a device or
// pipe is written to.  Throws std::system_error.
void write_counters(const std::string& path, const CounterSources& sources);

}  // namespace whiteowl
