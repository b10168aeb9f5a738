// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/table_output.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"

using namespace whiteowl;

namespace {

constexpr Timestamp kStart{std::chrono::seconds{1'700'000'000}};  // 2023-11-14 22:13:20 UTC

// What the table writes, in memory.
class Page {
 public:
  explicit Page(TableSettings settings = {}) : fd_{checked(::memfd_create("page", MFD_CLOEXEC), "memfd_create")} {
    settings.fd = fd_.get();
    settings_ = settings;
  }
  // The lines that these records and the end of the run give.
  std::vector<std::string> lines(const std::vector<FlowRecord>& records, bool finish = true) {
    ExportCounters counters;
    RecordLedger ledger{0, 1, counters};
    TableOutput table{settings_, LatePage{ledger}};
    for (const auto& record : records) CHECK(table.write(record, {}));
    table.step({});
    if (finish) CHECK(table.finish({}));
    return read();
  }

 private:
  std::vector<std::string> read() {
    const auto size = ::lseek(fd_.get(), 0, SEEK_END);
    std::string text(static_cast<std::size_t>(size), '\0');
    REQUIRE(::pread(fd_.get(), text.data(), text.size(), 0) == size);
    std::vector<std::string> result;
    for (std::size_t begin = 0; begin < text.size();) {
      const auto end = text.find('\n', begin);
      REQUIRE(end != std::string::npos);
      result.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    return result;
  }

  UniqueFd fd_;
  TableSettings settings_;
};

FlowRecord ipv4(std::array<std::uint8_t, 4> from, std::uint16_t from_port, std::array<std::uint8_t, 4> to,
                std::uint16_t to_port, std::uint8_t protocol) {
  FlowRecord record;
  std::copy(from.begin(), from.end(), record.source_address.octets.begin());
  std::copy(to.begin(), to.end(), record.destination_address.octets.begin());
  record.source_port = from_port;
  record.destination_port = to_port;
  record.protocol = protocol;
  record.start = record.end = kStart;
  return record;
}

FlowRecord reverse_of(FlowRecord record) {
  std::swap(record.source_address, record.destination_address);
  std::swap(record.source_port, record.destination_port);
  record.biflow_direction = record.biflow_direction == BiflowDirection::initiator ? BiflowDirection::reverse_initiator
                                                                                  : record.biflow_direction;
  record.tcp = {};
  return record;
}

// A client's request of 10 packets with one retransmission and the server's answer of 20.
std::vector<FlowRecord> request_and_answer() {
  FlowRecord request = ipv4({10, 0, 0, 1}, 40000, {10, 0, 0, 2}, 443, 6);
  request.packets = 10;
  request.octets = 1000;
  request.end = kStart + std::chrono::seconds{2};
  request.tcp_control_bits = 0x1B;
  request.end_reason = FlowEndReason::end_of_flow;
  request.biflow_direction = BiflowDirection::initiator;
  FlowRecord answer = reverse_of(request);
  answer.packets = 20;
  answer.octets = 24'000;
  request.tcp = {.min_rtt_us = 250, .max_rtt_us = 400, .avg_rtt_us = 300, .retransmit_count = 1};
  answer.tcp = {.min_rtt_us = 40, .max_rtt_us = 60, .avg_rtt_us = 50};
  return {request, answer};
}

const std::string kHeader =
    "Proto Source         -> Destination  Pkts> <Pkts  Bytes>  <Bytes  Time Bit/s     RTT> ms     <RTT ms Retr> <Retr "
    "Flags    End";
const std::string kRow =
    "TCP   10.0.0.1:40000 -> 10.0.0.2:443    10    20 1.00 kB 24.0 kB 2.00s  100k 0.250/0.300 0.040/0.050 1 10%     0 "
    "...AP.SF end";

}  // namespace

TEST_CASE("both directions of a conversation are one row, the client on the left") {
  const auto lines = Page{}.lines(request_and_answer());
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == kHeader);
  CHECK(lines[1] == kRow);
  CHECK(lines[3] ==
        "1 conversation, 2 records: 30 packets, 25.0 kB in 2.00s, 2023-11-14 22:13:20.000 to 22:13:22.000 UTC");
}

TEST_CASE("the client stays on the left when the server's record comes first") {
  auto records = request_and_answer();
  std::swap(records[0], records[1]);
  CHECK(Page{}.lines(records)[1] == kRow);
}

TEST_CASE("without a known client the earlier record's source is on the left") {
  auto records = request_and_answer();
  for (auto& record : records) record.biflow_direction = BiflowDirection::arbitrary;
  records[0].start += std::chrono::milliseconds{1};
  CHECK(Page{}.lines(records)[1].starts_with("TCP   10.0.0.2:443 -> 10.0.0.1:40000 "));
}

TEST_CASE("snapshots of a long flow add up: averages weighed with packets, smallest minimum, last reason") {
  auto records = request_and_answer();
  records[0].end_reason = records[1].end_reason = FlowEndReason::active_timeout;
  auto later = records[0];
  later.packets = 30;
  later.octets = 2000;
  later.start = kStart + std::chrono::seconds{60};
  later.end = kStart + std::chrono::seconds{80};
  later.tcp = {.min_rtt_us = 260, .max_rtt_us = 800, .avg_rtt_us = 700, .retransmit_count = 3};
  later.end_reason = FlowEndReason::idle_timeout;
  records.push_back(later);
  // 40 packets, 3000 octets forward; (10 x 300 + 30 x 700) / 40 = 600 us; 4 of 40; 27,000 octets in 80 s = 2700 bit/s.
  CHECK(Page{}.lines(records)[1] ==
        "TCP   10.0.0.1:40000 -> 10.0.0.2:443    40    20 3.00 kB 24.0 kB 1m20s 2.70k 0.250/0.600 0.040/0.050 4 10%    "
        " 0 "
        "...AP.SF idle");
}

TEST_CASE("what is not TCP has no TCP columns, and what has no ports shows none") {
  FlowRecord query = ipv4({10, 0, 0, 1}, 5353, {10, 0, 0, 53}, 53, 17);
  query.packets = 1;
  query.octets = 64;
  FlowRecord echo = ipv4({10, 0, 0, 1}, 0, {10, 0, 0, 9}, 8 * 256, 1);
  echo.packets = 3;
  echo.octets = 60;
  const FlowRecord esp = ipv4({10, 0, 0, 1}, 0, {10, 0, 0, 9}, 0, 50);
  const auto lines = Page{}.lines({query, echo, esp});
  REQUIRE(lines.size() == 6);
  CHECK(lines[1] ==
        "UDP   10.0.0.1:5353 -> 10.0.0.53:53     1     0   64 B    0 B   0s     -       -       -     -     - -     "
        "idle");
  CHECK(lines[2] ==
        "ICMP  10.0.0.1      -> 10.0.0.9 8/0     3     0   60 B    0 B   0s     -       -       -     -     - -     "
        "idle");
  CHECK(lines[3] ==
        "ESP   10.0.0.1      -> 10.0.0.9         0     0    0 B    0 B   0s     -       -       -     -     - -     "
        "idle");
}

TEST_CASE("IPv6 stands in brackets and every column stays in line") {
  FlowRecord six = ipv4({}, 50000, {}, 443, 6);
  six.ip_version = 6;
  six.source_address.octets = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  six.destination_address.octets = {0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  six.packets = 1;
  six.octets = 60'000;
  auto records = request_and_answer();
  records.push_back(six);
  const auto lines = Page{}.lines(records);
  CHECK(lines[1].starts_with(
      "TCP   [2001:db8::1]:50000 -> [2001:db8:102:304:506:708:90a:b0c]:443     1     0 60.0 kB     0 B "));
  CHECK(lines[2].starts_with(
      "TCP   10.0.0.1:40000      -> 10.0.0.2:443                              10    20 1.00 kB 24.0 kB "));
}

TEST_CASE("a narrow screen leaves out columns, not lines, and round-trip times last") {
  auto columns_at = [](std::uint32_t columns) { return Page{{.columns = columns}}.lines(request_and_answer()); };
  for (std::uint32_t columns = 40; columns <= 130; ++columns) {
    CAPTURE(columns);
    const auto lines = columns_at(columns);
    CHECK(lines[0].size() <= std::max(columns, 46U));
    CHECK(lines[1].size() <= std::max(columns, 46U));
  }
  CHECK(columns_at(80)[0] == "Proto Source         -> Destination   Bytes>  <Bytes     RTT> ms Retr>");
  CHECK(columns_at(80)[1] == "TCP   10.0.0.1:40000 -> 10.0.0.2:443 1.00 kB 24.0 kB 0.250/0.300 1 10%");
  CHECK(columns_at(66)[1] == "TCP   10.0.0.1:40000 -> 10.0.0.2:443 1.00 kB 24.0 kB 0.250/0.300");
  CHECK(columns_at(50)[1] == "TCP   10.0.0~40000 -> 10.0.0.2:443 1.00 kB 24.0 kB");
}

TEST_CASE("the busiest forty are shown, largest first, and the rest is summed up") {
  std::vector<FlowRecord> records;
  for (std::uint8_t i = 1; i <= 100; ++i) {
    FlowRecord record = ipv4({10, 0, 0, i}, 1000, {10, 0, 1, 1}, 53, 17);
    record.packets = 2;
    record.octets = 100U * i;
    records.push_back(record);
  }
  const auto lines = Page{}.lines(records);
  REQUIRE(lines.size() == 1 + 40 + 3);
  CHECK(lines[1].starts_with("UDP   10.0.0.100:1000 -> 10.0.1.1:53 "));
  CHECK(lines[40].starts_with("UDP   10.0.0.61:1000  -> 10.0.1.1:53 "));
  // 60 left: 120 packets, 100 x (1 + ... + 60) = 183,000 octets.  In all 100 x 5050.
  CHECK(lines[41] == "and 60 more: 120 packets, 183 kB");
  CHECK(lines[43].starts_with("100 conversations, 100 records: 200 packets, 505 kB in 0s, "));
}

TEST_CASE("more conversations than are compared: the large ones and the totals stay right") {
  std::vector<FlowRecord> records;
  const std::uint32_t many = 3 * TableOutput::kTracked;
  for (std::uint32_t i = 0; i < many; ++i) {
    FlowRecord record = ipv4(
        {10, static_cast<std::uint8_t>(i >> 16U), static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)},
        1000, {192, 0, 2, 1}, 53, 17);
    record.packets = 1;
    record.octets = i == 0 ? 1'000'000 : 100;
    records.push_back(record);
  }
  const auto lines = Page{}.lines(records);
  CHECK(lines[1].starts_with("UDP   10.0.0.0:1000 "));
  // 1,000,000 + 49,151 x 100
  CHECK(lines.back().starts_with("about 49,152 conversations, 49,152 records: 49,152 packets, 5.92 MB in "));
}

TEST_CASE("no traffic is said in a line") {
  const auto lines = Page{}.lines({});
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == "0 conversations, 0 records: 0 packets, 0 B");
}

TEST_CASE("while capturing, rows come as records do: a record and its reverse in one") {
  auto records = request_and_answer();
  auto other = ipv4({10, 0, 0, 3}, 1, {10, 0, 0, 4}, 2, 17);
  records.push_back(other);
  const auto lines = Page{{.rows = true}}.lines(records, false);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].starts_with("Proto Source                -> Destination           Pkts> <Pkts "));
  CHECK(lines[1].starts_with("TCP   10.0.0.1:40000        -> 10.0.0.2:443             10    20 1.00 kB 24.0 kB "));
  CHECK(lines[2].starts_with("UDP   10.0.0.3:1            -> 10.0.0.4:2                0     0     0 B     0 B "));
}

TEST_CASE("a capture file gives no rows before its end") { CHECK(Page{}.lines(request_and_answer(), false).empty()); }

TEST_CASE("a reader that went away, or one that does not read, holds nothing up") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const UniqueFd write_end{ends[1]};
  {
    const UniqueFd read_end{ends[0]};
    ExportCounters counters;
    RecordLedger ledger{0, 1, counters};
    TableOutput table{{.fd = write_end.get(), .rows = true}, LatePage{ledger}};
    FlowRecord record = ipv4({10, 0, 0, 1}, 1, {10, 0, 0, 2}, 2, 17);
    for (std::uint16_t i = 0; i < 20'000; ++i) {  // far more text than the pipe holds
      record.source_port = i;
      CHECK(table.write(record, {}));
    }
    CHECK_FALSE(table.finish({}));
  }
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  ExportCounters counters;
  RecordLedger ledger{0, 1, counters};
  TableOutput table{{.fd = write_end.get()}, LatePage{ledger}};
  CHECK(table.write(ipv4({10, 0, 0, 1}, 1, {10, 0, 0, 2}, 2, 17), {}));
  CHECK(table.finish({}));
  std::signal(SIGPIPE, before);
}

TEST_CASE("records count as sent when somebody took the totals, and a full device is a failure") {
  const auto run = [](const char* device, ExportCounters& counters) {
    RecordLedger ledger{0, 4, counters};
    ledger.open_late();
    const UniqueFd file{checked(::open(device, O_WRONLY | O_CLOEXEC), device)};
    TableOutput table{{.fd = file.get()}, LatePage{ledger}};
    for (std::uint16_t i = 0; i < 100; ++i) {
      const FlowRecord record = ipv4({10, 0, 0, 1}, i, {10, 0, 0, 2}, 2, 17);
      ledger.enter(record);
      CHECK(table.write(record, {}));
    }
    CHECK(counters.records_sent.get() == 0);
    CHECK(table.finish({}));
    return table.failed();
  };
  ExportCounters taken, refused;
  CHECK_FALSE(run("/dev/null", taken));
  CHECK(taken.records_sent.get() == 100);
  CHECK(run("/dev/full", refused));
  CHECK(refused.records_sent.get() == 0);
  CHECK(refused.records_not_sent.get() == 100);
}

TEST_CASE("numbers are rounded to three digits with the prefix that fits") {
  CHECK(human_count(0) == "0");
  CHECK(human_count(99'999) == "99999");
  CHECK(human_count(100'000) == "100k");
  CHECK(human_count(999'499) == "999k");
  CHECK(human_count(999'500) == "1.00M");
  CHECK(human_count(1'234'567) == "1.23M");
  CHECK(human_count(18'446'744'073'709'551'615U) == "18.4E");
  CHECK(human_octets(999) == "999 B");
  CHECK(human_octets(1000) == "1.00 kB");
  CHECK(human_octets(17'943'211) == "17.9 MB");
  CHECK(human_octets(999'600'000) == "1.00 GB");
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1000) == "1,000");
  CHECK(with_commas(1'234'567) == "1,234,567");
}

TEST_CASE("lengths of time have the unit that fits") {
  using namespace std::chrono;
  CHECK(human_duration(Duration{0}) == "0s");
  CHECK(human_duration(microseconds{250}) == "250us");
  CHECK(human_duration(milliseconds{12}) == "12ms");
  CHECK(human_duration(milliseconds{3200}) == "3.20s");
  CHECK(human_duration(milliseconds{59'900}) == "59.9s");
  CHECK(human_duration(milliseconds{59'960}) == "1m00s");
  CHECK(human_duration(seconds{65}) == "1m05s");
  CHECK(human_duration(minutes{123}) == "2h03m");
  CHECK(human_duration(hours{98}) == "4d02h");
}

TEST_CASE("round-trip times are milliseconds with three digits") {
  CHECK(human_milliseconds(7) == "0.007");
  CHECK(human_milliseconds(999) == "0.999");
  CHECK(human_milliseconds(1234) == "1.23");
  CHECK(human_milliseconds(12'345) == "12.3");
  CHECK(human_milliseconds(99'950) == "100");
  CHECK(human_milliseconds(250'000) == "250");
}
