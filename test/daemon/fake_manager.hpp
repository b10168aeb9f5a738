// SPDX-License-Identifier: Apache-2.0
// The service manager's end of sd_notify(3): a datagram socket that NOTIFY_SOCKET names.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"

namespace whiteowl {

class FakeManager {
 public:
  FakeManager() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "whiteowl-test-" + std::to_string(::getpid());
    std::memcpy(address.sun_path + 1, name.data(), name.size());  // abstract
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    checked(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size), "bind");
    ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  FakeManager(const FakeManager&) = delete;
  FakeManager& operator=(const FakeManager&) = delete;
  ~FakeManager() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  void want_watchdog(std::uint64_t microseconds) const {
    ::setenv("WATCHDOG_USEC", std::to_string(microseconds).c_str(), 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  }
  // What it was told since the last call, a message each.
  std::vector<std::string> told() const {
    std::vector<std::string> messages;
    std::array<char, 4096> buffer{};
    for (;;) {
      const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0) return messages;
      messages.emplace_back(buffer.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  UniqueFd socket_{checked(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket")};
};

}  // namespace whiteowl
