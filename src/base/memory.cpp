// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/memory.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <new>

namespace whiteowl {

namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20U;
constexpr std::size_t kPage = 4096;
}  // namespace

// Small tables stay on small pages: rounding each up to 2 MiB would cost more than the misses it saves.
ZeroedMemory::ZeroedMemory(std::size_t size, Prefault prefault, Access access)
    : size_{size}, page_{size >= kHugePage && access == Access::random ? kHugePage : kPage} {
  const std::size_t alignment = page_;
  mapped_ = taken() + alignment;
  mapping_ = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping_ == MAP_FAILED) throw std::bad_alloc{};
  const auto address = reinterpret_cast<std::uintptr_t>(mapping_);
  data_ = reinterpret_cast<void*>((address + alignment - 1) / alignment * alignment);
  if (alignment == kHugePage)
    ::madvise(data_, mapped_ - alignment, MADV_HUGEPAGE);  // a wish: kernels without it serve small pages
  // A child process has no use for it, and while it lived every write of ours would copy a page.
  ::madvise(mapping_, mapped_, MADV_DONTFORK);
  if (prefault == Prefault::yes) {
    for (std::size_t at = 0; at < size; at += kPage) *(static_cast<volatile char*>(data_) + at) = 0;
  }
}

std::size_t ZeroedMemory::taken() const noexcept { return (size_ + page_ - 1) / page_ * page_; }

void ZeroedMemory::clear() noexcept {
  // Locked pages cannot be given back.
  if (::madvise(data_, size_, MADV_DONTNEED) != 0) std::memset(data_, 0, size_);
}

ZeroedMemory::~ZeroedMemory() { ::munmap(mapping_, mapped_); }

}  // namespace whiteowl
