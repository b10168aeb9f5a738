// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "whiteowl/base/error.hpp"

namespace whiteowl {
namespace {

// The lowest free number is given, and those below are there already.
bool open_if_closed(int stream) {
  if (::fcntl(stream, F_GETFD) >= 0) return false;
  checked(::open("/dev/null", stream == STDIN_FILENO ? O_RDONLY : O_WRONLY), "/dev/null");
  return true;
}

}  // namespace

ClosedStreams open_closed_streams() {
  ClosedStreams closed;
  closed.input = open_if_closed(STDIN_FILENO);
  closed.output = open_if_closed(STDOUT_FILENO);
  closed.error = open_if_closed(STDERR_FILENO);
  return closed;
}

}  // namespace whiteowl
