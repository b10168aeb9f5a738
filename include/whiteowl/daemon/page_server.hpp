// SPDX-License-Identifier: Apache-2.0
// One page over HTTP, by one thread.
// Promise: whoever asks gets an answer within a round of the loop, whatever others do or leave undone: no client is
// waited for, each has its time as a whole, and the one that has been here longest makes room for a new one.  The page
// is made when somebody asks for it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/base/time.hpp"

namespace whiteowl {

// Listens at ADDRESS:PORT.  Throws BadValue, std::system_error.
[[nodiscard]] UniqueFd listen_at(const std::string& address);

class PageServer {
 public:
  static constexpr std::size_t kMostClients = 32;
  static constexpr std::size_t kMostRequestOctets = 8192;
  static constexpr Duration kPatience = std::chrono::seconds{5};  // for a client from its coming to its going

  struct Page {
    std::string path;
    std::string content_type;
    std::function<std::string()> make;  // called by the server's thread
  };

  // Throws std::system_error.
  PageServer(UniqueFd listener, Page page);
  ~PageServer();
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  class Loop;

  UniqueFd stop_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Loop> loop_;
  std::thread thread_;
};

}  // namespace whiteowl
