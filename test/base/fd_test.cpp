// SPDX-License-Identifier: Apache-2.0
// Descriptors and mappings: owned once, given back once.
#include "whiteowl/base/fd.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <system_error>
#include <utility>

using namespace whiteowl;

namespace {
bool open_in_kernel(int fd) { return ::fcntl(fd, F_GETFD) != -1; }
}  // namespace

TEST_CASE("a descriptor is closed with its owner and not before") {
  int fd = -1;
  {
    UniqueFd first{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    fd = first.get();
    REQUIRE(fd >= 0);
    const UniqueFd second{std::move(first)};
    CHECK(second.get() == fd);
    CHECK(open_in_kernel(fd));
  }
  CHECK_FALSE(open_in_kernel(fd));
}

TEST_CASE("a descriptor is readable when there is something to read, and none at all never is") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd out{ends[0]}, in{ends[1]};
  CHECK_FALSE(is_readable(out.get()));
  REQUIRE(::write(in.get(), "x", 1) == 1);
  CHECK(is_readable(out.get()));
  CHECK_FALSE(is_readable(-1));
}

TEST_CASE("an empty descriptor says so") {
  const UniqueFd none;
  CHECK_FALSE(static_cast<bool>(none));
  CHECK(none.get() == -1);
}

TEST_CASE("a mapping shows the octets of its descriptor") {
  const UniqueFd file{::memfd_create("mapping", MFD_CLOEXEC)};
  REQUIRE(::ftruncate(file.get(), 8192) == 0);
  Mapping mapping{file.get(), 8192};
  mapping.data()[4096] = std::byte{0x5A};
  std::byte seen{};
  REQUIRE(::pread(file.get(), &seen, 1, 4096) == 1);
  CHECK(seen == std::byte{0x5A});

  const Mapping other{std::move(mapping)};
  CHECK(other.size() == 8192);
  CHECK(other.data()[4096] == std::byte{0x5A});
}

TEST_CASE("a mapping of nothing throws and says what was attempted") {
  try {
    const Mapping mapping{-1, 4096};
    FAIL("mapped nothing");
  } catch (const std::system_error& error) {
    CHECK(error.code().value() == EBADF);
  }
}
