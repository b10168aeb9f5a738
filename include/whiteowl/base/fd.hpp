// SPDX-License-Identifier: Apache-2.0
// The two things that the kernel lends us: a descriptor and a mapping.  Move-only; given back on destruction.
#pragma once

#include <cstddef>
#include <utility>

namespace whiteowl {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) noexcept : fd_{fd} {}
  UniqueFd(UniqueFd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }  // the caller's from now on
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Whether there is something to read now; false for -1.  Never waits.
[[nodiscard]] bool is_readable(int fd) noexcept;

class Mapping {
 public:
  Mapping() = default;
  // Shared mapping of `fd` from its start.  Throws std::system_error.
  Mapping(int fd, std::size_t size);
  Mapping(Mapping&& other) noexcept
      : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)} {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping();

  [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(data_); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace whiteowl
