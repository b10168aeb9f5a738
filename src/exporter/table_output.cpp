// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/table_output.hpp"

#include <spdlog/fmt/fmt.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "whiteowl/base/hash.hpp"
#include "whiteowl/base/wire.hpp"
#include "whiteowl/exporter/episode.hpp"
#include "whiteowl/exporter/output_file.hpp"

namespace whiteowl {
namespace {

constexpr std::uint8_t kIcmp = 1, kTcp = 6, kIcmpv6 = 58;

struct Endpoint {
  Ipv6Address address;
  std::uint16_t port = 0;
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// The ends in the order of their bytes, so that both directions have one key.
struct Key {
  Endpoint low, high;
  std::uint8_t protocol = 0;
  std::uint8_t ip_version = 4;
  friend constexpr bool operator==(const Key&, const Key&) = default;
};

// Keyed, for the addresses are chosen by strangers.
class KeyHash {
 public:
  [[nodiscard]] std::size_t operator()(const Key& key) const noexcept {
    const auto half = [](const Endpoint& end, unsigned at) {
      return load_octets<std::uint64_t>(end.address.octets.data() + at);
    };
    const std::uint64_t rest = std::uint64_t{key.low.port} << 32U | std::uint64_t{key.high.port} << 16U |
                               std::uint64_t{key.protocol} << 8U | key.ip_version;
    return hash_words({half(key.low, 0), half(key.low, 8), half(key.high, 0), half(key.high, 8), rest}, secret_);
  }

 private:
  HashKey secret_ = random_hash_key();
};

// What the records said of one direction.
struct Side {
  std::uint64_t packets = 0, octets = 0, retransmissions = 0;
  // Intervals' averages are weighed with the intervals' packets: the samples themselves are not exported.
  std::uint64_t rtt_weight = 0;
  double rtt_sum_us = 0;
  std::uint32_t min_rtt_us = 0;  // 0 = no sample

  void add(const FlowRecord& record) noexcept {
    packets += record.packets;
    octets += record.octets;
    retransmissions += record.tcp.retransmit_count;
    if (record.tcp.min_rtt_us == 0) return;
    min_rtt_us = min_rtt_us == 0 ? record.tcp.min_rtt_us : std::min(min_rtt_us, record.tcp.min_rtt_us);
    rtt_weight += record.packets;
    rtt_sum_us += static_cast<double>(record.tcp.avg_rtt_us) * static_cast<double>(record.packets);
  }
  [[nodiscard]] std::uint32_t average_rtt_us() const noexcept {
    return rtt_weight == 0 ? min_rtt_us
                           : static_cast<std::uint32_t>(rtt_sum_us / static_cast<double>(rtt_weight) + 0.5);
  }
};

struct Conversation {
  Key key;
  std::array<Side, 2> sides;  // [0]: records whose source is key.low
  Timestamp start{}, end{};
  std::uint16_t tcp_control_bits = 0;
  FlowEndReason end_reason = FlowEndReason::idle_timeout;
  std::uint8_t from = 0;  // the side printed as the source: who began, as far as known
  bool beginner_known = false;

  [[nodiscard]] std::uint64_t octets() const noexcept { return sides[0].octets + sides[1].octets; }
  [[nodiscard]] std::uint64_t packets() const noexcept { return sides[0].packets + sides[1].packets; }
  [[nodiscard]] const Side& forward() const noexcept { return sides[from]; }
  [[nodiscard]] const Side& backward() const noexcept { return sides[1U - from]; }
  [[nodiscard]] const Endpoint& source() const noexcept { return from == 0 ? key.low : key.high; }
  [[nodiscard]] const Endpoint& destination() const noexcept { return from == 0 ? key.high : key.low; }
};

// The record's key, and which side its source is.
std::pair<Key, std::uint8_t> key_of(const FlowRecord& record) noexcept {
  const Endpoint source{record.source_address, record.source_port};
  const Endpoint destination{record.destination_address, record.destination_port};
  const bool low_first = source <= destination;
  return {Key{low_first ? source : destination, low_first ? destination : source, record.protocol, record.ip_version},
          static_cast<std::uint8_t>(low_first ? 0 : 1)};
}

void add(Conversation& conversation, const FlowRecord& record, std::uint8_t side) noexcept {
  const bool first = conversation.packets() == 0;
  if (record.biflow_direction == BiflowDirection::initiator ||
      record.biflow_direction == BiflowDirection::reverse_initiator) {
    conversation.from =
        record.biflow_direction == BiflowDirection::initiator ? side : static_cast<std::uint8_t>(1U - side);
    conversation.beginner_known = true;
  } else if (!conversation.beginner_known && (first || record.start < conversation.start)) {
    conversation.from = side;
  }
  if (first || record.start < conversation.start) conversation.start = record.start;
  if (first || record.end >= conversation.end) {
    conversation.end = record.end;
    conversation.end_reason = record.end_reason;
  }
  conversation.tcp_control_bits |= record.tcp_control_bits;
  conversation.sides[side].add(record);
}

// Conversations by key, with room for kTracked; the smaller half makes room when it is full.
class Tracked {
 public:
  Tracked() {
    conversations_.reserve(TableOutput::kTracked);
    index_.reserve(TableOutput::kTracked);
  }

  // True when the conversation is new here.
  bool add(const FlowRecord& record) {
    const auto [key, side] = key_of(record);
    const auto known = index_.find(key);
    if (known != index_.end()) {
      whiteowl::add(conversations_[known->second], record, side);
      return false;
    }
    if (conversations_.size() == TableOutput::kTracked) forget_smaller_half();
    index_.emplace(key, static_cast<std::uint32_t>(conversations_.size()));
    conversations_.push_back(Conversation{});
    conversations_.back().key = key;
    whiteowl::add(conversations_.back(), record, side);
    return true;
  }
  // The `count` largest, largest first.
  [[nodiscard]] std::vector<Conversation> largest(std::size_t count) const {
    std::vector<Conversation> result(std::min(count, conversations_.size()));
    std::partial_sort_copy(conversations_.begin(), conversations_.end(), result.begin(), result.end(), larger);
    return result;
  }
  [[nodiscard]] bool complete() const noexcept { return complete_; }

 private:
  static bool larger(const Conversation& a, const Conversation& b) noexcept {
    if (a.octets() != b.octets()) return a.octets() > b.octets();
    if (a.start != b.start) return a.start < b.start;
    return std::pair{a.key.low, a.key.high} < std::pair{b.key.low, b.key.high};
  }
  void forget_smaller_half() {
    const auto half = conversations_.begin() + static_cast<std::ptrdiff_t>(conversations_.size() / 2);
    std::nth_element(conversations_.begin(), half, conversations_.end(), larger);
    conversations_.erase(half, conversations_.end());
    index_.clear();
    for (std::uint32_t i = 0; i < conversations_.size(); ++i) index_.emplace(conversations_[i].key, i);
    complete_ = false;
  }

  std::vector<Conversation> conversations_;
  std::unordered_map<Key, std::uint32_t, KeyHash> index_;  // positions in conversations_
  bool complete_ = true;
};

// 1.23 with its prefix; below a thousand as it is.
std::string with_prefix(double value, std::string_view between) {
  constexpr std::string_view kPrefixes = "kMGTPE";
  std::size_t prefix = 0;
  value /= 1000;
  while (value >= 999.5 && prefix + 1 < kPrefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}{}{}", value, decimals, between, kPrefixes[prefix]);
}

std::string protocol_text(const Conversation& conversation) {
  constexpr std::array<std::pair<std::uint8_t, std::string_view>, 16> kNames{{{1, "ICMP"},
                                                                              {2, "IGMP"},
                                                                              {4, "IPIP"},
                                                                              {6, "TCP"},
                                                                              {17, "UDP"},
                                                                              {33, "DCCP"},
                                                                              {41, "IPv6"},
                                                                              {47, "GRE"},
                                                                              {50, "ESP"},
                                                                              {51, "AH"},
                                                                              {58, "ICMP6"},
                                                                              {89, "OSPF"},
                                                                              {103, "PIM"},
                                                                              {112, "VRRP"},
                                                                              {132, "SCTP"},
                                                                              {136, "UDPL"}}};
  for (const auto& [number, name] : kNames) {
    if (number == conversation.key.protocol) return std::string{name};
  }
  return std::to_string(conversation.key.protocol);
}

bool has_ports(std::uint8_t protocol) {
  constexpr std::array<std::uint8_t, 5> kWithPorts{kTcp, 17, 33, 132, 136};
  return std::find(kWithPorts.begin(), kWithPorts.end(), protocol) != kWithPorts.end();
}

// 192.0.2.1:80, [2001:db8::1]:80 (RFC 5952 6); without ports the address alone, ICMP's destination with type/code.
std::string endpoint_text(const Key& key, const Endpoint& end, bool is_destination) {
  std::string address;
  if (key.ip_version == 6) {
    address = to_string(end.address);
  } else {
    Ipv4Address v4;
    std::copy_n(end.address.octets.begin(), v4.octets.size(), v4.octets.begin());
    address = to_string(v4);
  }
  if (has_ports(key.protocol)) {
    return key.ip_version == 6 ? fmt::format("[{}]:{}", address, end.port) : fmt::format("{}:{}", address, end.port);
  }
  const bool icmp = key.protocol == kIcmp || key.protocol == kIcmpv6;
  return icmp && is_destination ? fmt::format("{} {}/{}", address, end.port >> 8U, end.port & 0xFFU) : address;
}

std::string rtt_text(const Side& side) {
  if (side.min_rtt_us == 0) return "-";
  return human_milliseconds(side.min_rtt_us) + '/' + human_milliseconds(side.average_rtt_us());
}

std::string retransmissions_text(const Conversation& conversation, const Side& side) {
  if (conversation.key.protocol != kTcp || side.packets == 0) return "-";
  if (side.retransmissions == 0) return "0";
  const double percent = 100.0 * static_cast<double>(side.retransmissions) / static_cast<double>(side.packets);
  if (percent < 0.01) return human_count(side.retransmissions) + " <0.01%";
  const int decimals = percent >= 9.95 ? 0 : percent >= 0.995 ? 1 : 2;
  return fmt::format("{} {:.{}f}%", human_count(side.retransmissions), percent, decimals);
}

std::string rate_text(const Conversation& conversation) {
  const auto seconds = std::chrono::duration<double>(conversation.end - conversation.start).count();
  if (seconds <= 0) return "-";
  const double rate = static_cast<double>(conversation.octets()) * 8 / seconds;
  return rate < 999.5 ? fmt::format("{:.0f}", rate) : with_prefix(rate, "");
}

// nfdump's order: CWR ECE URG ACK PSH RST SYN FIN.
std::string flags_text(const Conversation& conversation) {
  if (conversation.key.protocol != kTcp) return "-";
  std::string text = "CEUAPRSF";
  for (unsigned i = 0; i < 8; ++i) {
    if ((conversation.tcp_control_bits & (0x80U >> i)) == 0) text[i] = '.';
  }
  return text;
}

std::string end_text(const Conversation& conversation) {
  switch (conversation.end_reason) {
    case FlowEndReason::idle_timeout:
      return "idle";
    case FlowEndReason::active_timeout:
      return "active";
    case FlowEndReason::end_of_flow:
      return "end";
    case FlowEndReason::forced_end:
      return "forced";
    case FlowEndReason::lack_of_resources:
      return "evicted";
  }
  return "-";
}

// One row each.  A narrow screen loses the columns with the largest `expendable` first; 0 stays.
struct Column {
  std::string_view header;
  bool left_aligned;
  std::uint8_t expendable;
  std::uint8_t width;  // to begin with, when rows come one by one
  std::string (*text)(const Conversation&);
};
using C = const Conversation&;
constexpr std::array kColumns = {
    Column{"Proto", true, 0, 5, [](C c) { return protocol_text(c); }},
    Column{"Source", true, 0, 21, [](C c) { return endpoint_text(c.key, c.source(), false); }},
    Column{"->", true, 0, 2, [](C) { return std::string{"->"}; }},
    Column{"Destination", true, 0, 21, [](C c) { return endpoint_text(c.key, c.destination(), true); }},
    Column{"Pkts>", false, 5, 5, [](C c) { return human_count(c.forward().packets); }},
    Column{"<Pkts", false, 5, 5, [](C c) { return human_count(c.backward().packets); }},
    Column{"Bytes>", false, 0, 7, [](C c) { return human_octets(c.forward().octets); }},
    Column{"<Bytes", false, 0, 7, [](C c) { return human_octets(c.backward().octets); }},
    Column{"Time", false, 6, 6, [](C c) { return human_duration(c.end - c.start); }},
    Column{"Bit/s", false, 7, 5, [](C c) { return rate_text(c); }},
    Column{"RTT> ms", false, 1, 11, [](C c) { return rtt_text(c.forward()); }},
    Column{"<RTT ms", false, 3, 11, [](C c) { return rtt_text(c.backward()); }},
    Column{"Retr>", false, 2, 6, [](C c) { return retransmissions_text(c, c.forward()); }},
    Column{"<Retr", false, 4, 6, [](C c) { return retransmissions_text(c, c.backward()); }},
    Column{"Flags", true, 9, 8, [](C c) { return flags_text(c); }},
    Column{"End", true, 8, 7, [](C c) { return end_text(c); }},
};
constexpr std::size_t kColumnCount = kColumns.size();
constexpr unsigned kMostExpendable = 9;
constexpr std::size_t kSourceColumn = 1, kDestinationColumn = 3;
using Cells = std::array<std::string, kColumnCount>;
using Widths = std::array<std::size_t, kColumnCount>;  // 0 = left out

Cells cells_of(const Conversation& conversation) {
  Cells cells;
  for (std::size_t i = 0; i < kColumnCount; ++i) cells[i] = kColumns[i].text(conversation);
  return cells;
}

std::size_t line_width(const Widths& widths) {
  std::size_t sum = 0;
  for (const auto width : widths) sum += width == 0 ? 0 : width + 1;
  return sum == 0 ? 0 : sum - 1;
}

void leave_out(Widths& widths, unsigned expendable) {
  for (std::size_t i = 0; i < kColumnCount; ++i) {
    if (kColumns[i].expendable == expendable) widths[i] = 0;
  }
}

void shorten_addresses(Widths& widths, std::size_t limit, std::size_t shortest) {
  while (line_width(widths) > limit) {
    auto& longer = widths[std::max(widths[kSourceColumn], widths[kDestinationColumn]) == widths[kSourceColumn]
                              ? kSourceColumn
                              : kDestinationColumn];
    if (longer <= shortest) return;
    --longer;
  }
}

// What of these widths a line of `limit` can hold (0: any).  Columns go first; the round-trip time is worth some
// letters in the middle of long addresses, but not their readability.
Widths fitted(Widths widths, std::size_t limit) {
  constexpr std::size_t kReadableAddress = 20, kShortestAddress = 8;
  if (limit == 0) return widths;
  for (unsigned expendable = kMostExpendable; expendable > 1 && line_width(widths) > limit; --expendable)
    leave_out(widths, expendable);
  const Widths whole = widths;
  shorten_addresses(widths, limit, kReadableAddress);
  if (line_width(widths) <= limit) return widths;
  widths = whole;
  leave_out(widths, 1);
  shorten_addresses(widths, limit, kShortestAddress);
  return widths;
}

// The ends of an address say more than its middle.
std::string shortened(const std::string& text, std::size_t width) {
  if (text.size() <= width) return text;
  const std::size_t tail = (width - 1) / 2;
  return text.substr(0, width - 1 - tail) + '~' + text.substr(text.size() - tail);
}

std::string line_of(const Cells& cells, const Widths& widths) {
  std::string line;
  for (std::size_t i = 0; i < kColumnCount; ++i) {
    if (widths[i] == 0) continue;
    if (!line.empty()) line += ' ';
    const std::string text = shortened(cells[i], widths[i]);
    const std::string padding(widths[i] - text.size(), ' ');
    line += kColumns[i].left_aligned ? text + padding : padding + text;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string header_line(const Widths& widths) {
  Cells headers;
  for (std::size_t i = 0; i < kColumnCount; ++i) headers[i] = kColumns[i].header;
  return line_of(headers, widths);
}

void widen(Widths& widths, const Cells& cells) {
  for (std::size_t i = 0; i < kColumnCount; ++i) widths[i] = std::max(widths[i], cells[i].size());
}

std::string utc_text(Timestamp time) {
  const std::int64_t milliseconds = floor_milliseconds(time);
  const std::int64_t in_second = ((milliseconds % 1000) + 1000) % 1000;
  const std::time_t seconds = (milliseconds - in_second) / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return fmt::format("{}.{:03}", text.data(), in_second);
}

// The date of the end only if it is another.
std::string span_text(Timestamp start, Timestamp end) {
  constexpr std::size_t kDate = 11;  // and the space behind it
  const std::string from = utc_text(start), to = utc_text(end);
  return from + " to " + (from.compare(0, kDate, to, 0, kDate) == 0 ? to.substr(kDate) : to);
}

std::string counted(std::uint64_t count, std::string_view thing) {
  return fmt::format("{} {}{}", with_commas(count), thing, count == 1 ? "" : "s");
}

}  // namespace

std::string human_count(std::uint64_t count) {
  return count < 100'000 ? std::to_string(count) : with_prefix(static_cast<double>(count), "");
}

std::string human_octets(std::uint64_t octets) {
  return octets < 1000 ? std::to_string(octets) + " B" : with_prefix(static_cast<double>(octets), " ") + 'B';
}

std::string human_duration(Duration duration) {
  using namespace std::chrono;
  if (duration <= Duration::zero()) return "0s";
  if (duration < milliseconds{1}) return fmt::format("{}us", duration_cast<microseconds>(duration).count());
  if (duration < seconds{1}) return fmt::format("{}ms", duration_cast<milliseconds>(duration).count());
  const double in_seconds = static_cast<double>(duration_cast<milliseconds>(duration).count()) / 1000;
  if (in_seconds < 9.995) return fmt::format("{:.2f}s", in_seconds);
  if (in_seconds < 59.95) return fmt::format("{:.1f}s", in_seconds);
  const std::int64_t whole = round<seconds>(duration).count();
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 86'400) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}d{:02}h", whole / 86'400, whole / 3600 % 24);
}

std::string human_milliseconds(std::uint32_t microseconds) {
  const double milliseconds = microseconds / 1000.0;
  const int decimals = microseconds < 1000 ? 3 : microseconds < 9995 ? 2 : microseconds < 99'950 ? 1 : 0;
  return fmt::format("{:.{}f}", milliseconds, decimals);
}

std::string with_commas(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

TableSettings table_settings(int fd, bool live) {
  const bool terminal = ::isatty(fd) == 1;
  const char* no_color = std::getenv("NO_COLOR");
  return {.fd = fd,
          .rows = live,
          .terminal = terminal,
          .bold = terminal && (no_color == nullptr || *no_color == '\0'),
          .columns = 0};
}

struct TableOutput::Impl {
  // More text than this waiting for a slow reader is not added to.
  static constexpr std::size_t kMostWaiting = 64 * 1024;
  static constexpr std::size_t kWrite = 4096;  // rows that are written without waiting for step()

  Impl(const TableSettings& given, LatePage late) : settings{given}, file{given.fd}, page{late} {
    for (std::size_t i = 0; i < kColumnCount; ++i) live_widths[i] = kColumns[i].width;
    widen(live_widths, headers());
  }

  static Cells headers() {
    Cells cells;
    for (std::size_t i = 0; i < kColumnCount; ++i) cells[i] = kColumns[i].header;
    return cells;
  }

  // Width and height of the screen; 0 = no limit.
  [[nodiscard]] std::pair<std::size_t, std::size_t> screen() const {
    winsize size{};
    if (!settings.terminal) return {settings.columns, 0};
    if (::ioctl(settings.fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {80, 24};
    return {size.ws_col, size.ws_row};
  }

  void print_line(std::string_view line, std::string_view emphasis = {}) {
    if (settings.bold && !emphasis.empty()) {
      waiting += emphasis;
      waiting += line;
      waiting += "\x1b[0m\n";
    } else {
      waiting += line;
      waiting += '\n';
    }
  }
  void print_header(const Widths& widths) { print_line(header_line(widths), "\x1b[1m"); }
  void print_remark(std::string_view line) { print_line(line, "\x1b[2m"); }

  void count(const FlowRecord& record) {
    if (totals.records == 0 || record.start < totals.start) totals.start = record.start;
    if (totals.records == 0 || record.end > totals.end) totals.end = record.end;
    ++totals.records;
    totals.packets += record.packets;
    totals.octets += record.octets;
    if (tracked.add(record)) ++totals.conversations;
  }

  // A record and its reverse come out of the flow table one after the other: they share a row.
  void take_row(const FlowRecord& record) {
    const auto [key, side] = key_of(record);
    if (has_row && !(row.key == key && row.sides[side].packets == 0)) print_row();
    if (!has_row) {
      row = Conversation{};
      row.key = key;
      has_row = true;
    }
    add(row, record, side);
  }
  void print_row() {
    if (!std::exchange(has_row, false)) return;
    if (waiting.size() - written > kMostWaiting) {
      ++rows_missed;
      return;
    }
    const Cells cells = cells_of(row);
    widen(live_widths, cells);
    const auto [width, height] = screen();
    const Widths widths = fitted(live_widths, width);
    if (std::exchange(header_widths, widths) != widths || (height > 2 && rows_since_header >= height - 2)) {
      print_header(widths);
      rows_since_header = 0;
    }
    print_line(line_of(cells, widths));
    ++rows_since_header;
  }

  void print_summary() {
    print_row();
    if (settings.rows && rows_since_header != 0) print_line("");
    if (rows_missed != 0) print_remark(counted(rows_missed, "row") + " not shown above: the reader was too slow");
    const auto shown = tracked.largest(kShown);
    if (!shown.empty()) print_conversations(shown);
    const std::string_view about = tracked.complete() ? "" : "about ";
    std::string line =
        fmt::format("{}{}, {}: {}, {}", about, counted(totals.conversations, "conversation"),
                    counted(totals.records, "record"), counted(totals.packets, "packet"), human_octets(totals.octets));
    if (totals.records != 0) {
      line +=
          fmt::format(" in {}, {} UTC", human_duration(totals.end - totals.start), span_text(totals.start, totals.end));
    }
    print_line(line);
  }
  void print_conversations(const std::vector<Conversation>& shown) {
    std::vector<Cells> lines;
    Widths widths{};
    widen(widths, headers());
    std::uint64_t packets = 0, octets = 0;
    for (const auto& conversation : shown) {
      lines.push_back(cells_of(conversation));
      widen(widths, lines.back());
      packets += conversation.packets();
      octets += conversation.octets();
    }
    widths = fitted(widths, screen().first);
    print_header(widths);
    for (const auto& cells : lines) print_line(line_of(cells, widths));
    if (totals.conversations > shown.size()) {
      print_remark(fmt::format("and {} more: {}, {}", with_commas(totals.conversations - shown.size()),
                               counted(totals.packets - packets, "packet"), human_octets(totals.octets - octets)));
    }
    print_remark(
        "> source to destination, < back; RTT min/avg as seen from the probe to the end that the arrow points at");
  }

  // Writes what can be written without waiting.  True when nothing is left, or nobody reads any more.
  bool drain() {
    if (!gone && written < waiting.size()) {
      const auto taken = file.write(waiting.data() + written, waiting.size() - written);
      written += taken.octets;
      if (taken.error == EAGAIN) {
        waiting.erase(0, std::exchange(written, 0));
        return false;
      }
      if (taken.error != 0) end(taken.error);
    }
    waiting.clear();
    written = 0;
    // What has no row for the slow reader has to wait for the totals.
    if (settings.rows && !has_row && !gone && rows_missed == 0) page.settle(true);
    return true;
  }
  void end(int error) {
    gone = true;
    page.end(false);
    if (error == EPIPE || std::exchange(failed, true)) return;
    log_failure("standard output: " + std::generic_category().message(error) + "; the table is lost");
  }
  bool finish() {
    if (!std::exchange(summed_up, true)) print_summary();
    if (!drain()) return false;
    if (std::exchange(finished, true)) return true;
    if (const int error = file.close(); error != 0 && !gone) end(error);
    if (!gone) page.end(true);
    return true;
  }

  struct Totals {
    std::uint64_t records = 0, conversations = 0, packets = 0, octets = 0;
    Timestamp start{}, end{};
  };

  TableSettings settings;
  OutputFile file;
  LatePage page;
  Tracked tracked;
  Totals totals;
  Conversation row;
  bool has_row = false;
  bool summed_up = false, finished = false;
  bool gone = false;  // nobody reads any more, or nothing can be written
  bool failed = false;
  Widths live_widths{}, header_widths{};
  std::uint64_t rows_since_header = 0, rows_missed = 0;
  std::string waiting;      // text for the reader
  std::size_t written = 0;  // of it
};

TableOutput::TableOutput(const TableSettings& settings, LatePage page)
    : impl_{std::make_unique<Impl>(settings, page)} {}
TableOutput::~TableOutput() = default;

bool TableOutput::write(const FlowRecord& record, Timestamp) noexcept {
  impl_->count(record);
  if (!impl_->settings.rows || impl_->gone) return true;
  impl_->take_row(record);
  if (impl_->waiting.size() >= Impl::kWrite) static_cast<void>(impl_->drain());
  return true;
}

void TableOutput::step(Timestamp) noexcept {
  impl_->print_row();
  static_cast<void>(impl_->drain());
}

bool TableOutput::finish(Timestamp) noexcept { return impl_->finish(); }

void TableOutput::give_up(Timestamp) noexcept {
  if (impl_->finish()) return;
  impl_->failed = true;
  impl_->page.end(false);
  log_failure("standard output: its reader does not read; the table is not whole");
}

bool TableOutput::failed() const noexcept { return impl_->failed; }

}  // namespace whiteowl
