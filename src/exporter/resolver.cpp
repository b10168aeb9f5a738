// SPDX-License-Identifier: Apache-2.0
// getaddrinfo(3) in a thread of its own, which is left behind when it hangs.
#include "whiteowl/exporter/resolver.hpp"

#include <netdb.h>

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "whiteowl/base/error.hpp"

namespace whiteowl {

struct Resolver::Query {
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  int error = 0;  // of getaddrinfo
  std::vector<SocketAddress> addresses;
};

namespace {

int look_up(const std::string& host, std::uint16_t port, int socket_type, int flags,
            std::vector<SocketAddress>& addresses) {
  addrinfo hints{};
  hints.ai_socktype = socket_type;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return error;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    SocketAddress address;
    address.size = one->ai_addrlen;
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    addresses.push_back(address);
  }
  ::freeaddrinfo(found);
  return 0;
}

bool does_not_exist(int error) { return error == EAI_NONAME || error == EAI_NODATA || error == EAI_FAIL; }

}  // namespace

bool SocketAddress::equals(const SocketAddress& other) const noexcept {
  return size == other.size && std::memcmp(&storage, &other.storage, size) == 0;
}

Resolver::Resolver(std::string host, std::uint16_t port, int socket_type)
    : host_{std::move(host)}, port_{port}, socket_type_{socket_type} {
  std::vector<SocketAddress> addresses;
  numeric_ = look_up(host_, port_, socket_type_, AI_NUMERICHOST, addresses) == 0;
}

std::vector<SocketAddress> Resolver::resolve_at_start(Duration patience, const std::string& collector) {
  begin();
  if (query_ == nullptr) return {};
  const std::shared_ptr<Query> query = query_;
  std::unique_lock lock{query->mutex};
  if (!query->ended.wait_for(lock, patience, [&] { return query->done; })) return {};
  if (does_not_exist(query->error)) {
    throw StartError{ExitStatus::failure, "collector \"" + collector + "\": cannot find the host \"" + host_ +
                                              "\": " + ::gai_strerror(query->error)};
  }
  lock.unlock();
  return take();
}

void Resolver::begin() noexcept {
  if (query_ != nullptr) return;
  try {
    auto query = std::make_shared<Query>();
    if (numeric_) {
      query->error = look_up(host_, port_, socket_type_, AI_NUMERICHOST, query->addresses);
      query->done = true;
    } else {
      std::thread{[query, host = host_, port = port_, type = socket_type_] {
        std::vector<SocketAddress> addresses;
        const int error = look_up(host, port, type, 0, addresses);
        const std::lock_guard lock{query->mutex};
        query->error = error;
        query->addresses = std::move(addresses);
        query->done = true;
        query->ended.notify_all();
      }}.detach();
    }
    query_ = std::move(query);
  } catch (const std::exception&) {
    // No thread to be had now: the caller asks again later.
  }
}

std::vector<SocketAddress> Resolver::take() noexcept {
  if (query_ == nullptr) return {};
  std::vector<SocketAddress> addresses;
  {
    const std::lock_guard lock{query_->mutex};
    if (!query_->done) return {};
    addresses = std::move(query_->addresses);
  }
  query_.reset();
  return addresses;
}

}  // namespace whiteowl
