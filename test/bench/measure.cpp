// SPDX-License-Identifier: Apache-2.0
// Runs a command and says what it cost: processor time of it and of every process that it left behind, wall time, and
// the largest resident set (of several processes: their sum).  A program of its own and small, because a child inherits
// the peak of whoever starts it.
//   bench_measure RESULT LIMIT_S COMMAND...     one line of JSON into the file RESULT
//   bench_measure --touch MIB                   touches so much memory and gives it back
// Exit status: the command's; 124 when it was stopped after LIMIT_S seconds.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace {

struct Cost {
  double user_s = 0, system_s = 0;
  long peak_kib = 0;
  int status = 0;
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

pid_t start(char** command) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execvp(command[0], command);
  std::perror(command[0]);
  ::_exit(127);
}

// Everybody who is left is reaped here, because this process is their reaper; `deadline` ends them.
Cost wait_for_all(pid_t child, std::chrono::steady_clock::time_point deadline, const sigset_t& child_ended) {
  Cost cost;
  for (;;) {
    int status = 0;
    rusage used{};
    const pid_t ended = ::wait4(-1, &status, WNOHANG, &used);
    if (ended < 0) return cost;  // nobody is left
    if (ended == 0) {
      const auto left = deadline - std::chrono::steady_clock::now();
      if (left.count() <= 0) {
        cost.status = 124;
        ::kill(-child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        return cost;
      }
      const auto s = std::chrono::duration_cast<std::chrono::seconds>(left);
      const timespec wait{s.count(), std::chrono::nanoseconds{left - s}.count()};
      ::sigtimedwait(&child_ended, nullptr, &wait);
      continue;
    }
    cost.user_s += seconds(used.ru_utime);
    cost.system_s += seconds(used.ru_stime);
    cost.peak_kib += used.ru_maxrss;
    if (ended == child) cost.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}

// A virtual machine's memory that nobody used for some seconds may have gone back to the host, and whoever touches it
// first pays for each page up to twenty times what clearing costs: chance would decide which contender that is.
int touch(std::size_t octets) {
  void* memory = ::mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return 1;
  ::madvise(memory, octets, MADV_HUGEPAGE);
  for (std::size_t at = 0; at < octets; at += 4096) static_cast<volatile char*>(memory)[at] = 1;
  return 0;
}

}  // namespace

int main(int count, char** words) {
  if (count == 3 && std::string_view{words[1]} == "--touch")
    return touch(static_cast<std::size_t>(std::atol(words[2])) << 20U);
  if (count < 4) {
    std::fputs("bench_measure RESULT LIMIT_S COMMAND... | --touch MIB\n", stderr);
    return 2;
  }
  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child_ended, nullptr);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // nobody would read the result
  const auto begin = std::chrono::steady_clock::now();
  const pid_t child = start(words + 3);
  if (child < 0) {
    std::perror("fork");
    return 1;
  }
  const Cost cost = wait_for_all(child, begin + std::chrono::seconds{std::atol(words[2])}, child_ended);
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::FILE* result = std::fopen(words[1], "w");
  if (result == nullptr) {
    std::perror(words[1]);
    return 1;
  }
  std::fprintf(result, "{\"user_s\": %.6f, \"system_s\": %.6f, \"wall_s\": %.6f, \"peak_kib\": %ld, \"status\": %d}\n",
               cost.user_s, cost.system_s, wall, cost.peak_kib, cost.status);
  std::fclose(result);
  return cost.status;
}
