// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/octet_input.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace whiteowl {

namespace {

constexpr int kPatienceMilliseconds = 100;

bool is_regular(int fd) noexcept {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

OctetInput::OctetInput(UniqueFd fd)
    : fd_{std::move(fd)},
      may_block_{!is_regular(fd_.get())},
      buffer_{std::make_unique_for_overwrite<std::uint8_t[]>(capacity_)} {
  if (!may_block_) ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
}

void OctetInput::make_room(std::size_t wanted) {
  const std::size_t left = end_ - begin_;
  if (wanted > capacity_) {
    const std::size_t larger = std::bit_ceil(wanted);
    auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(larger);
    std::memcpy(buffer.get(), buffer_.get() + begin_, left);
    buffer_ = std::move(buffer);
    capacity_ = larger;
  } else {
    std::memmove(buffer_.get(), buffer_.get() + begin_, left);
  }
  begin_ = 0;
  end_ = left;
}

OctetInput::Refill OctetInput::refill(std::size_t wanted) {
  make_room(std::max(wanted, end_ - begin_ + 1));
  if (may_block_) {
    // The one who calls must be able to stop while a pipe is silent.
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kPatienceMilliseconds) <= 0) return Refill::nothing_yet;
  }
  for (;;) {
    const ssize_t count = ::read(fd_.get(), buffer_.get() + end_, capacity_ - end_);
    if (count > 0) {
      end_ += static_cast<std::size_t>(count);
      read_ += static_cast<std::uint64_t>(count);
      return Refill::more;
    }
    if (count == 0) return Refill::end;
    if (errno == EAGAIN) return Refill::nothing_yet;
    if (errno != EINTR) {
      error_ = errno;
      return Refill::failed;
    }
  }
}

}  // namespace whiteowl
