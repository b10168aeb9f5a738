// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/octet_input.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "support/capture_file.hpp"

using namespace whiteowl;
using Refill = OctetInput::Refill;

namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> fds{};
    REQUIRE(::pipe(fds.data()) == 0);
    reading = UniqueFd{fds[0]};
    writing = UniqueFd{fds[1]};
  }
  UniqueFd reading, writing;
};

}  // namespace

TEST_CASE("a silent pipe is reported after a moment, and read on when it speaks") {
  Pipe pipe;
  OctetInput input{std::move(pipe.reading)};
  CHECK(input.refill(4) == Refill::nothing_yet);
  REQUIRE(::write(pipe.writing.get(), "abcd", 4) == 4);
  CHECK(input.refill(4) == Refill::more);
  CHECK(input.unread().size() == 4);
  pipe.writing = UniqueFd{};
  CHECK(input.refill(8) == Refill::end);
  CHECK(input.unread().size() == 4);
}

TEST_CASE("the buffer grows for one large record and offsets go on counting") {
  test::Octets content(OctetInput::kBufferOctets * 3);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::uint8_t>(i % 251);
  const test::TemporaryFile file{content};
  OctetInput input{UniqueFd{::open(file.path().c_str(), O_RDONLY)}};
  while (input.unread().size() < 10) REQUIRE(input.refill(10) == Refill::more);
  input.consume(10);
  CHECK(input.offset() == 10);
  const std::size_t wanted = OctetInput::kBufferOctets * 2;
  while (input.unread().size() < wanted) REQUIRE(input.refill(wanted) == Refill::more);
  CHECK(input.offset() == 10);
  CHECK(input.unread()[0] == 10);
  CHECK(input.unread()[wanted - 1] == (wanted + 9) % 251);
  input.consume(wanted);
  CHECK(input.offset() == wanted + 10);
}

TEST_CASE("a directory cannot be read and the error is kept") {
  OctetInput input{UniqueFd{::open("/", O_RDONLY | O_DIRECTORY)}};
  CHECK(input.refill(4) == Refill::failed);
  CHECK(input.error() == EISDIR);
}
