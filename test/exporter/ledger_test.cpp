// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/ledger.hpp"

#include <doctest/doctest.h>

#include "whiteowl/exporter/pace.hpp"

using namespace whiteowl;

namespace {

FlowRecord record_of(std::uint64_t packets) {
  FlowRecord record;
  record.packets = packets;
  record.octets = 100 * packets;
  return record;
}

}  // namespace

TEST_CASE("a record is sent when one of several outputs sent it, and counted once") {
  ExportCounters counters;
  RecordLedger ledger{2, 8, counters};
  for (std::uint64_t packets : {1, 2, 4, 8}) ledger.enter(record_of(packets));
  ledger.settle(0, 2, true);
  ledger.settle(0, 2, false);
  CHECK(counters.records_sent.get() == 0);  // the other output has not settled any
  ledger.settle(1, 1, false);
  ledger.settle(1, 1, true);
  ledger.settle(1, 1, false);
  ledger.settle(1, 1, true);
  CHECK(counters.records_sent.get() == 3);
  CHECK(counters.packets_in_records_sent.get() == 1 + 2 + 8);
  CHECK(counters.octets_in_records_sent.get() == 1100);
  CHECK(counters.records_not_sent.get() == 1);
  CHECK(counters.packets_in_records_not_sent.get() == 4);
}

TEST_CASE("a full ledger says so and serves again after settling") {
  ExportCounters counters;
  RecordLedger ledger{1, 4, counters};
  for (int round = 0; round < 100; ++round) {
    while (!ledger.full()) ledger.enter(record_of(1));
    ledger.settle(0, 3, true);
    CHECK_FALSE(ledger.full());
  }
  ledger.abandon();
  CHECK(counters.records_sent.get() == 300);
  CHECK(counters.records_not_sent.get() == 1);
  ledger.settle(0, 5, true);  // nothing is left to settle
  CHECK(counters.records_sent.get() == 300);
}

TEST_CASE("without an output no record is sent") {
  ExportCounters counters;
  RecordLedger ledger{0, 4, counters};
  for (int i = 0; i < 10; ++i) ledger.enter(record_of(1));
  CHECK(counters.records_not_sent.get() == 10);
}

TEST_CASE("an output that comes later answers for what is entered from then on, one that goes only for what it had") {
  ExportCounters counters;
  RecordLedger ledger{1, 8, counters};
  ledger.enter(record_of(1));
  const std::size_t second = ledger.open();
  ledger.enter(record_of(2));
  ledger.close(0);
  ledger.enter(record_of(4));
  ledger.settle(second, 1, false);
  ledger.settle(second, 1, true);
  CHECK(counters.records_sent.get() == 0);  // the first record still waits for the first output
  ledger.settle(0, 5, true);                // two, whatever it says
  CHECK(counters.packets_in_records_sent.get() == 1 + 2 + 4);
  CHECK(ledger.open() == 0);  // its account is free again
  ledger.enter(record_of(8));
  ledger.settle(second, 1, false);
  ledger.settle_rest(0);
  CHECK(counters.packets_in_records_not_sent.get() == 8);
  CHECK(counters.records_sent.get() + counters.records_not_sent.get() == 4);
}

TEST_CASE("what only the late output has waits for its word as a sum, however much it is") {
  ExportCounters counters;
  RecordLedger ledger{1, 4, counters};
  ledger.open_late();
  for (int i = 0; i < 1000; ++i) {
    ledger.enter(record_of(3));
    ledger.settle(0, 1, i < 10);  // the other output sent ten
  }
  CHECK(counters.records_sent.get() == 10);
  CHECK(counters.records_not_sent.get() == 0);
  ledger.settle_late(true);
  CHECK(counters.records_sent.get() == 1000);
  CHECK(counters.packets_in_records_sent.get() == 3000);
  ledger.enter(record_of(5));
  ledger.end_late(false);
  CHECK(counters.records_not_sent.get() == 0);  // the other output still works on it
  ledger.settle(0, 1, false);
  CHECK(counters.records_not_sent.get() == 1);
  CHECK(counters.octets_in_records_not_sent.get() == 500);
}

TEST_CASE("the pace lets a burst through and then holds the rate") {
  Pace pace{1000};
  Timestamp now{Duration{1'000'000'000'000}};
  const auto go = [&] {
    int gone = 0;
    for (; pace.allows(now); ++gone) pace.spend();
    return gone;
  };
  CHECK(go() == 64);
  now += std::chrono::milliseconds{10};
  CHECK(go() == 10);
  now -= std::chrono::hours{1};
  CHECK(go() == 0);
  now += std::chrono::microseconds{500};
  CHECK(go() == 0);
  now += std::chrono::microseconds{500};
  CHECK(go() == 1);
  now += std::chrono::hours{1};
  CHECK(go() == 64);
}
