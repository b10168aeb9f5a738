// SPDX-License-Identifier: Apache-2.0
// Collectors on the loopback interface: sockets on a port that the kernel chooses.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "whiteowl/base/fd.hpp"

namespace whiteowl {

class LoopbackSocket {
 public:
  // Of SOCK_DGRAM or SOCK_STREAM (listening), at `port` or one that is free.
  explicit LoopbackSocket(int type, std::uint16_t port = 0) : fd_{::socket(AF_INET, type | SOCK_CLOEXEC, 0)} {
    const int one = 1;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    const int room = 1 << 22;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    if (type == SOCK_STREAM) REQUIRE(::listen(fd_.get(), 4) == 0);
    socklen_t size = sizeof address;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string host_and_port() const { return "127.0.0.1:" + std::to_string(port_); }

  // A datagram, or nothing when none comes within `milliseconds`.
  [[nodiscard]] std::vector<std::uint8_t> receive(int milliseconds) const {
    std::vector<std::uint8_t> bytes;
    if (!readable(fd_.get(), milliseconds)) return bytes;
    bytes.resize(65536);
    const ssize_t got = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return bytes;
  }
  [[nodiscard]] UniqueFd accept(int milliseconds) const {
    return readable(fd_.get(), milliseconds) ? UniqueFd{::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)}
                                             : UniqueFd{};
  }
  static bool readable(int fd, int milliseconds) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, milliseconds) > 0;
  }
  // What a connection holds until its end, or until nothing comes for `milliseconds`.
  static std::vector<std::uint8_t> drain(int fd, int milliseconds) {
    std::vector<std::uint8_t> all;
    std::vector<std::uint8_t> buffer(65536);
    while (readable(fd, milliseconds)) {
      const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) break;
      all.insert(all.end(), buffer.begin(), buffer.begin() + got);
    }
    return all;
  }

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

}  // namespace whiteowl
