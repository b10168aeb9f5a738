// SPDX-License-Identifier: Apache-2.0
// Flow Records as JSON lines.
#include "whiteowl/exporter/json_output.hpp"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "whiteowl/ipfix/elements.hpp"
#include "whiteowl/ipfix/template.hpp"

namespace whiteowl {

namespace {

constexpr std::size_t kMaxText = std::size_t{256} << 10U;
constexpr std::size_t kEnough = std::size_t{32} << 10U;  // written without waiting for step()

bool is_regular(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

JsonOutput::JsonOutput(int fd, const IpfixSettings& settings, Duration patience, LedgerPage page)
    : fd_{fd}, regular_{is_regular(fd)}, patience_{patience}, page_{page} {
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

void JsonOutput::close() noexcept {
  page_.settle(ends_.size(), false);
  ends_.clear();
  text_.clear();
  begin_ = 0;
  gone_ = true;
}

void JsonOutput::drain() noexcept {
  while (begin_ != text_.size()) {
    std::size_t size = text_.size() - begin_;
    if (!regular_) {
      // A pipe that is ready takes this much without blocking (pipe(7)).
      size = std::min<std::size_t>(size, PIPE_BUF);
      pollfd wait{fd_, POLLOUT, 0};
      if (::poll(&wait, 1, 0) <= 0) break;
      if ((wait.revents & (POLLERR | POLLNVAL)) != 0) return close();
      if ((wait.revents & POLLOUT) == 0) break;
    }
    const ssize_t took = ::write(fd_, text_.data() + begin_, size);
    if (took < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (took < 0) return close();
    begin_ += static_cast<std::size_t>(took);
    for (; !ends_.empty() && ends_.front() <= begin_; ends_.pop_front()) page_.settle(1, true);
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
  return begin_ == text_.size();
}

}  // namespace whiteowl
