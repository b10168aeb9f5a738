// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/episode.hpp"

#include <doctest/doctest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <sstream>

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

constexpr Timestamp kNow{1'700'000'000s};

// What is logged while it lives.
class Log {
 public:
  Log() : before_{spdlog::default_logger()} {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)));
    spdlog::set_pattern("%v");
  }
  ~Log() { spdlog::set_default_logger(before_); }
  [[nodiscard]] std::string take() {
    std::string text = text_.str();
    text_.str({});
    return text;
  }

 private:
  std::shared_ptr<spdlog::logger> before_;
  std::ostringstream text_;
};

}  // namespace

TEST_CASE("an output that fails again and again is told of once a minute, with the number of times") {
  Log log;
  Episode episode{"collector x"};
  for (Timestamp now = kNow; now < kNow + 125s; now += 1s) {
    episode.begin(now, "refused");
    episode.end("back");
  }
  CHECK(log.take() ==
        "collector x: refused\ncollector x: back\n"
        "collector x: refused (60 times since the last word)\ncollector x: back\n"
        "collector x: refused (60 times since the last word)\ncollector x: back\n");
}

TEST_CASE("a failure that stays is told when the minute is over, and only once") {
  Log log;
  Episode episode{"collector x"};
  episode.begin(kNow, "refused");
  episode.end("back");
  static_cast<void>(log.take());
  episode.begin(kNow + 1s, "no route");
  episode.step(kNow + 59s);
  CHECK(log.take().empty());
  episode.step(kNow + 60s);
  episode.step(kNow + 200s);
  CHECK(log.take() == "collector x: no route\n");
  episode.end({});
  CHECK(log.take().empty());
}
