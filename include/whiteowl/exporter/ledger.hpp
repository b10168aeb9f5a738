// SPDX-License-Identifier: Apache-2.0
// Books for the records between a queue and the outputs: each ends in exactly one of records_sent and records_not_sent.
// Every output gets the same records in the same order and settles them in that order, some time later, as sent or
// lost; a record is sent as soon as all have settled it and one of them sent it.
// Outputs may come and go: each has an account from its opening on.
// Promise: no allocation but in open(); used by the exporter's thread only.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
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
    entries_[next_++ & (entries_.size() - 1)] = {record.packets, record.octets, open_, false};
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
  }
  // A record that no output will ever be offered.
  void not_sent(const FlowRecord& record) noexcept { count({record.packets, record.octets, 0, false}); }

 private:
  struct Entry {
    std::uint64_t packets, octets;
    std::size_t waiting;  // outputs that have not settled it
    bool sent;
  };
  struct Account {
    std::uint64_t settled = 0;  // serial number of its oldest unsettled record
    std::uint64_t end = 0;      // once closed: of the first that it does not get
    bool open = true;
    [[nodiscard]] bool free() const noexcept { return !open && settled == end; }
  };
  void close_settled() noexcept {
    for (; oldest_ != next_ && entries_[oldest_ & (entries_.size() - 1)].waiting == 0; ++oldest_) {
      count(entries_[oldest_ & (entries_.size() - 1)]);
    }
  }
  void count(const Entry& entry) noexcept {
    (entry.sent ? counters_.records_sent : counters_.records_not_sent).add();
    (entry.sent ? counters_.packets_in_records_sent : counters_.packets_in_records_not_sent).add(entry.packets);
    (entry.sent ? counters_.octets_in_records_sent : counters_.octets_in_records_not_sent).add(entry.octets);
  }

  std::vector<Entry> entries_;
  std::vector<Account> accounts_;
  std::size_t open_;                     // accounts
  std::uint64_t oldest_ = 0, next_ = 0;  // serial numbers
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

}  // namespace whiteowl
