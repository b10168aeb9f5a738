// SPDX-License-Identifier: Apache-2.0
// Flow Records as JSON lines.
#include "whiteowl/exporter/json_output.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "whiteowl/exporter/episode.hpp"
#include "whiteowl/ipfix/elements.hpp"
#include "whiteowl/ipfix/template.hpp"

namespace whiteowl {

namespace {

constexpr std::size_t kMaxText = std::size_t{256} << 10U;
constexpr std::size_t kEnough = std::size_t{32} << 10U;  // written without waiting for step()

}  // namespace

JsonOutput::JsonOutput(int fd, const IpfixSettings& settings, Duration patience, LedgerPage page)
    : file_{fd}, patience_{patience}, page_{page} {
  choose_fields(settings);
  text_.reserve(2 * kMaxText);
}

void JsonOutput::follow(const ExporterSettings& /*settings*/, const IpfixSettings& ipfix, Duration patience) noexcept {
  patience_ = patience;
  choose_fields(ipfix);
}

void JsonOutput::choose_fields(const IpfixSettings& settings) {
  fields_ = {};
  for (std::size_t kind = 0; kind < kRecordKinds; ++kind) {
    std::vector<const Element*> elements = chosen_elements(settings, static_cast<RecordKind>(kind));
    const Element* end_reason = find_element("flowEndReason");
    if (std::find(elements.begin(), elements.end(), end_reason) == elements.end()) elements.push_back(end_reason);
    for (const Element* element : elements) {
      const char* separator = fields_[kind].empty() ? "{\"" : ",\"";
      fields_[kind].push_back({separator + std::string{element->name} + "\":", element->append_json});
    }
  }
}

bool JsonOutput::write(const FlowRecord& record, Timestamp now) noexcept {
  if (gone_) {
    page_.settle(1, false);
    return true;
  }
  if (full()) drain();
  if (full()) {
    if (!std::exchange(stuck_, true)) stuck_since_ = now;
    if (now - stuck_since_ < patience_) return false;
    lose_kept();
  } else {
    stuck_ = false;
  }
  if (gone_) return write(record, now);
  for (const Field& field : fields_[static_cast<std::size_t>(kind_of(record))]) {
    text_ += field.key;
    field.append(record, text_);
  }
  text_ += "}\n";
  ends_.push_back(text_.size());
  if (text_.size() - begin_ >= kEnough) drain();
  return true;
}

bool JsonOutput::full() const noexcept { return ends_.size() >= kMaxUnsettled || text_.size() - begin_ >= kMaxText; }

// A line of which the reader has the begin stays, so that what comes later is on lines of its own.
void JsonOutput::lose_kept() noexcept {
  const bool in_line = begin_ != 0 && text_[begin_ - 1] != '\n';
  if (in_line && !ends_.empty()) {
    text_.resize(ends_.front());
    ends_.pop_front();
    page_.settle(1, true);
  } else {
    text_.resize(begin_);
  }
  page_.settle(ends_.size(), false);
  ends_.clear();
}

void JsonOutput::end(int error) noexcept {
  page_.settle(ends_.size(), false);
  ends_.clear();
  text_.clear();
  begin_ = 0;
  gone_ = true;
  if (error == EPIPE || std::exchange(failed_, true)) return;
  log_failure("standard output: " + std::generic_category().message(error) + "; records are lost");
}

void JsonOutput::drain() noexcept {
  if (begin_ != text_.size()) {
    const auto taken = file_.write(text_.data() + begin_, text_.size() - begin_);
    begin_ += taken.octets;
    for (; !ends_.empty() && ends_.front() <= begin_; ends_.pop_front()) page_.settle(1, true);
    if (taken.error != 0 && taken.error != EAGAIN) return end(taken.error);
  }
  // One octet stays to tell whether a line has begun.
  if (begin_ < 2) return;
  const std::size_t gone = begin_ - 1;
  for (std::size_t& end : ends_) end -= gone;
  text_.erase(0, gone);
  begin_ = 1;
}

void JsonOutput::step(Timestamp /*now*/) noexcept { drain(); }

bool JsonOutput::finish(Timestamp /*now*/) noexcept {
  drain();
  if (begin_ != text_.size()) return false;
  if (const int error = file_.close(); error != 0) end(error);
  return true;
}

void JsonOutput::give_up(Timestamp now) noexcept {
  if (finish(now)) return;
  failed_ = true;
  log_failure("standard output: its reader does not read; " + std::to_string(ends_.size()) + " records are lost");
}

}  // namespace whiteowl
