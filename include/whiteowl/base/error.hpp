// SPDX-License-Identifier: Apache-2.0
// Failures before the probe is ready.  Thrown, caught once in main, printed as one line; each knows its exit status.
// Never thrown on the packet path or the export path, where loss is counted instead.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include "whiteowl/base/text.hpp"

namespace whiteowl {

// Exit statuses: sysexits(3) where it has a name, 2 as Go's flag package.
enum class ExitStatus : int { ok = 0, failure = 1, usage = 2, no_permission = 77, configuration = 78 };

// `what()` is the whole line for the user: what is wrong, where, and what to do.  No newline in it.
class StartError : public std::runtime_error {
 public:
  StartError(ExitStatus status, const std::string& line) : std::runtime_error{one_line(line)}, status_{status} {}
  [[nodiscard]] ExitStatus status() const noexcept { return status_; }

 private:
  ExitStatus status_;
};

// Passes a system call's result on, or throws std::system_error saying what was attempted: checked(socket(...),
// "socket").
template <typename Result>
Result checked(Result result, const char* attempted) {
  if (result < 0) throw std::system_error{errno, std::generic_category(), attempted};
  return result;
}

}  // namespace whiteowl
