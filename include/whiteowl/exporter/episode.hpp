// SPDX-License-Identifier: Apache-2.0
// What the log says of an output that fails: a line when it begins and one when it is over, at most one pair a minute
// however often that happens.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "whiteowl/base/time.hpp"

namespace whiteowl {

class Episode {
 public:
  // `subject` begins each line: "collector tcp://192.0.2.1:4739".
  explicit Episode(std::string subject) : subject_{std::move(subject)} {}

  // It fails from now on; `reason` of the first call is told, at once or when the minute is over.
  void begin(Timestamp now, const std::string& reason) noexcept;
  // It works again.  `remark` is told if the failure was; empty = nothing.
  void end(const std::string& remark) noexcept;
  // Called now and then: tells what had to wait.
  void step(Timestamp now) noexcept;
  [[nodiscard]] bool bad() const noexcept { return bad_; }

 private:
  std::string subject_, reason_;
  std::uint32_t begun_ = 0;  // since the last line
  bool bad_ = false, told_ = false;
  Timestamp told_at_{};
};

// An error that ends or spoils an output, once for each.  Logging never ends the export.
void log_failure(const std::string& line) noexcept;

}  // namespace whiteowl
