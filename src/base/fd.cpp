// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/fd.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace whiteowl {

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) ::close(fd_);
}

Mapping::Mapping(int fd, std::size_t size) : size_{size} {
  void* mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) throw std::system_error{errno, std::generic_category(), "mmap"};
  data_ = mapped;
  ::madvise(data_, size, MADV_DONTFORK);  // the ring is ours alone, a child need not map it
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace whiteowl
