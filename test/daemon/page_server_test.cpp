// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/page_server.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "support/loopback.hpp"
#include "whiteowl/base/error.hpp"

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

PageServer server_of(const std::string& text) {
  return PageServer{listen_at("127.0.0.1"), {"/page", "text/plain", [text] { return text; }}};
}

UniqueFd client_of(const PageServer& server) {
  UniqueFd socket{checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(server.port());
  checked(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect");
  return socket;
}

void say(const UniqueFd& socket, const std::string& text) {
  REQUIRE(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

std::string heard(const UniqueFd& socket, int milliseconds = 4000) {
  const auto octets = LoopbackSocket::drain(socket.get(), milliseconds);
  return {octets.begin(), octets.end()};
}

const std::string kRequest = "GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n";

}  // namespace

TEST_CASE("a request gets the page with its length, and a HEAD the same without it") {
  const auto server = server_of("content\n");
  const UniqueFd get = client_of(server), head = client_of(server);
  say(get, kRequest);
  say(head, "HEAD /page HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const std::string whole = heard(get), without = heard(head);
  CHECK(whole.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(whole.find("\r\nContent-Length: 8\r\n") != std::string::npos);
  CHECK(whole.ends_with("\r\n\r\ncontent\n"));
  CHECK(without + "content\n" == whole);
}

TEST_CASE("a stranger's page whose name points here gets nothing") {
  const auto server = server_of("content\n");
  const UniqueFd socket = client_of(server);
  say(socket, "GET /page HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  const std::string answer = heard(socket);
  CHECK(answer.starts_with("HTTP/1.1 421 "));
  CHECK(answer.find("content") == std::string::npos);
}

TEST_CASE("more half requests than the server holds do not keep anybody from the page") {
  const auto server = server_of("content\n");
  std::vector<UniqueFd> slow;
  for (std::size_t i = 0; i < 2 * PageServer::kMostClients; ++i) {
    say(slow.emplace_back(client_of(server)), "GET /page HT");
    const UniqueFd quick = client_of(server);
    const auto begun = std::chrono::steady_clock::now();
    say(quick, kRequest);
    CHECK(heard(quick).ends_with("content\n"));
    CHECK(std::chrono::steady_clock::now() - begun < 1s);
  }
  // The one that has waited longest made room.
  CHECK(heard(slow.front()).empty());
  CHECK_FALSE(LoopbackSocket::readable(slow.back().get(), 0));
}

TEST_CASE("a request that goes on octet by octet has its time as a whole") {
  const auto server = server_of("content\n");
  const UniqueFd socket = client_of(server);
  const auto begun = std::chrono::steady_clock::now();
  bool closed = false;
  while (!closed && std::chrono::steady_clock::now() - begun < 3 * PageServer::kPatience) {
    closed = ::send(socket.get(), "G", 1, MSG_NOSIGNAL) < 0 || LoopbackSocket::readable(socket.get(), 100);
  }
  CHECK(closed);
  CHECK(std::chrono::steady_clock::now() - begun < PageServer::kPatience + 2s);
}

TEST_CASE("a request without end is refused where its head grows too large") {
  const auto server = server_of("content\n");
  const UniqueFd socket = client_of(server);
  const std::string more(1024, 'x');
  for (std::size_t sent = 0; sent <= PageServer::kMostRequestOctets; sent += more.size()) say(socket, more);
  CHECK(heard(socket).starts_with("HTTP/1.1 431 "));
}

TEST_CASE("a client that does not read its page keeps nobody waiting, and the server ends with it there") {
  const auto server = server_of(std::string(std::size_t{16} << 20U, 'x'));
  const UniqueFd deaf = client_of(server), other = client_of(server);
  say(deaf, kRequest);
  REQUIRE(LoopbackSocket::readable(deaf.get(), 4000));
  say(other, "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(heard(other).starts_with("HTTP/1.1 404 "));
}
