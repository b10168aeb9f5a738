// SPDX-License-Identifier: Apache-2.0
// Where octets go that leave by a descriptor: a file, a FIFO, a pipe, a terminal, standard output of any kind.
// Promise: nothing here waits for a reader.  Only a disk that is stuck holds up a write, as the kernel knows no other
// way with regular files.
//
// A pipe or terminal that we were given is opened again through /proc, so that O_NONBLOCK is ours alone: set on the
// descriptor itself it would be set for every process that shares it, such as the shell that started us.  What cannot
// be opened again is polled, and written at most PIPE_BUF at a time, which a pipe that is ready takes (pipe(7)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "whiteowl/base/fd.hpp"

namespace whiteowl {

class OutputFile {
 public:
  // A file made or emptied, or what stands there: a FIFO, a device.  Throws StartError (1): the path, why not, what to
  // do.  /dev/stdout and /dev/stderr are what we were given under these names, not emptied.
  explicit OutputFile(const std::string& path);
  // The same, and what is in the file stays there until empty().
  [[nodiscard]] static OutputFile with_its_contents(const std::string& path);
  // Where `fd` leads to, which stays the caller's.  An fd that is closed fails at the first write.
  explicit OutputFile(int fd);

  struct Taken {
    std::size_t octets = 0;
    int error = 0;  // why not more: 0 = all, EAGAIN = no room now, EPIPE = nobody reads any more, else what is wrong
  };
  [[nodiscard]] Taken write(std::span<const std::uint8_t> octets) noexcept;
  [[nodiscard]] Taken write(const char* text, std::size_t size) noexcept;
  // A write of up to so many octets is taken whole or not at all; 0 = no such promise.
  [[nodiscard]] std::size_t whole() const noexcept;
  // Takes the last `octets` back out of a regular file.  False where that cannot be.
  [[nodiscard]] bool take_back(std::size_t octets) noexcept;
  // Takes everything out of a regular file.
  void empty() noexcept;
  // 0, or what a file system that is not local has to say in the end.  Once; nothing is written afterwards.
  [[nodiscard]] int close() noexcept;

 private:
  OutputFile() = default;
  enum class Kind : std::uint8_t { regular, pipe, socket, other };
  void share(int fd);
  [[nodiscard]] Taken write_some(const std::uint8_t* octets, std::size_t size) noexcept;

  UniqueFd file_;
  Kind kind_ = Kind::other;
  bool shared_ = false;  // its O_NONBLOCK is not ours to set
};

}  // namespace whiteowl
