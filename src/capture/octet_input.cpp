// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/octet_input.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

OctetInput::OctetInput(UniqueFd fd, std::uint32_t buffers)
    : fd_{std::move(fd)},
      may_block_{!is_regular(fd_.get())},
      count_{buffers},
      buffers_{std::make_unique<InputBuffer[]>(buffers)},
      buffer_{&buffers_[0]} {
  for (std::uint32_t i = 0; i < count_; ++i) {
    buffers_[i].capacity = kBufferOctets;
    buffers_[i].octets = std::make_unique_for_overwrite<std::uint8_t[]>(kBufferOctets);
  }
  if (!may_block_) ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
}

void OctetInput::make_room(std::size_t wanted) {
  const std::size_t left = end_ - begin_;
  const std::uint8_t* const from = buffer_->octets.get() + begin_;
  InputBuffer& next = next_buffer();
  if (wanted > next.capacity) {
    const std::size_t larger = std::bit_ceil(wanted);
    auto octets = std::make_unique_for_overwrite<std::uint8_t[]>(larger);
    std::memcpy(octets.get(), from, left);
    next.octets = std::move(octets);
    next.capacity = larger;
  } else {
    std::memmove(next.octets.get(), from, left);
  }
  buffer_ = &next;
  begin_ = 0;
  end_ = left;
}

InputBuffer& OctetInput::next_buffer() noexcept {
  if (count_ == 1) return *buffer_;
  const auto at = static_cast<std::uint32_t>(buffer_ - buffers_.get());
  InputBuffer& next = buffers_[(at + 1) % count_];
  // They are held and let go in turn, so this one comes free first.
  next.await_free();
  return next;
}

// The one who calls must be able to stop while a pipe is silent.
bool OctetInput::await_octets() const noexcept {
  std::array<pollfd, 2> watched{pollfd{fd_.get(), POLLIN, 0}, pollfd{interrupt_fd_, POLLIN, 0}};
  return ::poll(watched.data(), watched.size(), kPatienceMilliseconds) > 0 && watched[0].revents != 0 &&
         watched[1].revents == 0;
}

// What cannot be polled, such as the kernel's log, says that it is ready and then that it has nothing.
void OctetInput::pause() const noexcept {
  pollfd interrupt{interrupt_fd_, POLLIN, 0};
  ::poll(&interrupt, 1, kPatienceMilliseconds);
}

OctetInput::Refill OctetInput::refill(std::size_t wanted) {
  make_room(std::max(wanted, end_ - begin_ + 1));
  if (may_block_ && !await_octets()) return Refill::nothing_yet;
  for (;;) {
    const ssize_t count = ::read(fd_.get(), buffer_->octets.get() + end_, buffer_->capacity - end_);
    if (count > 0) {
      end_ += static_cast<std::size_t>(count);
      read_ += static_cast<std::uint64_t>(count);
      return Refill::more;
    }
    if (count == 0) return Refill::end;
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      pause();
      return Refill::nothing_yet;
    }
    error_ = errno;
    return Refill::failed;
  }
}

}  // namespace whiteowl
