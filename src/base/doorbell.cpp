// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/doorbell.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <chrono>
#include <ctime>

#include "whiteowl/base/error.hpp"

namespace whiteowl {

Doorbell::Doorbell() : event_{checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")} {}

void Doorbell::wait(Duration longest) noexcept {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(longest);
  const timespec timeout{static_cast<std::time_t>(seconds.count()), static_cast<long>((longest - seconds).count())};
  pollfd bell{event_.get(), POLLIN, 0};
  waiting_.store(true, std::memory_order_relaxed);
  ::ppoll(&bell, 1, &timeout, nullptr);
  waiting_.store(false, std::memory_order_relaxed);
  eventfd_t rung = 0;
  if (bell.revents != 0) ::eventfd_read(event_.get(), &rung);
}

void Doorbell::ring() noexcept { ::eventfd_write(event_.get(), 1); }

}  // namespace whiteowl
