// SPDX-License-Identifier: Apache-2.0
// Flow Records as JSON, one object a line (JSON Lines).  Keys are the names of the Information Elements chosen by
// export.fields, plus flowEndReason; addresses are text, times integer milliseconds since 1970, other values numbers.
// Never waits: what the reader does not take yet is kept, and when that is 256 KiB the record waits in its queue, for
// `patience` at most; then what is kept is lost, whole lines of it.  A reader that went away ends the output quietly;
// anything else that is wrong with the descriptor ends it with a line in the log.  Later records are not sent.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "whiteowl/exporter/ledger.hpp"
#include "whiteowl/exporter/output.hpp"
#include "whiteowl/exporter/output_file.hpp"
#include "whiteowl/ipfix/element.hpp"
#include "whiteowl/ipfix/settings.hpp"

namespace whiteowl {

class JsonOutput final : public RecordOutput {
 public:
  static constexpr std::size_t kMaxUnsettled = 4096;

  // Writes to `fd`, which stays the caller's.
  JsonOutput(int fd, const IpfixSettings& settings, Duration patience, LedgerPage page);
  [[nodiscard]] bool write(const FlowRecord& record, Timestamp now) noexcept override;
  void step(Timestamp now) noexcept override;
  [[nodiscard]] bool finish(Timestamp now) noexcept override;
  void give_up(Timestamp now) noexcept override;
  [[nodiscard]] bool failed() const noexcept override { return failed_; }
  void follow(const ExporterSettings& settings, const IpfixSettings& ipfix, Duration patience) noexcept override;

 private:
  struct Field {
    std::string key;  // with what separates it from the field before
    void (*append)(const FlowRecord&, std::string&);
  };
  void choose_fields(const IpfixSettings& settings);
  void drain() noexcept;
  [[nodiscard]] bool full() const noexcept;
  void lose_kept() noexcept;
  void end(int error) noexcept;

  OutputFile file_;
  Duration patience_;
  LedgerPage page_;
  std::array<std::vector<Field>, kRecordKinds> fields_;
  std::string text_;  // lines not yet written, from begin_ on
  std::size_t begin_ = 0;
  std::deque<std::size_t> ends_;  // of the lines, as positions in text_
  bool gone_ = false;             // nobody reads any more, or nothing can be written
  bool failed_ = false;
  bool stuck_ = false;
  Timestamp stuck_since_{};
};

}  // namespace whiteowl
