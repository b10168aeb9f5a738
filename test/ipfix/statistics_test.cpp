// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/ipfix/statistics.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "support/ipfix_reader.hpp"
#include "whiteowl/ipfix/elements.hpp"
#include "whiteowl/ipfix/message.hpp"

using namespace whiteowl;

namespace {

ipfix_reader::Message read_back(ipfix_reader::Reader& reader, const std::vector<ControlRecord>& records,
                                std::uint32_t sequence) {
  MessageWriter writer{5};
  writer.clear(65'535);
  for (const ControlRecord& record : records) {
    std::uint8_t* place = writer.add(record.set_id, record.bytes.size(), record.padded);
    REQUIRE(place != nullptr);
    std::copy(record.bytes.begin(), record.bytes.end(), place);
  }
  return reader.read(writer.finish(sequence, 1));
}

const ipfix_reader::Record* with_field(const ipfix_reader::Message& message, std::uint16_t id) {
  const auto found = std::find_if(message.records.begin(), message.records.end(),
                                  [id](const ipfix_reader::Record& r) { return r.find(0, id) != nullptr; });
  return found == message.records.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("the prologue tells all data templates and that every packet is looked at") {
  IpfixSettings settings;
  settings.domain_id = 77;
  settings.template_id = 1000;
  const Templates templates{settings};
  const Options options{settings, templates};
  ipfix_reader::Reader reader;
  const auto message = read_back(reader, options.prologue(), 0);
  CHECK(reader.faults.empty());
  CHECK(message.templates == std::vector<std::uint16_t>{1000, 1001, 1002});
  REQUIRE(message.records.size() == 1);
  const auto& sampling = message.records[0];
  CHECK(sampling.template_id == 1002);
  CHECK(sampling.scope_fields == 1);
  REQUIRE(sampling.fields.size() == 3);
  CHECK(sampling.fields[0].id == 149);
  CHECK(sampling.fields[0].number() == 77);
  CHECK(sampling.fields[1].id == 305);
  CHECK(sampling.fields[1].bytes.size() == 4);
  CHECK(sampling.fields[1].number() == 1);
  CHECK(sampling.fields[2].id == 306);
  CHECK(sampling.fields[2].number() == 0);
}

TEST_CASE("the reports carry the process's counters under the numbers of RFC 7011 section 4") {
  IpfixSettings settings;
  settings.domain_id = 9;
  const Options options{settings, Templates{settings}};
  ProcessStatistics process;
  process.observed_flows = 11;
  process.ignored_packets = 12;
  process.ignored_octets = 13;
  process.dropped_packets = 14;
  process.not_sent_flows = 15;
  process.not_sent_packets = 16;
  process.not_sent_octets = 17;
  process.system_init = Timestamp{std::chrono::seconds{1'700'000'000}};
  process.interfaces = {{3, "eth0"}, {4, "a\"b\\c\n\xC3\xA9"}};
  ipfix_reader::Reader reader;
  const auto message = read_back(reader, options.reports(process, {1, 2, 3}, false), 0);
  CHECK(reader.faults.empty());
  const std::map<std::uint16_t, std::uint64_t> expected{{41, 1},
                                                        {42, 2},
                                                        {40, 3},
                                                        {163, 11},
                                                        {164, 12},
                                                        {165, 13},
                                                        {135, 14},
                                                        {166, 15},
                                                        {167, 16},
                                                        {168, 17},
                                                        {160, 1'700'000'000'000}};
  for (const auto& entry : expected) {
    const auto id = entry.first;
    CAPTURE(id);
    const auto* record = with_field(message, id);
    REQUIRE(record != nullptr);
    CHECK(record->scope_fields == 1);
    CHECK(record->fields[0].number() == 9);
    CHECK(record->fields[0].id == (id >= 166 || id == 160 ? 144 : 149));
    CHECK(record->find(0, id)->number() == entry.second);
  }
  std::vector<std::string> names;
  for (const auto& record : message.records) {
    if (const auto* name = record.find(0, 82))
      names.push_back(std::to_string(record.fields[0].number()) + name->text());
  }
  CHECK(names == std::vector<std::string>{"3eth0", "4a?b?c???"});

  const auto repeated =
      read_back(reader, options.reports(process, {2, 3, 4}, true), static_cast<std::uint32_t>(message.records.size()));
  CHECK(reader.faults.empty());
  CHECK(repeated.templates.empty());
  CHECK(repeated.records.size() == 3);
}

TEST_CASE("each element of ours that is exported is described as RFC 5610 wants, and no other") {
  IpfixSettings settings;
  settings.enterprise_number = 32473;
  const Options options{settings, Templates{settings}};
  ipfix_reader::Reader reader;
  const auto message = read_back(reader, options.reports({}, {}, false), 0);
  CHECK(reader.faults.empty());
  std::map<std::uint64_t, std::string> described;
  for (const auto& record : message.records) {
    if (record.find(0, 341) == nullptr) continue;
    CHECK(record.scope_fields == 2);
    CHECK(record.find(0, 346)->number() == 32473);
    const std::uint64_t id = record.find(0, 303)->number();
    described[id] = record.find(0, 341)->text();
    const bool window = id == 5 || id == 6;
    CHECK(record.find(0, 339)->number() == (window ? 2 : 3));                // unsigned16, unsigned32
    CHECK(record.find(0, 345)->number() == (window ? 2 : id == 4 ? 3 : 7));  // octets, packets, microseconds
    CHECK(record.find(0, 342)->number() == 0);
    CHECK(record.find(0, 343)->number() == (window ? 0xFFFF : 0xFFFFFFFF));
    CHECK_FALSE(record.find(0, 340)->text().empty());
  }
  const std::map<std::uint64_t, std::string> expected{{1, "min_rtt_us"},     {2, "max_rtt_us"},
                                                      {3, "avg_rtt_us"},     {4, "retransmit_count"},
                                                      {5, "min_tcp_window"}, {6, "max_tcp_window"}};
  CHECK(described == expected);
  settings.fields = {"packetDeltaCount", "avg_rtt_us"};
  const Options few{settings, Templates{settings}};
  ipfix_reader::Reader other;
  const auto short_message = read_back(other, few.reports({}, {}, false), 0);
  CHECK(std::count_if(short_message.records.begin(), short_message.records.end(),
                      [](const auto& r) { return r.find(0, 341) != nullptr; }) == 1);
  // Of Biflows the reversed elements too, with bit 14 of the id set.
  settings.biflow = true;
  const Options both{settings, Templates{settings}};
  ipfix_reader::Reader third;
  std::map<std::uint64_t, std::string> names;
  for (const auto& record : read_back(third, both.reports({}, {}, false), 0).records) {
    if (const auto* name = record.find(0, 341); name != nullptr) names[record.find(0, 303)->number()] = name->text();
  }
  CHECK(names == std::map<std::uint64_t, std::string>{{3, "avg_rtt_us"}, {0x4003, "reverse_avg_rtt_us"}});
}

TEST_CASE("no text is longer than one octet of length can say") {
  CHECK(exportable_text(std::string(1000, 'x')).size() == 254);
  CHECK(exportable_text("eth0.100@bond0") == "eth0.100@bond0");
}
