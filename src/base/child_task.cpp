// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/child_task.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "whiteowl/base/error.hpp"

namespace whiteowl {
namespace {

// The message of a child: one of these, the text, and kWhole, by which a text that was cut off is told from a whole
// one.
constexpr char kDone = 'd', kFailed = 'f', kWhole = '.';

Duration steady_now() noexcept { return std::chrono::steady_clock::now().time_since_epoch(); }

// Pages of address space that this process has; 0 when the kernel does not say.
std::size_t address_space_pages() noexcept {
  const UniqueFd file{::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)};
  std::array<char, 128> text{};
  if (!file || ::read(file.get(), text.data(), text.size() - 1) <= 0) return 0;
  unsigned long long pages = 0;
  return std::sscanf(text.data(), "%llu", &pages) == 1 ? static_cast<std::size_t>(pages) : 0;
}

void limit_this_process(std::size_t memory_octets) noexcept {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const std::size_t pages = address_space_pages();
  if (pages == 0) return;
  rlimit space{};
  ::getrlimit(RLIMIT_AS, &space);
  const rlim_t wanted = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + memory_octets;
  space.rlim_cur = std::min(wanted, space.rlim_max);
  ::setrlimit(RLIMIT_AS, &space);
}

void write_all(int fd, const char* data, std::size_t size) noexcept {
  while (size > 0) {
    const ssize_t took = ::write(fd, data, size);
    if (took < 0 && errno == EINTR) continue;
    if (took <= 0) return;  // the parent has lost interest
    data += took;
    size -= static_cast<std::size_t>(took);
  }
}

void report(int fd, char kind, const char* text, std::size_t size) noexcept {
  write_all(fd, &kind, 1);
  write_all(fd, text, size);
  write_all(fd, &kWhole, 1);
}

[[noreturn]] void run_child(const std::function<std::string()>& work, int results, pid_t parent,
                            std::size_t memory_octets) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  constexpr int kResults = 3;
  if (results != kResults) ::dup2(results, kResults);
  ::close_range(kResults + 1, ~0U, 0);
  limit_this_process(memory_octets);
  try {
    const std::string text = work();
    report(kResults, kDone, text.data(), text.size());
  } catch (const std::bad_alloc&) {
    constexpr char kText[] = "needs more memory than it may have";
    report(kResults, kFailed, kText, sizeof kText - 1);
  } catch (const std::exception& error) {
    report(kResults, kFailed, error.what(), std::strlen(error.what()));
  } catch (...) {
    constexpr char kText[] = "unknown exception";
    report(kResults, kFailed, kText, sizeof kText - 1);
  }
  ::_exit(0);
}

std::string manner_of_death(const std::optional<int>& status) {
  if (!status) return "ended without a result";
  if (WIFSIGNALED(*status)) return "killed by signal " + std::to_string(WTERMSIG(*status));
  return "ended with status " + std::to_string(WEXITSTATUS(*status));
}

}  // namespace

ChildTask::ChildTask(const std::function<std::string()>& work, Limits limits) : deadline_{steady_now() + limits.time} {
  std::array<int, 2> ends{};
  checked(::pipe2(ends.data(), O_CLOEXEC), "pipe");
  results_ = UniqueFd{ends[0]};
  const UniqueFd child_end{ends[1]};
  ::fcntl(results_.get(), F_SETFL, O_NONBLOCK);
  const pid_t parent = ::getpid();
  child_ = checked(::fork(), "fork");
  if (child_ == 0) run_child(work, child_end.get(), parent, limits.memory_octets);
}

ChildTask::~ChildTask() { reap(); }

Duration ChildTask::time_left() const noexcept { return deadline_ - steady_now(); }

std::optional<int> ChildTask::reap() noexcept {
  if (child_ < 0) return std::nullopt;
  // A child that is ending by itself already has its status, which a late signal does not change.
  ::kill(child_, SIGKILL);
  int status = 0;
  pid_t got = -1;
  do {
    got = ::waitpid(child_, &status, 0);
  } while (got < 0 && errno == EINTR);
  const bool mine = got == child_;
  child_ = -1;
  if (!mine) return std::nullopt;
  return status;
}

void ChildTask::end(State state, std::string text) { outcome_ = Outcome{state, std::move(text)}; }

bool ChildTask::take_results() {
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = ::read(results_.get(), buffer.data(), buffer.size());
    if (got == 0) return true;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno != EAGAIN;
    if (received_.size() + static_cast<std::size_t>(got) > kLongestResult) return true;
    received_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::optional<ChildTask::Outcome> ChildTask::poll() {
  if (outcome_) return outcome_;
  if (take_results()) {
    const auto status = reap();
    const bool whole = received_.size() >= 2 && received_.back() == kWhole;
    if (whole) {
      end(received_.front() == kDone ? State::done : State::failed, received_.substr(1, received_.size() - 2));
    } else {
      end(State::died, manner_of_death(status));
    }
    received_.clear();
  } else if (time_left() <= Duration::zero()) {
    reap();
    end(State::timed_out, "took too long");
  }
  return outcome_;
}

ChildTask::Outcome ChildTask::wait(int cancel_fd) {
  for (;;) {
    if (auto outcome = poll()) return *outcome;
    std::array<pollfd, 2> watched{pollfd{results_.get(), POLLIN, 0}, pollfd{cancel_fd, POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(time_left()).count();
    ::poll(watched.data(), watched.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
    if (watched[1].revents != 0 && watched[0].revents == 0) {
      reap();
      end(State::died, "cancelled");
    }
  }
}

}  // namespace whiteowl
