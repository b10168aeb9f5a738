// SPDX-License-Identifier: Apache-2.0
// Flow Records as IPFIX to one collector: fills Messages, keeps the sequence, repeats templates, paces, outlives
// outages.
//
// Templates and the sampling record stand first in the Message that carries the first data of a session, because
// collectors decode datagrams out of order; the other options follow in Messages of their own (in files and over TCP
// they go first).  Over UDP they are repeated by time and by count of Messages (RFC 7011 8.1), after each refusal, and
// in each of a session's first Messages.
//
// Sequence numbers (RFC 7011 3.1) count the Data Records of Messages that left this host, options included.  A Message
// that the kernel did not take was never sent: its number goes to the next one, its records to notSentFlowTotalCount.
// A new session starts at 0; a Message in hand goes to it after the templates.
//
// Other fields (follow()) get templates with new ids in the same session, so that no collector reads new data by old
// templates; the sequence goes on.
//
// While the transport is busy records wait; after `patience` they are lost and counted, until it takes Messages again.
//
// Over TCP a record is sent when the collector's host has acknowledged it.  What was on its way when a connection
// broke, or is not acknowledged at the end, is lost, counted and told.  No more than kMaxUnacknowledged records are on
// their way.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "whiteowl/exporter/counters.hpp"
#include "whiteowl/exporter/episode.hpp"
#include "whiteowl/exporter/ledger.hpp"
#include "whiteowl/exporter/output.hpp"
#include "whiteowl/exporter/pace.hpp"
#include "whiteowl/exporter/settings.hpp"
#include "whiteowl/exporter/transport.hpp"
#include "whiteowl/ipfix/message.hpp"
#include "whiteowl/ipfix/statistics.hpp"
#include "whiteowl/ipfix/template.hpp"

namespace whiteowl {

class IpfixOutput final : public RecordOutput {
 public:
  static constexpr std::size_t kMaxRecords = 2048;           // of a Message: bounds what is unsettled
  static constexpr std::size_t kMaxUnacknowledged = 32'768;  // records that TCP took
  // Unsettled records at most: those, a Message being filled, one that may still be refused, one held over a new
  // session.  One more waits for its other direction (export.biflow).
  static constexpr std::size_t kMaxUnsettled = kMaxUnacknowledged + 3 * kMaxRecords + 2;

  IpfixOutput(std::unique_ptr<Transport> transport, const IpfixSettings& ipfix, const ExporterSettings& settings,
              Duration patience, std::function<ProcessStatistics()> statistics, ExportCounters& counters,
              LedgerPage page);

  [[nodiscard]] bool write(const FlowRecord& record, Timestamp now) noexcept override;
  void step(Timestamp now) noexcept override;
  [[nodiscard]] bool finish(Timestamp now) noexcept override;
  void give_up(Timestamp now) noexcept override;
  [[nodiscard]] bool failed() const noexcept override { return lost_last_ || transport_->failed(); }
  void follow(const ExporterSettings& settings, const IpfixSettings& ipfix, Duration patience) noexcept override;

 private:
  // A Message being filled and the Flow Records in it.
  struct Pending {
    MessageWriter message;
    std::uint32_t flow_records = 0;  // taken from the ledger: a Biflow is two
    std::uint32_t biflows = 0;
  };
  // A Message that was sent and may not have arrived.
  struct Sent {
    std::uint64_t end = 0;  // its last octet, counted from the begin of the session
    std::size_t octets = 0;
    std::uint32_t flow_records = 0;
  };
  [[nodiscard]] std::size_t limit() const noexcept;
  [[nodiscard]] bool write_waiting(Timestamp now) noexcept;
  // A record, or both directions of a Biflow.
  [[nodiscard]] bool put(const FlowRecord& record, const FlowRecord* opposite, Timestamp now) noexcept;
  [[nodiscard]] bool ready(Timestamp now) noexcept;
  [[nodiscard]] bool change_templates(Timestamp now) noexcept;
  [[nodiscard]] bool drop(std::size_t records) noexcept;
  [[nodiscard]] bool put_control(Timestamp now) noexcept;
  void begin(Timestamp now) noexcept;
  void follow_session() noexcept;
  [[nodiscard]] bool repeat_by_time(Timestamp now) const noexcept;
  [[nodiscard]] bool repeat_by_event() const noexcept;
  void owe_prologue(Timestamp now, bool with_reports) noexcept;
  void owe_reports(Timestamp now, bool repeat) noexcept;
  [[nodiscard]] bool put_owed(Timestamp now) noexcept;
  [[nodiscard]] bool send(Pending& pending, Timestamp now) noexcept;
  [[nodiscard]] bool patient(Timestamp now) noexcept;
  void sent(Pending& pending, std::size_t octets, Timestamp now) noexcept;
  void lost(Pending& pending) noexcept;
  void look_for_refusal(Timestamp now, Duration doubt) noexcept;
  void settle_doubtful(bool sent) noexcept;
  [[nodiscard]] bool window_full() const noexcept;
  void look_what_arrived(Timestamp now) noexcept;
  void settle_oldest(bool arrived) noexcept;
  void settle_last(std::size_t records, bool arrived) noexcept;
  void count_total(std::uint32_t records, std::size_t octets) noexcept;
  void lose_unacknowledged(Timestamp now, const char* when) noexcept;
  [[nodiscard]] bool farewell(Timestamp now) noexcept;

  std::unique_ptr<Transport> transport_;
  IpfixSettings ipfix_;  // what the templates were made from
  Templates templates_;
  Options options_;
  std::function<ProcessStatistics()> statistics_;
  ExportCounters& counters_;
  LedgerPage page_;
  Duration template_interval_;
  std::uint32_t template_messages_;
  Duration patience_;
  std::uint32_t rate_;
  Pace pace_;
  std::optional<IpfixSettings> next_;  // fields to change to as soon as what is begun has gone

  std::optional<FlowRecord> waiting_;  // the front half of a Biflow
  Timestamp waiting_since_{};
  Pending filling_;
  Pending held_;  // begun in the session before; goes out after the new session's templates
  Timestamp filling_since_{};
  bool whole_prologue_ = false;  // filling_ begins with all templates
  bool reports_only_ = false;    // filling_ holds reports, or their rest

  // The last Message sent, while it may still be refused.
  bool in_doubt_ = false;
  std::uint32_t doubtful_records_ = 0;
  std::uint32_t doubtful_biflows_ = 0;
  std::size_t doubtful_octets_ = 0;
  Timestamp doubtful_since_{};
  bool refused_ = false;  // the one before it was refused

  // Messages that a reliable transport took.
  std::deque<Sent> on_their_way_;
  std::size_t records_on_their_way_ = 0;
  std::uint64_t session_octets_ = 0;
  Timestamp progress_at_{};  // something arrived, or the farewell began
  bool parting_ = false;
  bool lost_last_ = false;  // of the records whose fate is known, the last ones were lost
  Episode loss_;

  std::vector<ControlRecord> owed_;  // templates and options to be put before anything else, from owed_next_ on
  std::size_t owed_next_ = 0;
  bool begun_ = false;        // a prologue was put
  bool prologue_due_ = true;  // new session, loss or refusal
  bool reports_due_ = false;
  bool lost_control_ = false;        // since ready() was called, templates or options were lost
  bool introduced_ = false;          // reliable transports: the reports went before the prologue that is due
  bool data_since_prologue_ = true;  // a prologue is followed by data before the next, however small the Messages are
  std::uint32_t warm_up_;            // Messages left that carry the prologue at the begin of a session
  std::uint32_t messages_since_prologue_ = 0;
  Timestamp prologue_at_{}, reports_at_{};

  std::uint64_t session_ = 0;
  std::uint32_t sequence_ = 0;
  ExportedTotals totals_;
  bool busy_ = false;
  Timestamp busy_since_{};
  Timestamp transport_stepped_{};
  bool finishing_ = false;
  bool finished_ = false;
};

}  // namespace whiteowl
