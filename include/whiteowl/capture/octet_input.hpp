// SPDX-License-Identifier: Apache-2.0
// Octets of a file or pipe through one reused buffer, or a few where other threads look at what was read.
// read() into 256 KiB that stay in the cache is several times faster than mapping the file: page faults cost more than
// the copy.  The buffer grows only for a single record that is larger than it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/capture/input_buffer.hpp"

namespace whiteowl {

class OctetInput {
 public:
  static constexpr std::size_t kBufferOctets = std::size_t{1} << 18U;

  explicit OctetInput(UniqueFd fd, std::uint32_t buffers = 1);

  // What was read and not consumed; valid until the next refill().
  [[nodiscard]] std::span<const std::uint8_t> unread() const noexcept {
    return {buffer_->octets.get() + begin_, end_ - begin_};
  }
  void consume(std::size_t octets) noexcept { begin_ += octets; }

  enum class Refill : std::uint8_t {
    more,         // at least one octet came
    nothing_yet,  // a pipe that stayed silent for 100 ms, or the wait was interrupted
    end,          // end of file
    failed,       // error() says why
  };
  // In which unread() lies.  With one buffer nobody else may hold it; of several refill() takes another one, and waits
  // until one is free.
  [[nodiscard]] InputBuffer& buffer() const noexcept { return *buffer_; }
  // Reads on, making room for `wanted` octets of unread() in all.  Throws std::bad_alloc.
  [[nodiscard]] Refill refill(std::size_t wanted);
  // From now on refill() waits no longer once this descriptor is readable; -1 = none.
  void interrupted_by(int fd) noexcept { interrupt_fd_ = fd; }
  // Of the first unread octet, from the beginning of the input.
  [[nodiscard]] std::uint64_t offset() const noexcept { return read_ - (end_ - begin_); }
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  void make_room(std::size_t wanted);
  [[nodiscard]] bool await_octets() const noexcept;
  void pause() const noexcept;
  [[nodiscard]] InputBuffer& next_buffer() noexcept;

  UniqueFd fd_;
  int interrupt_fd_ = -1;  // not ours
  bool may_block_;
  std::uint32_t count_;
  std::unique_ptr<InputBuffer[]> buffers_;
  InputBuffer* buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t read_ = 0;
  int error_ = 0;
};

}  // namespace whiteowl
