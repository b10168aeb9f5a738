// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/output_file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"

using namespace whiteowl;

namespace {

struct Ends {
  UniqueFd read, write;
  explicit Ends(bool pipe) {
    std::array<int, 2> ends{};
    REQUIRE((pipe ? ::pipe2(ends.data(), O_CLOEXEC) : ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data())) == 0);
    read = UniqueFd{ends[0]};
    write = UniqueFd{ends[1]};
  }
};

const std::vector<std::uint8_t> kMuch(4'000'000, 7);

}  // namespace

TEST_CASE("a reader that does not read is never waited for, and whoever shares the descriptor notices nothing") {
  for (const bool pipe : {true, false}) {
    CAPTURE(pipe);
    const Ends ends{pipe};
    OutputFile file{ends.write.get()};
    const auto taken = file.write(kMuch);
    CHECK(taken.error == EAGAIN);
    CHECK(taken.octets > 0);
    CHECK(taken.octets < kMuch.size());
    CHECK(file.write(kMuch).error == EAGAIN);
    CHECK((::fcntl(ends.write.get(), F_GETFL) & O_NONBLOCK) == 0);
  }
}

TEST_CASE("a reader that went away is told from a device that is full, without a signal") {
  for (const bool pipe : {true, false}) {
    Ends ends{pipe};
    OutputFile file{ends.write.get()};
    { const UniqueFd closed{ends.read.release()}; }
    CHECK(file.write("text", 4).error == EPIPE);
  }
  OutputFile full{"/dev/full"};
  CHECK(full.write("text", 4).error == ENOSPC);
  OutputFile none{-1};
  CHECK(none.write("text", 4).error == EBADF);
}

TEST_CASE("a pipe takes what PIPE_BUF promises whole or not at all") {
  const Ends ends{true};
  OutputFile file{ends.write.get()};
  REQUIRE(file.whole() >= 512);  // POSIX
  const std::vector<std::uint8_t> piece(file.whole() - 1, 1);
  for (;;) {
    const auto taken = file.write(piece);
    if (taken.error != 0) {
      CHECK(taken.octets == 0);
      break;
    }
    CHECK(taken.octets == piece.size());
  }
}
