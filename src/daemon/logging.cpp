// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/logging.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <memory>
#include <utility>

#include "whiteowl/base/text.hpp"

namespace whiteowl {
namespace {

// The journal's priorities, syslog(3).
class PriorityFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& to) override {
    const std::string_view priority = message.level >= spdlog::level::critical ? "<2>"
                                      : message.level == spdlog::level::err    ? "<3>"
                                      : message.level == spdlog::level::warn   ? "<4>"
                                      : message.level == spdlog::level::info   ? "<6>"
                                                                               : "<7>";
    to.append(priority.data(), priority.data() + priority.size());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PriorityFlag>();
  }
};

class OneLineFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& to) override {
    const std::string text = one_line({message.payload.data(), message.payload.size()});
    to.append(text.data(), text.data() + text.size());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<OneLineFlag>();
  }
};

spdlog::level::level_enum as_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

bool is_journal(int fd, const char* journal_stream) {
  struct stat status {};
  if (journal_stream == nullptr || ::fstat(fd, &status) != 0) return false;
  return journal_stream == std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino);
}

void set_log_level(LogLevel level) { spdlog::set_level(as_spdlog(level)); }

void set_up_logging(LogLevel level, LogStyle style) {
  auto logger =
      std::make_shared<spdlog::logger>("chompy-probe", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<PriorityFlag>('*').add_flag<OneLineFlag>('_');
  formatter->set_pattern(style == LogStyle::journal ? "%*%_" : "%Y-%m-%d %H:%M:%S.%e %^%l%$ %_");
  logger->set_formatter(std::move(formatter));
  logger->set_level(as_spdlog(level));
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace whiteowl
