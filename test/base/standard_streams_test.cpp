// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/standard_streams.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace whiteowl;

namespace {

bool is_null_device(int fd, int access) {
  struct stat is {
  }, null{};
  return ::fstat(fd, &is) == 0 && ::stat("/dev/null", &null) == 0 && is.st_rdev == null.st_rdev &&
         (::fcntl(fd, F_GETFL) & O_ACCMODE) == access;
}

// In a child, which has nothing else to lose: bit n of `which` closes descriptor n.
bool holds_for(unsigned which) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (int fd = 0; fd < 3; ++fd) {
      if ((which >> static_cast<unsigned>(fd) & 1U) != 0) ::close(fd);
    }
    const ClosedStreams closed = open_closed_streams();
    const bool said = closed.input == ((which & 1U) != 0) && closed.output == ((which & 2U) != 0) &&
                      closed.error == ((which & 4U) != 0);
    bool opened = true;
    for (int fd = 0; fd < 3; ++fd) {
      if ((which >> static_cast<unsigned>(fd) & 1U) != 0)
        opened = opened && is_null_device(fd, fd == 0 ? O_RDONLY : O_WRONLY);
    }
    ::_exit(said && opened && ::dup(0) > 2 ? 0 : 1);
  }
  int status = 1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

TEST_CASE("whichever of the descriptors 0 to 2 were closed, all three are there and the next one is none of them") {
  for (unsigned which = 0; which < 8; ++which) {
    CAPTURE(which);
    CHECK(holds_for(which));
  }
}
