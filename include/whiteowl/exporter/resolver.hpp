// SPDX-License-Identifier: Apache-2.0
// Names to addresses without waiting: a name server that does not answer must hold up neither the start nor the export.
// Each look-up is a child process that can be killed, as getaddrinfo(3) cannot be left otherwise.  There is one at most
// for a name, few in all, and after a failure none for 1 s, 2 s, 4 s ... at most 60 s.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "whiteowl/base/child_task.hpp"
#include "whiteowl/base/time.hpp"
#include "whiteowl/exporter/episode.hpp"

namespace whiteowl {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] int family() const noexcept { return storage.ss_family; }
  [[nodiscard]] bool equals(const SocketAddress& other) const noexcept;
};

// How many look-ups may run at once, for all names of the process.  Any thread.
class LookUps;
[[nodiscard]] std::shared_ptr<LookUps> make_look_ups();

class Resolver {
 public:
  // `socket_type` is SOCK_DGRAM or SOCK_STREAM; `subject` begins each line of the log.
  Resolver(std::string host, std::uint16_t port, int socket_type, const std::string& subject,
           std::shared_ptr<LookUps> look_ups);
  ~Resolver();
  Resolver(Resolver&&) noexcept;
  Resolver& operator=(Resolver&&) = delete;

  // Begins a look-up, unless one is under way, too many others are, or the last one failed a moment ago.
  void begin(Timestamp now) noexcept;
  // Called now and then: sees whether a look-up has ended.
  void step(Timestamp now) noexcept;
  // The addresses that a look-up found since the last call, in the order in which they should be tried; or empty.
  [[nodiscard]] std::vector<SocketAddress> take() noexcept;
  // An address, not a name: looking it up again gives the same.
  [[nodiscard]] bool numeric() const noexcept { return numeric_; }
  // Empty, or why the last look-up failed.
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

  // The first look-up of all of these, side by side, waiting at most `patience` in all: what takes longer, or fails
  // because the name server is not reachable now, is tried on in the background.  Throws StartError (1) for a name that
  // does not exist, or when `cancel_fd` becomes readable.
  static void resolve_at_start(std::span<Resolver> resolvers, Duration patience, int cancel_fd);

 private:
  class Slot;
  void take_result(const ChildTask::Outcome& outcome, Timestamp now);
  void fail(const std::string& reason, Timestamp now) noexcept;

  std::string subject_, host_;
  std::uint16_t port_;
  int socket_type_;
  bool numeric_ = false;
  std::shared_ptr<LookUps> look_ups_;
  std::unique_ptr<Slot> slot_;  // with the look-up that is under way
  std::vector<SocketAddress> found_;
  std::string failure_;
  bool does_not_exist_ = false;
  bool started_ = false;  // failures are told; before, they may end the start instead
  Duration back_off_{};
  Timestamp try_at_{};
  Episode trouble_;
};

}  // namespace whiteowl
