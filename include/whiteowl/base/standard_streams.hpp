// SPDX-License-Identifier: Apache-2.0
// Descriptors 0, 1 and 2 are there, whoever started us: what is opened later must not get one of their numbers, and
// then be read as input or written into by the log.
#pragma once

namespace whiteowl {

// Which of them were closed when the program began.
struct ClosedStreams {
  bool input = false, output = false, error = false;
};

// Opens the closed ones on /dev/null: 0 to read, 1 and 2 to write.
// Requires: called before anything else is opened.
// Errors: throws std::system_error where there is no /dev/null.
[[nodiscard]] ClosedStreams open_closed_streams();

}  // namespace whiteowl
