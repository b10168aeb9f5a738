// SPDX-License-Identifier: Apache-2.0
// Names to addresses without waiting: a name server that does not answer must hold up neither the start nor the export.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "whiteowl/base/time.hpp"

namespace whiteowl {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] int family() const noexcept { return storage.ss_family; }
  [[nodiscard]] bool equals(const SocketAddress& other) const noexcept;
};

class Resolver {
 public:
  // `socket_type` is SOCK_DGRAM or SOCK_STREAM.
  Resolver(std::string host, std::uint16_t port, int socket_type);

  // The first look-up, waiting at most `patience` for it.  Empty when it takes longer or the name server is not
  // reachable now: it goes on in the background.  Throws StartError (1) for a name that does not exist.
  [[nodiscard]] std::vector<SocketAddress> resolve_at_start(Duration patience, const std::string& collector);
  // Begins a look-up in the background unless one is under way.
  void begin() noexcept;
  // The addresses once a look-up has ended, in the order in which they should be tried; else, or if it failed, empty.
  [[nodiscard]] std::vector<SocketAddress> take() noexcept;
  // An address, not a name: looking it up again gives the same.
  [[nodiscard]] bool numeric() const noexcept { return numeric_; }

 private:
  struct Query;
  std::string host_;
  std::uint16_t port_;
  int socket_type_;
  bool numeric_ = false;
  std::shared_ptr<Query> query_;  // shared with the thread that may hang in it
};

}  // namespace whiteowl
