// SPDX-License-Identifier: Apache-2.0
// Lines of the log about outputs.
#include "whiteowl/exporter/episode.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <exception>

namespace whiteowl {

namespace {

constexpr Duration kPause = std::chrono::seconds{60};

void say(spdlog::level::level_enum level, const std::string& line) noexcept {
  try {
    spdlog::log(level, "{}", line);
  } catch (const std::exception&) {
  }
}

}  // namespace

void Episode::begin(Timestamp now, const std::string& reason) noexcept {
  if (bad_) return;
  bad_ = true;
  told_ = false;
  ++begun_;
  reason_ = reason;
  step(now);
}

void Episode::step(Timestamp now) noexcept {
  if (!bad_ || told_) return;
  // A clock that was set back is no reason for silence.
  const bool too_soon = told_at_ != Timestamp{} && now >= told_at_ && now - told_at_ < kPause;
  if (too_soon) return;
  const std::string often = begun_ > 1 ? " (" + std::to_string(begun_) + " times since the last word)" : "";
  say(spdlog::level::warn, subject_ + ": " + reason_ + often);
  told_ = true;
  told_at_ = now;
  begun_ = 0;
}

void Episode::end(const std::string& remark) noexcept {
  if (bad_ && told_ && !remark.empty()) say(spdlog::level::info, subject_ + ": " + remark);
  bad_ = told_ = false;
}

void log_failure(const std::string& line) noexcept { say(spdlog::level::err, line); }

}  // namespace whiteowl
