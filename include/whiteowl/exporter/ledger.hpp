// SPDX-License-Identifier: Apache-2.0
// Books for the records between a queue and the outputs: each ends in exactly one of records_sent and records_not_sent.
// Every output gets the same records in the same order and settles them in that order, some time later, as sent or
// lost; a record is sent as soon as all have settled it and one of them sent it.
// Outputs may come and go: each has an account from its opening on.
// One output may be late: a table knows only at the end whether somebody took what it sums up.  Records that no other
// output sent wait for its word as a sum, however many they are.
// Promise: no allocation but in open(); used by the exporter's thread only.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "whiteowl/exporter/counters.hpp"
#include "whiteowl/flow/record.hpp"

namespace whiteowl {

class RecordLedger {
 public:
  // Room for `capacity` unsettled records, rounded up to a power of two.  The first `outputs` accounts are open.
  RecordLedger(std::size_t outputs, std::size_t capacity, ExportCounters& counters)
      : entries_(std::bit_ceil(capacity)), accounts_(outputs), open_{outputs}, counters_{counters} {}

  [[nodiscard]] bool full() const noexcept { return next_ - oldest_ == entries_.size(); }
  // A further output, which gets the records that are entered from now on; its account.
  [[nodiscard]] std::size_t open() {
    const auto free = std::find_if(accounts_.begin(), accounts_.end(), [](const Account& a) { return a.free(); });
    const auto at = free == accounts_.end() ? accounts_.insert(free, Account{}) : free;
    *at = {.settled = next_, .end = next_, .open = true};
    ++open_;
    return static_cast<std::size_t>(at - accounts_.begin());
  }
  // The late output, which gets the records that are entered from now on.
  void open_late() noexcept {
    late_open_ = true;
    late_end_.reset();
  }
  void close_late() noexcept { late_open_ = false; }
  // Somebody took all that the late output had so far, or nobody will.
  void settle_late(bool sent) noexcept { count(std::exchange(late_, {}), sent); }
  // The same, and also for what it had and the other outputs still work on.
  void end_late(bool sent) noexcept {
    late_end_ = sent;
    settle_late(sent);
  }
  // This output gets no further records; it may go on settling those that it had.
  void close(std::size_t output) noexcept {
    accounts_[output].end = next_;
    accounts_[output].open = false;
    --open_;
  }
  // What it has not settled so far is lost.
  void settle_rest(std::size_t output) noexcept { settle(output, entries_.size(), false); }
  // Enters the next record, which is about to be offered to all open outputs.  Not when full.
  void enter(const FlowRecord& record) noexcept {
    assert(!full());
    entries_[next_++ & (entries_.size() - 1)] = {record.packets, record.octets, static_cast<std::uint32_t>(open_),
                                                 false, late_open_};
    close_settled();
  }
  // `output` settles its oldest `count` unsettled records.
  void settle(std::size_t output, std::size_t count, bool sent) noexcept {
    Account& account = accounts_[output];
    const std::uint64_t end = account.open ? next_ : account.end;
    for (; count != 0 && account.settled != end; --count) {
      Entry& entry = entries_[account.settled++ & (entries_.size() - 1)];
      --entry.waiting;
      entry.sent = entry.sent || sent;
    }
    close_settled();
  }
  // Nobody settles any more: what no output has sent so far is not sent.
  void abandon() noexcept {
    for (std::size_t output = 0; output < accounts_.size(); ++output) settle_rest(output);
    settle_late(false);
  }
  // A record that no output will ever be offered.
  void not_sent(const FlowRecord& record) noexcept { count({1, record.packets, record.octets}, false); }

 private:
  struct Entry {
    std::uint64_t packets, octets;
    std::uint32_t waiting;  // outputs that have not settled it
    bool sent;
    bool late;  // the late output has it, too
  };
  struct Sum {
    std::uint64_t records = 0, packets = 0, octets = 0;
  };
  struct Account {
    std::uint64_t settled = 0;  // serial number of its oldest unsettled record
    std::uint64_t end = 0;      // once closed: of the first that it does not get
    bool open = true;
    [[nodiscard]] bool free() const noexcept { return !open && settled == end; }
  };
  void close_settled() noexcept {
    for (; oldest_ != next_; ++oldest_) {
      const Entry& entry = entries_[oldest_ & (entries_.size() - 1)];
      if (entry.waiting != 0) return;
      if (entry.late && !entry.sent && !late_end_) {
        ++late_.records;
        late_.packets += entry.packets;
        late_.octets += entry.octets;
      } else {
        count({1, entry.packets, entry.octets}, entry.sent || (entry.late && *late_end_));
      }
    }
  }
  void count(const Sum& sum, bool sent) noexcept {
    (sent ? counters_.records_sent : counters_.records_not_sent).add(sum.records);
    (sent ? counters_.packets_in_records_sent : counters_.packets_in_records_not_sent).add(sum.packets);
    (sent ? counters_.octets_in_records_sent : counters_.octets_in_records_not_sent).add(sum.octets);
  }

  std::vector<Entry> entries_;
  std::vector<Account> accounts_;
  std::size_t open_;                     // accounts
  std::uint64_t oldest_ = 0, next_ = 0;  // serial numbers
  bool late_open_ = false;
  Sum late_;                      // of what waits for the late output alone
  std::optional<bool> late_end_;  // its last word
  ExportCounters& counters_;
};

// One output's page of the ledger.
class LedgerPage {
 public:
  LedgerPage(RecordLedger& ledger, std::size_t output) noexcept : ledger_{&ledger}, output_{output} {}
  void settle(std::size_t count, bool sent) noexcept { ledger_->settle(output_, count, sent); }

 private:
  RecordLedger* ledger_;
  std::size_t output_;
};

// The late output's.
class LatePage {
 public:
  explicit LatePage(RecordLedger& ledger) noexcept : ledger_{&ledger} {}
  void settle(bool sent) noexcept { ledger_->settle_late(sent); }
  void end(bool sent) noexcept { ledger_->end_late(sent); }

 private:
  RecordLedger* ledger_;
};

}  // namespace whiteowl
