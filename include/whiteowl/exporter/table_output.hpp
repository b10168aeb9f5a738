// SPDX-License-Identifier: Apache-2.0
// Flow Records as a table that a person reads: while capturing a row for each conversation as it is exported, at the
// end the busiest conversations and the totals.
// Promise: never waits for its reader and never refuses a record; a reader that is too slow misses rows and is told how
// many, the end of the run has them all in the totals; a reader that went away is nobody's concern, anything else that
// is wrong with the descriptor is a line in the log.  A record is sent when the reader took its row or the totals.
// Bounded: kTracked conversations are compared for the busiest; when there are more, the smaller half is forgotten but
// for its share in the totals.  A conversation that is forgotten and comes back is then counted twice.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "whiteowl/exporter/ledger.hpp"
#include "whiteowl/exporter/output.hpp"

namespace whiteowl {

struct TableSettings {
  int fd = 1;                 // not closed
  bool rows = false;          // live capture: records as they come.  A capture file: only the end
  bool terminal = false;      // the header comes again on every screen; the window's size is asked for
  bool bold = false;          // bold header, dim remarks (ANSI)
  std::uint32_t columns = 0;  // width when it is no terminal; 0 = as wide as it takes
};
// As suits `fd`: a terminal (NO_COLOR respected) or a file or pipe.
[[nodiscard]] TableSettings table_settings(int fd, bool live);

class TableOutput final : public RecordOutput {
 public:
  static constexpr std::size_t kShown = 40;        // conversations in the summary
  static constexpr std::size_t kTracked = 16'384;  // conversations compared for it

  TableOutput(const TableSettings& settings, LatePage page);
  ~TableOutput() override;
  [[nodiscard]] bool write(const FlowRecord& record, Timestamp now) noexcept override;
  void step(Timestamp now) noexcept override;
  [[nodiscard]] bool finish(Timestamp now) noexcept override;
  void give_up(Timestamp now) noexcept override;
  [[nodiscard]] bool failed() const noexcept override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Numbers as a person reads them, three digits where rounded.
[[nodiscard]] std::string human_count(std::uint64_t count);                // 99999, 123k, 1.23M: thousands are 1000
[[nodiscard]] std::string human_octets(std::uint64_t octets);              // 999 B, 1.23 kB, 17.9 MB
[[nodiscard]] std::string human_duration(Duration duration);               // 250us, 12ms, 3.20s, 1m05s, 2h03m, 4d02h
[[nodiscard]] std::string human_milliseconds(std::uint32_t microseconds);  // 0.007, 1.23, 12.3, 123
[[nodiscard]] std::string with_commas(std::uint64_t count);                // 1,234,567

}  // namespace whiteowl
