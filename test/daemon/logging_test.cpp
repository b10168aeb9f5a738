// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/logging.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "whiteowl/base/fd.hpp"

using namespace whiteowl;

namespace {

// What `log` writes to standard error.
template <typename Log>
std::string caught(Log log) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const UniqueFd read_end{ends[0]};
  const UniqueFd saved{::dup(STDERR_FILENO)};
  {
    const UniqueFd write_end{ends[1]};
    ::dup2(write_end.get(), STDERR_FILENO);
    const auto before = spdlog::default_logger();
    log();
    spdlog::set_default_logger(before);
    ::dup2(saved.get(), STDERR_FILENO);
  }
  std::string text(4096, '\0');
  const auto size = ::read(read_end.get(), text.data(), text.size());
  text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return text;
}

}  // namespace

TEST_CASE("the journal is recognised by its device and inode, not by the variable alone") {
  struct stat status {};
  const UniqueFd fd{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  REQUIRE(::fstat(fd.get(), &status) == 0);
  const auto named = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  CHECK(is_journal(fd.get(), named.c_str()));
  CHECK_FALSE(is_journal(fd.get(), "8:1"));
  CHECK_FALSE(is_journal(fd.get(), ""));
  CHECK_FALSE(is_journal(fd.get(), nullptr));
  CHECK_FALSE(is_journal(-1, named.c_str()));
}

TEST_CASE("for the journal a line is its priority and the message") {
  const auto text = caught([] {
    set_up_logging(LogLevel::debug, LogStyle::journal);
    spdlog::debug("d");
    spdlog::info("two\nlines");
    spdlog::warn("w");
    spdlog::error("e");
    spdlog::critical("c");
  });
  CHECK(text == "<7>d\n<6>two\\nlines\n<4>w\n<3>e\n<2>c\n");
}

TEST_CASE("elsewhere a line begins with the time and the level, and lower levels are left out") {
  const auto text = caught([] {
    set_up_logging(LogLevel::warning, LogStyle::dated);
    spdlog::info("not this");
    spdlog::warn("this");
  });
  REQUIRE(text.size() == std::string{"2024-01-01 00:00:00.000 warning this\n"}.size());
  CHECK(text.ends_with(" warning this\n"));
  CHECK(text[4] == '-');
  CHECK(text[10] == ' ');
  CHECK(text[19] == '.');
}
