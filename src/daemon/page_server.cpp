// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/page_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <list>
#include <string_view>
#include <utility>
#include <vector>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/wire.hpp"
#include "whiteowl/config/value.hpp"
#include "whiteowl/daemon/http_request.hpp"

namespace whiteowl {
namespace {

using namespace std::chrono_literals;

constexpr int kBacklog = 64;
constexpr Duration kFarewell = 1s;          // for a client that goes on talking behind its answer
constexpr Duration kNoDescriptors = 100ms;  // before the next connection is tried

Duration steady_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

std::string_view reason_of(HttpStatus status) noexcept {
  switch (status) {
    case HttpStatus::ok:
      return "OK";
    case HttpStatus::not_found:
      return "Not Found";
    case HttpStatus::method_not_allowed:
      return "Method Not Allowed";
    case HttpStatus::misdirected:
      return "Misdirected Request";
    case HttpStatus::head_too_large:
      return "Request Header Fields Too Large";
    case HttpStatus::bad_request:
      break;
  }
  return "Bad Request";
}

std::string answer_of(const HttpVerdict& verdict, const PageServer::Page& page) {
  const bool ok = verdict.status == HttpStatus::ok;
  const std::string number = std::to_string(static_cast<int>(verdict.status));
  const std::string body = ok ? page.make() : number + " " + std::string{reason_of(verdict.status)} + "\n";
  std::string text = "HTTP/1.1 " + number + " " + std::string{reason_of(verdict.status)} + "\r\n";
  text += "Content-Type: " + (ok ? page.content_type : "text/plain; charset=utf-8") + "\r\n";
  text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  if (verdict.status == HttpStatus::method_not_allowed) text += "Allow: GET, HEAD\r\n";
  text += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n";
  return verdict.head_only ? text : text + body;
}

// The socket's own end: an IPv4 address may stand in an IPv6 one.
sockaddr_storage own_address(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  checked(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  return address;
}

bool is_loopback(const sockaddr_storage& address) noexcept {
  if (address.ss_family == AF_INET) {
    const auto& own = reinterpret_cast<const sockaddr_in&>(address);
    return from_network(own.sin_addr.s_addr) >> 24U == 127;
  }
  const auto& own = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&own) || (IN6_IS_ADDR_V4MAPPED(&own) && own.s6_addr[12] == 127);
}

class Client {
 public:
  Client(UniqueFd socket, Duration until) : socket_{std::move(socket)}, until_{until} {}

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  [[nodiscard]] short wants() const noexcept { return answering() ? POLLOUT : POLLIN; }
  [[nodiscard]] Duration until() const noexcept { return until_; }

  // Goes on as far as it gets without waiting.  False when it is done with.
  [[nodiscard]] bool serve(const PageServer::Page& page, bool only_local_names, Duration now) {
    if (!answering() && !answered_ && !receive(page, only_local_names)) return false;
    if (answering()) return send(now);
    return !answered_ || drain();
  }

 private:
  [[nodiscard]] bool answering() const noexcept { return sent_ < answer_.size(); }

  // What an earlier call gave up is asked for again; anything else ends it.
  static bool only_busy() noexcept { return errno == EAGAIN || errno == EINTR; }

  bool receive(const PageServer::Page& page, bool only_local_names) {
    std::array<char, 2048> buffer;  // NOLINT: filled by recv()
    const ssize_t got = ::recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0) return false;
    if (got < 0) return only_busy();
    request_.append(buffer.data(), static_cast<std::size_t>(got));
    const std::size_t head = http_head_octets(request_);
    if (head == 0 && request_.size() <= PageServer::kMostRequestOctets) return true;
    HttpVerdict verdict{HttpStatus::head_too_large, false};
    if (head != 0 && head <= PageServer::kMostRequestOctets)
      verdict = judge_http_request(std::string_view{request_}.substr(0, head), page.path, only_local_names);
    answer_ = answer_of(verdict, page);
    request_ = {};
    return true;
  }

  bool send(Duration now) {
    const ssize_t took = ::send(fd(), answer_.data() + sent_, answer_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (took < 0) return only_busy();
    sent_ += static_cast<std::size_t>(took);
    if (answering()) return true;
    answered_ = true;
    until_ = std::min(until_, now + kFarewell);
    // Closed with octets unread, the connection would be reset, and the answer with it.
    return ::shutdown(fd(), SHUT_WR) == 0;
  }

  bool drain() {
    std::array<char, 2048> ignored;  // NOLINT: filled by recv()
    const ssize_t got = ::recv(fd(), ignored.data(), ignored.size(), MSG_DONTWAIT);
    return got > 0 || (got < 0 && only_busy());
  }

  UniqueFd socket_;
  Duration until_;
  std::string request_, answer_;
  std::size_t sent_ = 0;
  bool answered_ = false;
};

}  // namespace

UniqueFd listen_at(const std::string& address) {
  const HostPort where = parse_host_port(address);
  sockaddr_storage own{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(own);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(own);
  socklen_t size = sizeof v4;
  if (::inet_pton(AF_INET, where.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = from_network(where.port);
  } else if (::inet_pton(AF_INET6, where.host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = from_network(where.port);
    size = sizeof v6;
  } else {
    throw BadValue{address + " is not an address and a port"};
  }
  UniqueFd fd{checked(::socket(own.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket")};
  const int one = 1;
  // Connections of the process before may linger on the port.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  checked(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), size), "bind");
  checked(::listen(fd.get(), kBacklog), "listen");
  return fd;
}

class PageServer::Loop {
 public:
  Loop(UniqueFd listener, int stop, Page page)
      : listener_{std::move(listener)},
        stop_{stop},
        page_{std::move(page)},
        only_local_names_{is_loopback(own_address(listener_.get()))} {}

  void run() {
    for (;;) {
      const Duration now = steady_now();
      clients_.remove_if([now](const Client& client) { return client.until() <= now; });
      wait(now);
      if ((watched_[0].revents) != 0) return;
      serve_those_ready();
      if ((watched_[1].revents) != 0) accept_all();
    }
  }

 private:
  void wait(Duration now) {
    watched_.assign({{stop_, POLLIN, 0}, {now < accept_at_ ? -1 : listener_.get(), POLLIN, 0}});
    Duration next = now < accept_at_ ? accept_at_ : Duration::max();
    for (const Client& client : clients_) {
      watched_.push_back({client.fd(), client.wants(), 0});
      next = std::min(next, client.until());
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
    if (::poll(watched_.data(), watched_.size(), next == Duration::max() ? -1 : static_cast<int>(left)) < 0)
      std::for_each(watched_.begin(), watched_.end(), [](pollfd& one) { one.revents = 0; });
  }

  void serve_those_ready() {
    const Duration now = steady_now();
    std::size_t at = 2;
    for (auto client = clients_.begin(); client != clients_.end(); ++at) {
      const bool stays = watched_[at].revents == 0 || serve(*client, now);
      client = stays ? std::next(client) : clients_.erase(client);
    }
  }

  // No memory for an answer is one answer less.
  [[nodiscard]] bool serve(Client& client, Duration now) noexcept {
    try {
      return client.serve(page_, only_local_names_, now);
    } catch (const std::exception&) {
      return false;
    }
  }

  // As many as have come by now, so that those who come all the time do not hold up the others.
  void accept_all() {
    for (std::size_t i = 0; i < kMostClients; ++i) {
      UniqueFd socket{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
      if (!socket) {
        // Without descriptors the listener would stay readable: the oldest client gives its own.
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
          if (!clients_.empty()) clients_.pop_front();
          accept_at_ = steady_now() + kNoDescriptors;
        }
        return;
      }
      if (clients_.size() >= kMostClients) clients_.pop_front();
      clients_.emplace_back(std::move(socket), steady_now() + kPatience);
    }
  }

  UniqueFd listener_;
  int stop_;
  Page page_;
  bool only_local_names_;
  std::list<Client> clients_;  // in the order of their coming
  std::vector<pollfd> watched_;
  Duration accept_at_{};
};

PageServer::PageServer(UniqueFd listener, Page page)
    : stop_{checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")} {
  const sockaddr_storage own = own_address(listener.get());
  // The port stands at the same place in both families.
  port_ = from_network(reinterpret_cast<const sockaddr_in&>(own).sin_port);
  loop_ = std::make_unique<Loop>(std::move(listener), stop_.get(), std::move(page));
  // Signals are for the threads that were there before.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread{[this] { loop_->run(); }};
  } catch (...) {
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_setname_np(thread_.native_handle(), "metrics");
}

PageServer::~PageServer() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

}  // namespace whiteowl
