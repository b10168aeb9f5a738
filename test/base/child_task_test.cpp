// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/child_task.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "whiteowl/base/memory.hpp"

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

constexpr ChildTask::Limits kAmple{20s, std::size_t{64} << 20U};

Duration now() { return std::chrono::steady_clock::now().time_since_epoch(); }

std::string for_ever() {
  for (;;) ::getppid();
}

}  // namespace

TEST_CASE("what the work returns arrives whole, also when it is longer than a pipe holds") {
  const std::string text(300'000, 'x');
  ChildTask task{[&] { return text; }, kAmple};
  const auto outcome = task.wait();
  CHECK(outcome.state == ChildTask::State::done);
  CHECK(outcome.text == text);
  CHECK(task.poll()->text == text);
}

TEST_CASE("an empty result is a result") {
  ChildTask task{[] { return std::string{}; }, kAmple};
  const auto outcome = task.wait();
  CHECK(outcome.state == ChildTask::State::done);
  CHECK(outcome.text.empty());
}

TEST_CASE("what the work throws comes back as a failure with its words") {
  ChildTask task{[]() -> std::string { throw std::runtime_error{"line 3: no"}; }, kAmple};
  const auto outcome = task.wait();
  CHECK(outcome.state == ChildTask::State::failed);
  CHECK(outcome.text == "line 3: no");
}

TEST_CASE("work that loops is over when its time is") {
  const Duration begin = now();
  ChildTask task{&for_ever, {200ms, kAmple.memory_octets}};
  CHECK_FALSE(task.poll().has_value());
  CHECK(task.wait().state == ChildTask::State::timed_out);
  CHECK(now() - begin >= 200ms);
  CHECK(now() - begin < 10s);
}

TEST_CASE("a caller who loses patience need not wait") {
  const UniqueFd cancel{::eventfd(1, EFD_CLOEXEC)};
  const Duration begin = now();
  ChildTask task{&for_ever, kAmple};
  const auto outcome = task.wait(cancel.get());
  CHECK(outcome.state == ChildTask::State::died);
  CHECK(outcome.text == "cancelled");
  CHECK(now() - begin < 10s);
}

TEST_CASE("a task that goes out of scope takes its child with it") {
  const Duration begin = now();
  { ChildTask task{&for_ever, kAmple}; }
  CHECK(now() - begin < 10s);
}

TEST_CASE("a child that dies of a signal is told from one that answers") {
  ChildTask task{[]() -> std::string {
                   ::raise(SIGKILL);
                   return "never";
                 },
                 kAmple};
  const auto outcome = task.wait();
  CHECK(outcome.state == ChildTask::State::died);
  CHECK(outcome.text == "killed by signal 9");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their allocators end the process instead
TEST_CASE("work that wants more memory than it may have fails") {
  ChildTask task{[]() -> std::string {
                   std::vector<std::string> hoard;
                   for (;;) hoard.emplace_back(std::size_t{1} << 20U, 'x');
                 },
                 kAmple};
  const auto outcome = task.wait();
  CHECK(outcome.state == ChildTask::State::failed);
  CHECK(outcome.text == "needs more memory than it may have");
}

TEST_CASE("the child has no copy of large tables") {
  const ZeroedMemory table{std::size_t{512} << 20U, Prefault::no};
  ChildTask task{[] {
                   char line[128] = {};
                   const UniqueFd file{::open("/proc/self/statm", O_RDONLY)};
                   return ::read(file.get(), line, sizeof line - 1) > 0 ? std::string{line} : std::string{};
                 },
                 kAmple};
  const auto outcome = task.wait();
  REQUIRE(outcome.state == ChildTask::State::done);
  const auto pages = std::stoull(outcome.text);
  CHECK(pages * 4096 < (std::size_t{512} << 20U));
}
#endif

TEST_CASE("the child holds no descriptor of the parent but the standard ones and its own") {
  const UniqueFd mine{::open("/dev/null", O_RDONLY)};
  ChildTask task{[] {
                   std::string open;
                   for (int fd = 0; fd < 256; ++fd)
                     if (::fcntl(fd, F_GETFD) >= 0) open += std::to_string(fd) + ' ';
                   return open;
                 },
                 kAmple};
  const auto outcome = task.wait();
  REQUIRE(outcome.state == ChildTask::State::done);
  CHECK(outcome.text == "0 1 2 3 ");
}
