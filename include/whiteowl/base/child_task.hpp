// SPDX-License-Identifier: Apache-2.0
// Work that may hang, loop or eat memory, done in a forked process that can be killed at any time: a thread cannot.
// For what other people's libraries do with other people's input: parsing a settings file, compiling a filter, asking a
// name server.
//
// The child is a copy of the thread that constructs the task.  It keeps the standard descriptors and closes all others,
// so it holds no packet socket or lock file open; the memory of tables and rings is not copied (MADV_DONTFORK).
// Locks that another thread held at the fork stay locked in it, so the work must not log; malloc is safe in glibc.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/base/time.hpp"

namespace whiteowl {

class ChildTask {
 public:
  struct Limits {
    Duration time;              // from the construction on, by the steady clock
    std::size_t memory_octets;  // of address space, beyond what the child begins with
  };
  enum class State : std::uint8_t { done, failed, timed_out, died };
  struct Outcome {
    State state;
    std::string text;  // done: what the work returned; failed: what() of what it threw; else what happened to the child
  };

  // Forks.  Throws std::system_error when there is no process or pipe to be had.
  ChildTask(const std::function<std::string()>& work, Limits limits);
  // Kills the child if it still runs, and waits for its end, which comes at once.
  ~ChildTask();
  ChildTask(const ChildTask&) = delete;
  ChildTask& operator=(const ChildTask&) = delete;

  // Readable when poll() has something to do.  Not for the time limit: call poll() then too.
  [[nodiscard]] int fd() const noexcept { return results_.get(); }
  // Never blocks.  Empty while the child works; the same outcome ever after.
  [[nodiscard]] std::optional<Outcome> poll();
  // Returns as soon as there is an outcome, or `cancel_fd` is readable: then the child is killed and State::died says
  // "cancelled".
  [[nodiscard]] Outcome wait(int cancel_fd = -1);

 private:
  // What a child may return: more than any settings file or filter needs, less than what hurts.
  static constexpr std::size_t kLongestResult = std::size_t{16} << 20U;

  [[nodiscard]] Duration time_left() const noexcept;
  [[nodiscard]] bool take_results();  // true at the end of them
  void end(State state, std::string text);
  // Kills the child unless it has ended, and reaps it.  Returns its wait status, or nothing when somebody else took it.
  std::optional<int> reap() noexcept;

  UniqueFd results_;
  pid_t child_ = -1;
  Duration deadline_;
  std::string received_;
  std::optional<Outcome> outcome_;
};

}  // namespace whiteowl
