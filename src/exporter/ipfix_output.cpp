// SPDX-License-Identifier: Apache-2.0
// Flow Records as IPFIX to one collector.
#include "whiteowl/exporter/ipfix_output.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <utility>

namespace whiteowl {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kDefaultRate = 12'500;  // messages a second: half a million records within three seconds
constexpr std::uint32_t kWarmUpMessages = 3;    // carry templates at the begin of a session
constexpr Duration kOldestUnsent = 1s;          // a Message that is not full goes out after this
constexpr Duration kDoubt = 100ms;              // a refusal that comes later is taken for the next Message's
constexpr Duration kTransportStep = 50ms;
constexpr Duration kFarewellPatience = 5s;  // for a collector that acknowledges nothing, at the end
constexpr std::size_t kMaxMessagesOnTheirWay = 8192;
constexpr std::size_t kShortestPadded = 4;  // octets: padding of up to 3 must not look like a record

// Time since `then`, and none when the clock was set back.
Duration since(Timestamp then, Timestamp now) { return std::max<Duration>(now - then, Duration::zero()); }

std::uint32_t export_seconds(Timestamp now) {
  return static_cast<std::uint32_t>(std::max<std::int64_t>(floor_milliseconds(now) / 1000, 0));
}

}  // namespace

IpfixOutput::IpfixOutput(std::unique_ptr<Transport> transport, const IpfixSettings& ipfix,
                         const ExporterSettings& settings, Duration patience,
                         std::function<ProcessStatistics()> statistics, ExportCounters& counters, LedgerPage page)
    : transport_{std::move(transport)},
      ipfix_{ipfix},
      templates_{ipfix},
      options_{ipfix, templates_},
      statistics_{std::move(statistics)},
      counters_{counters},
      page_{page},
      template_interval_{settings.template_interval},
      template_messages_{settings.template_messages},
      patience_{patience},
      rate_{settings.max_rate == 0 ? kDefaultRate : settings.max_rate},
      pace_{rate_},
      filling_{MessageWriter{ipfix.domain_id}},
      held_{MessageWriter{ipfix.domain_id}},
      loss_{"collector " + transport_->name()},
      warm_up_{transport_->reliable() ? 0 : kWarmUpMessages},
      session_{transport_->session()} {
  filling_.message.clear(limit());
  if (session_ != 0) counters_.sessions.add();
}

// Longer than the path takes only where a template of Biflows is.
std::size_t IpfixOutput::limit() const noexcept {
  return std::max(transport_->max_message(), templates_.shortest_message());
}

bool IpfixOutput::write(const FlowRecord& record, Timestamp now) noexcept {
  if (waiting_) {
    if ((waiting_->flow_id ^ record.flow_id) == 1) {
      if (!put(*waiting_, &record, now)) return false;
      waiting_.reset();
      return true;
    }
    if (!write_waiting(now)) return false;
  }
  if (record.mate_follows && templates_.of_both(record) != nullptr) {
    waiting_ = record;
    waiting_since_ = now;
    return true;
  }
  return put(record, nullptr, now);
}

// The other direction did not come: it was dropped, or another worker's record came between.
bool IpfixOutput::write_waiting(Timestamp now) noexcept {
  if (waiting_ && !put(*waiting_, nullptr, now)) return false;
  waiting_.reset();
  return true;
}

bool IpfixOutput::put(const FlowRecord& record, const FlowRecord* opposite, Timestamp now) noexcept {
  const std::uint32_t records = opposite == nullptr ? 1 : 2;
  for (;;) {
    if (!ready(now)) return lost_control_ && drop(records);
    const Template& form = opposite == nullptr ? templates_.of(record) : *templates_.of_both(record);
    std::uint8_t* place = nullptr;
    if (filling_.flow_records < kMaxRecords) {
      place = filling_.message.add(form.id, form.octets, form.octets >= kShortestPadded);
    }
    if (place != nullptr) {
      if (opposite == nullptr) {
        form.encode(record, place);
      } else {
        form.encode(record, *opposite, place);
        ++filling_.biflows;
      }
      filling_.flow_records += records;
      data_since_prologue_ = true;
      return true;
    }
    const bool only_control = filling_.flow_records == 0;
    if (!send(filling_, now)) return false;
    if (only_control && lost_control_) return drop(records);
  }
}

// No data can follow templates that were lost, and trying on for the same record might never end.
bool IpfixOutput::drop(std::size_t records) noexcept {
  if (!held_.message.empty()) lost(held_);
  settle_last(records, false);
  return true;
}

// Brings the Message being filled to where a record may follow: session followed, templates in.  False when the
// transport takes nothing now, or when it lost templates (lost_control_).
bool IpfixOutput::ready(Timestamp now) noexcept {
  lost_control_ = false;
  if (transport_->session() != session_) follow_session();
  if (!held_.message.empty()) {
    if (!put_control(now)) return false;
    if (!filling_.message.empty() && (!send(filling_, now) || lost_control_)) return false;
    if (!send(held_, now)) return false;
    lost_control_ = false;
  }
  if (next_ && !change_templates(now)) return false;
  return put_control(now);
}

void IpfixOutput::follow(const ExporterSettings& settings, const IpfixSettings& ipfix, Duration patience) noexcept {
  template_interval_ = settings.template_interval;
  template_messages_ = settings.template_messages;
  patience_ = patience;
  const std::uint32_t rate = settings.max_rate == 0 ? kDefaultRate : settings.max_rate;
  if (rate != std::exchange(rate_, rate)) pace_ = Pace{rate};
  next_.reset();
  if (ipfix.fields != ipfix_.fields) next_ = ipfix;
}

// What was begun with the old templates goes first.
bool IpfixOutput::change_templates(Timestamp now) noexcept {
  if (!filling_.message.empty() && !send(filling_, now)) return false;
  lost_control_ = false;  // what takes its place follows
  const std::uint32_t first = options_.next_id();
  ipfix_ = *next_;
  next_.reset();
  IpfixSettings numbered = ipfix_;
  // At the end of the ids, where the next one may even have begun anew, the first ones are free again.
  if (first > ipfix_.template_id && first <= kLastTemplateId) numbered.template_id = static_cast<std::uint16_t>(first);
  templates_ = Templates{numbered};
  options_ = Options{numbered, templates_};
  owed_.clear();
  owed_next_ = 0;
  prologue_due_ = data_since_prologue_ = true;
  introduced_ = false;
  if (!transport_->reliable()) warm_up_ = kWarmUpMessages;
  return true;
}

bool IpfixOutput::put_control(Timestamp now) noexcept {
  for (;;) {
    if (filling_.message.empty()) begin(now);
    if (!put_owed(now)) return false;
    // Reports go alone: nfacctd (1.7.7) skips the data that follows a record with strings in the same Message.
    if (!reports_only_ || filling_.message.empty()) return true;
    if (!send(filling_, now) || lost_control_) return false;
  }
}

void IpfixOutput::begin(Timestamp now) noexcept {
  filling_.message.clear(limit());
  if (owed_next_ != owed_.size()) return;
  filling_since_ = now;
  whole_prologue_ = reports_only_ = false;
  const bool repeat = repeat_by_time(now) || repeat_by_event();
  const bool reports_by_time =
      transport_->reliable() && begun_ && template_interval_ > 0s && since(reports_at_, now) >= template_interval_;
  if (repeat && transport_->reliable() && !introduced_) {
    // In order: a reader should know our elements before a template uses them.
    introduced_ = true;
    owe_reports(now, false);
  } else if (repeat || (data_since_prologue_ && warm_up_ != 0 && !finishing_)) {
    introduced_ = false;
    owe_prologue(now, repeat);
  } else if ((reports_due_ && !refused_) || reports_by_time) {
    owe_reports(now, transport_->reliable());
  }
}

void IpfixOutput::follow_session() noexcept {
  session_ = transport_->session();
  counters_.sessions.add();
  sequence_ = 0;
  // What is not known to have arrived in the session before is known no more.
  while (!on_their_way_.empty()) settle_oldest(false);
  session_octets_ = 0;
  warm_up_ = transport_->reliable() ? 0 : kWarmUpMessages;
  settle_doubtful(true);
  // Data behind all of its templates can go as it is; data alone has to wait until the templates have gone.
  if (whole_prologue_ && held_.message.empty() && !transport_->reliable()) return;
  if (held_.message.empty() && filling_.flow_records != 0) std::swap(held_, filling_);
  filling_.flow_records = filling_.biflows = 0;
  filling_.message.clear(limit());
  owed_.clear();
  owed_next_ = 0;
  prologue_due_ = data_since_prologue_ = true;
  introduced_ = false;
}

bool IpfixOutput::repeat_by_time(Timestamp now) const noexcept {
  return !transport_->reliable() && begun_ && template_interval_ > 0s && since(prologue_at_, now) >= template_interval_;
}

bool IpfixOutput::repeat_by_event() const noexcept {
  if (!data_since_prologue_) return false;
  const bool by_count =
      !transport_->reliable() && template_messages_ != 0 && messages_since_prologue_ >= template_messages_;
  return prologue_due_ || by_count;
}

void IpfixOutput::owe_prologue(Timestamp now, bool with_reports) noexcept {
  owed_ = options_.prologue();
  owed_next_ = 0;
  if (with_reports && !transport_->reliable()) reports_due_ = true;
  begun_ = whole_prologue_ = true;
  prologue_due_ = data_since_prologue_ = false;
  prologue_at_ = now;
  messages_since_prologue_ = 0;
}

void IpfixOutput::owe_reports(Timestamp now, bool repeat) noexcept {
  owed_ = options_.reports(statistics_ ? statistics_() : ProcessStatistics{}, totals_, repeat);
  owed_next_ = 0;
  reports_only_ = true;
  reports_due_ = false;
  reports_at_ = now;
}

bool IpfixOutput::put_owed(Timestamp now) noexcept {
  while (owed_next_ != owed_.size()) {
    const ControlRecord& record = owed_[owed_next_];
    if (std::uint8_t* place = filling_.message.add(record.set_id, record.bytes.size(), record.padded);
        place != nullptr) {
      std::memcpy(place, record.bytes.data(), record.bytes.size());
      ++owed_next_;
    } else {
      assert(!filling_.message.empty());  // every record fits the smallest Message
      if (!send(filling_, now) || lost_control_) return false;
      whole_prologue_ = false;
    }
  }
  return true;
}

// True when the Message is out of hand, sent or lost; it is empty then.
bool IpfixOutput::send(Pending& pending, Timestamp now) noexcept {
  if (!transport_->reliable() && !pace_.allows(now)) return false;
  const auto bytes = pending.message.finish(sequence_, export_seconds(now));
  if (window_full()) look_what_arrived(now);
  const SendResult result = window_full() ? SendResult::busy : transport_->send(bytes, now);
  look_for_refusal(now, Duration::zero());
  switch (result) {
    case SendResult::busy:
      counters_.send_busy.add();
      look_what_arrived(now);
      if (patient(now)) return false;
      lost(pending);
      return true;
    case SendResult::sent:
      busy_ = false;
      sent(pending, bytes.size(), now);
      look_what_arrived(now);
      return true;
    case SendResult::lost:
      busy_ = false;
      lost(pending);
      return true;
  }
  return true;
}

bool IpfixOutput::patient(Timestamp now) noexcept {
  if (!std::exchange(busy_, true)) busy_since_ = now;
  return since(busy_since_, now) < patience_;
}

void IpfixOutput::sent(Pending& pending, std::size_t octets, Timestamp now) noexcept {
  sequence_ += pending.message.data_records();
  counters_.templates_sent.add(pending.message.template_records());
  ++messages_since_prologue_;
  if (warm_up_ != 0) --warm_up_;
  if (transport_->reliable()) {
    session_octets_ += octets;
    on_their_way_.push_back({session_octets_, octets, pending.flow_records});
    records_on_their_way_ += pending.flow_records;
    count_total(pending.flow_records - pending.biflows, octets);
    pending.flow_records = pending.biflows = 0;
    pending.message.clear(limit());
    return;
  }
  in_doubt_ = true;
  doubtful_records_ = pending.flow_records;
  doubtful_biflows_ = pending.biflows;
  doubtful_octets_ = octets;
  doubtful_since_ = now;
  pace_.spend();
  pending.flow_records = pending.biflows = 0;
  pending.message.clear(limit());
}

void IpfixOutput::lost(Pending& pending) noexcept {
  counters_.messages_lost.add();
  settle_doubtful(true);
  if (pending.flow_records != 0) settle_last(pending.flow_records, false);
  if (pending.message.template_records() != 0) {
    owed_.clear();
    owed_next_ = 0;
    prologue_due_ = data_since_prologue_ = lost_control_ = true;
    introduced_ = false;
  }
  pending.flow_records = pending.biflows = 0;
  pending.message.clear(limit());
}

// A datagram that met a closed port is reported as an error of the socket some time later.
void IpfixOutput::look_for_refusal(Timestamp now, Duration doubt) noexcept {
  if (transport_->take_refusal()) {
    refused_ = prologue_due_ = true;
    settle_doubtful(false);
  } else if (in_doubt_ && since(doubtful_since_, now) >= doubt) {
    refused_ = false;
    settle_doubtful(true);
  }
}

void IpfixOutput::settle_doubtful(bool sent) noexcept {
  if (!std::exchange(in_doubt_, false)) return;
  page_.settle(doubtful_records_, sent);
  if (!sent) {
    counters_.messages_lost.add();
    return;
  }
  counters_.messages_sent.add();
  counters_.message_octets_sent.add(doubtful_octets_);
  count_total(doubtful_records_ - doubtful_biflows_, doubtful_octets_);
}

void IpfixOutput::count_total(std::uint32_t records, std::size_t octets) noexcept {
  ++totals_.messages;
  totals_.flow_records += records;
  totals_.octets += octets;
}

// Over UDP nothing is promised, so nothing there makes a run fail; nor does a reader who has seen enough.
void IpfixOutput::settle_last(std::size_t records, bool arrived) noexcept {
  page_.settle(records, arrived);
  lost_last_ = !arrived && transport_->reliable() && !transport_->gone();
}

bool IpfixOutput::window_full() const noexcept {
  return records_on_their_way_ >= kMaxUnacknowledged - kMaxRecords || on_their_way_.size() >= kMaxMessagesOnTheirWay;
}

void IpfixOutput::settle_oldest(bool arrived) noexcept {
  const Sent& oldest = on_their_way_.front();
  if (oldest.flow_records != 0) settle_last(oldest.flow_records, arrived);
  records_on_their_way_ -= oldest.flow_records;
  if (arrived) {
    counters_.messages_sent.add();
    counters_.message_octets_sent.add(oldest.octets);
  } else {
    counters_.messages_lost.add();
  }
  on_their_way_.pop_front();
}

void IpfixOutput::look_what_arrived(Timestamp now) noexcept {
  if (on_their_way_.empty()) return;
  const auto outstanding = transport_->outstanding();
  const std::uint64_t arrived = session_octets_ - std::min(outstanding.octets, session_octets_);
  while (!on_their_way_.empty() && on_their_way_.front().end <= arrived) {
    settle_oldest(true);
    progress_at_ = now;
    loss_.end({});
  }
  if (outstanding.lost) lose_unacknowledged(now, "when the connection broke");
}

void IpfixOutput::lose_unacknowledged(Timestamp now, const char* when) noexcept {
  const std::size_t records = records_on_their_way_;
  while (!on_their_way_.empty()) settle_oldest(false);
  if (records != 0 && !transport_->gone())
    loss_.begin(now, std::to_string(records) + " records were not acknowledged " + when + "; they are lost");
}

void IpfixOutput::step(Timestamp now) noexcept {
  if (now - transport_stepped_ >= kTransportStep || now < transport_stepped_) {
    transport_stepped_ = now;
    transport_->step(now);
    look_for_refusal(now, kDoubt);
    look_what_arrived(now);
    loss_.step(now);
  }
  if (transport_->session() != session_) follow_session();
  if (waiting_ && since(waiting_since_, now) >= kOldestUnsent && !write_waiting(now)) return;
  // Without data only what is due by time goes out, and only in a session that has begun.
  if ((!held_.message.empty() || (begun_ && filling_.message.empty())) && !ready(now)) return;
  if (!filling_.message.empty() && since(filling_since_, now) >= kOldestUnsent) static_cast<void>(send(filling_, now));
}

bool IpfixOutput::finish(Timestamp now) noexcept {
  if (finished_) return true;
  if (!write_waiting(now)) return false;
  step(now);
  if (!std::exchange(finishing_, true)) reports_due_ = true;
  const std::uint64_t lost_before = counters_.messages_lost.get();
  bool took_all = true;
  // Data, then the templates if none went out yet, then the reports: each may begin a Message of its own.
  for (int messages = 0; took_all && messages < 4 && (reports_due_ || !filling_.message.empty()); ++messages) {
    took_all = filling_.message.empty() || send(filling_, now);
    transport_->step(now);  // sees a refusal of the last Message, if it has come
    look_for_refusal(now, Duration::zero());
    look_what_arrived(now);
    took_all = took_all && ready(now);
    if (refused_ || lost_control_) reports_due_ = false;
  }
  if (took_all && in_doubt_) {
    transport_->step(now);
    look_for_refusal(now, Duration::zero());
  }
  const bool empty = filling_.message.empty() && held_.message.empty();
  // Reports alone are not worth waiting for a collector that is away.
  const bool away = busy_ || lost_control_ || counters_.messages_lost.get() != lost_before;
  const bool reports_alone = filling_.flow_records == 0 && held_.message.empty() && away;
  finished_ = ((took_all && empty && !reports_due_) || reports_alone) && farewell(now);
  return finished_;
}

// True when the fate of all that was sent is known, or has been waited for in vain.
bool IpfixOutput::farewell(Timestamp now) noexcept {
  if (!std::exchange(parting_, true)) progress_at_ = now;
  const bool ended = transport_->end(now);
  look_what_arrived(now);
  if (ended && on_their_way_.empty()) return true;
  if (since(progress_at_, now) < std::min(patience_, kFarewellPatience)) return false;
  lose_unacknowledged(now, "at the end");
  return true;
}

void IpfixOutput::give_up(Timestamp now) noexcept {
  if (!transport_->reliable() || finished_) return;
  look_what_arrived(now);
  const std::size_t waiting = waiting_ ? 1 : 0;
  const std::size_t left = records_on_their_way_ + filling_.flow_records + held_.flow_records + waiting;
  if (left == 0 || transport_->gone()) return;
  lost_last_ = true;
  log_failure("collector " + transport_->name() + ": not waited for any longer; at least " + std::to_string(left) +
              " records are lost");
}

}  // namespace whiteowl
