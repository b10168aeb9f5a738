// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/transports.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "support/command.hpp"
#include "support/loopback.hpp"
#include "whiteowl/base/error.hpp"

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

constexpr Timestamp kNow{1'700'000'000s};
const std::vector<std::uint8_t> kMessage(100, 7);

// Octets that are there now.
std::size_t read_all(int fd) {
  std::array<std::uint8_t, 65536> buffer{};
  std::size_t all = 0;
  for (ssize_t got = 0; (got = ::read(fd, buffer.data(), buffer.size())) > 0;) all += static_cast<std::size_t>(got);
  return all;
}

void reset(UniqueFd connection) {
  const linger at_once{1, 0};
  ::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace

TEST_CASE("a UDP message arrives as one datagram, and its size keeps to the MTU") {
  const LoopbackSocket collector{SOCK_DGRAM};
  ExporterSettings settings;
  const auto transport = make_transport("udp://" + collector.host_and_port(), settings);
  CHECK(transport->session() == 1);
  CHECK_FALSE(transport->reliable());
  CHECK(transport->max_message() == 1500 - 28);  // the loopback's 65536 is more than collectors read
  CHECK(transport->send(kMessage, kNow) == SendResult::sent);
  CHECK(collector.receive(2000) == kMessage);
  settings.mtu = 9000;
  CHECK(make_transport(collector.host_and_port(), settings)->max_message() == 9000 - 28);
  settings.mtu = 100;
  CHECK(make_transport(collector.host_and_port(), settings)->max_message() == 512);
  settings.mtu = 4'000'000'000;
  CHECK(make_transport(collector.host_and_port(), settings)->max_message() == 65'507);
  settings.mtu = 1280;
  CHECK(make_transport("[::1]:9", settings)->max_message() == 1280 - 48);
}

TEST_CASE("a closed UDP port is noticed, and the first message after it opens is not lost") {
  std::uint16_t port = 0;
  std::optional<LoopbackSocket> collector;
  collector.emplace(SOCK_DGRAM);
  port = collector->port();
  const auto transport = make_transport(collector->host_and_port(), ExporterSettings{});
  CHECK(transport->send(kMessage, kNow) == SendResult::sent);
  CHECK_FALSE(collector->receive(2000).empty());
  CHECK_FALSE(transport->take_refusal());
  collector.reset();
  CHECK(transport->send(kMessage, kNow) == SendResult::sent);  // meets the closed port
  CHECK(transport->send(kMessage, kNow) == SendResult::sent);  // is told of it and goes out all the same
  CHECK(transport->take_refusal());
  CHECK_FALSE(transport->take_refusal());
  collector.emplace(SOCK_DGRAM, port);
  CHECK(transport->send(kMessage, kNow) == SendResult::sent);
  CHECK(collector->receive(2000) == kMessage);
  CHECK(transport->session() == 1);
}

TEST_CASE("a host name is resolved, and one that does not exist ends the start") {
  const LoopbackSocket collector{SOCK_DGRAM};
  // A Debian that nobody has installed yet has no /etc/hosts.
  if (!test::output_of("getent ahosts localhost").empty()) {
    const auto transport = make_transport("localhost:" + std::to_string(collector.port()), ExporterSettings{});
    CHECK(transport->session() >= 1);
  } else {
    MESSAGE("skipped: nothing here knows the name localhost");
  }
  try {
    // Reserved never to exist (RFC 6761 6.4).  Without a name server the answer is "later", which is no failure.
    const auto none = make_transport("no-such-host.invalid", ExporterSettings{});
    CHECK(none->session() == 0);
    CHECK(none->send(kMessage, kNow) == SendResult::busy);
  } catch (const StartError& error) {
    CHECK(error.status() == ExitStatus::failure);
    CHECK(std::string{error.what()}.find("no-such-host.invalid") != std::string::npos);
  }
}

TEST_CASE("TCP connects, notices the end of the session and comes back after a pause that grows") {
  std::optional<LoopbackSocket> collector;
  collector.emplace(SOCK_STREAM);
  const std::uint16_t port = collector->port();
  const auto transport = make_transport("tcp://" + collector->host_and_port(), ExporterSettings{});
  CHECK(transport->reliable());
  Timestamp now = kNow;
  for (int i = 0; i < 100 && transport->session() == 0; ++i) {
    transport->step(now);
    ::usleep(1000);
  }
  REQUIRE(transport->session() == 1);
  UniqueFd connection = collector->accept(2000);
  REQUIRE(connection);
  CHECK(transport->send(kMessage, now) == SendResult::sent);
  std::vector<std::uint8_t> got(100);
  CHECK(::recv(connection.get(), got.data(), got.size(), MSG_WAITALL) == 100);
  CHECK(got == kMessage);
  collector.reset();
  { const UniqueFd closed = std::move(connection); }
  ::usleep(10'000);
  transport->step(now);
  CHECK(transport->send(kMessage, now) == SendResult::busy);  // not taken: it may go to the next session
  for (int i = 0; i < 700; ++i) transport->step(now += 100ms);
  CHECK(transport->session() == 1);
  collector.emplace(SOCK_STREAM, port);
  for (int i = 0; i < 310 && transport->session() == 1; ++i) transport->step(now += 100ms);
  CHECK(transport->session() == 2);
  CHECK(transport->send(kMessage, now) == SendResult::sent);
}

TEST_CASE("what a full TCP socket does not take whole follows later and nothing is mixed up") {
  const LoopbackSocket collector{SOCK_STREAM};
  const auto transport = make_transport("tcp://" + collector.host_and_port(), ExporterSettings{});
  Timestamp now = kNow;
  for (int i = 0; i < 100 && transport->session() == 0; ++i) {
    transport->step(now);
    ::usleep(1000);
  }
  const UniqueFd connection = collector.accept(2000);
  REQUIRE(connection);
  std::vector<std::uint8_t> expected, got;
  std::vector<std::uint8_t> buffer(65536);
  std::uint8_t next = 0;
  bool was_busy = false;
  for (int i = 0; i < 4000 && expected.size() < 40'000'000; ++i) {
    const std::vector<std::uint8_t> message(TcpTransport::kMaxMessage, next);
    const SendResult result = transport->send(message, now);
    if (result == SendResult::sent) {
      expected.insert(expected.end(), message.begin(), message.end());
      ++next;
      continue;
    }
    was_busy = true;
    const ssize_t size = ::recv(connection.get(), buffer.data(), buffer.size(), 0);
    got.insert(got.end(), buffer.begin(), buffer.begin() + size);
  }
  CHECK(was_busy);
  while (got.size() < expected.size()) {
    transport->step(now);
    if (!LoopbackSocket::readable(connection.get(), 1000)) break;
    const ssize_t size = ::recv(connection.get(), buffer.data(), buffer.size(), 0);
    got.insert(got.end(), buffer.begin(), buffer.begin() + size);
  }
  for (int i = 0; i < 2000 && transport->outstanding().octets != 0; ++i) ::usleep(1000);
  CHECK(transport->outstanding().octets == 0);
  CHECK(got == expected);
}

TEST_CASE("a collector that accepts and resets is tried less and less often, and what it had not taken is lost") {
  const LoopbackSocket collector{SOCK_STREAM};
  const auto transport = make_transport("tcp://" + collector.host_and_port(), ExporterSettings{});
  const std::vector<std::uint8_t> message(TcpTransport::kMaxMessage, 1);
  Timestamp now = kNow;
  std::uint64_t seen = 0;
  for (int i = 0; i < 1200; ++i) {  // two minutes
    transport->step(now += 100ms);
    UniqueFd connection = collector.accept(0);
    if (!connection) continue;
    for (int tries = 0; tries < 100 && transport->session() == seen; ++tries) transport->step(now);
    REQUIRE(transport->session() == ++seen);
    std::uint64_t sent = 0;
    while (transport->send(message, now) == SendResult::sent) sent += message.size();
    CHECK_FALSE(transport->outstanding().lost);
    reset(std::move(connection));
    for (int tries = 0; tries < 1000 && !transport->outstanding().lost; ++tries) {
      transport->step(now);
      ::usleep(1000);
    }
    const auto after = transport->outstanding();
    CHECK(after.lost);
    CHECK(after.octets > 0);  // more than the socket of one who does not read has room for
    CHECK(after.octets < sent);
  }
  CHECK(seen >= 4);
  CHECK(seen <= 8);  // after 0, 1, 3, 7, 15, 31, 61 and 91 s
}

TEST_CASE("a file is emptied at start and holds the messages one after another") {
  const auto path = std::filesystem::temp_directory_path() / ("whiteowl_file_test_" + std::to_string(::getpid()));
  std::ofstream{path} << "old";
  {
    const auto transport = make_transport("file://" + path.string(), ExporterSettings{});
    CHECK(transport->send(kMessage, kNow) == SendResult::sent);
    CHECK(transport->send(kMessage, kNow) == SendResult::sent);
  }
  CHECK(std::filesystem::file_size(path) == 2 * kMessage.size());
  std::filesystem::remove(path);
}

TEST_CASE("a file that cannot be written ends the start, one that fills up loses whole messages only") {
  CHECK_THROWS_AS(static_cast<void>(make_transport("file:///no/such/directory/flows.ipfix", ExporterSettings{})),
                  StartError);
  CHECK(make_transport("file:///dev/full", ExporterSettings{})->send(kMessage, kNow) == SendResult::lost);

  const auto path = std::filesystem::temp_directory_path() / ("whiteowl_full_test_" + std::to_string(::getpid()));
  const auto transport = make_transport("file://" + path.string(), ExporterSettings{});
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{250, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &tight);
  CHECK(transport->send(kMessage, kNow) == SendResult::sent);
  CHECK(transport->send(kMessage, kNow) == SendResult::sent);
  CHECK(transport->send(kMessage, kNow) == SendResult::lost);
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK(std::filesystem::file_size(path) == 200);
  CHECK(transport->send(kMessage, kNow) == SendResult::lost);  // not asked again at once
  CHECK(transport->send(kMessage, kNow + 1s) == SendResult::sent);
  CHECK(std::filesystem::file_size(path) == 300);
  CHECK(transport->failed());
  std::signal(SIGXFSZ, old_handler);
  std::filesystem::remove(path);
}

TEST_CASE("a FIFO needs a reader at the start, never waits for it, and gets whole messages") {
  const auto path = std::filesystem::temp_directory_path() / ("whiteowl_fifo_test_" + std::to_string(::getpid()));
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const std::string uri = "file://" + path.string();
  try {
    static_cast<void>(make_transport(uri, ExporterSettings{}));
    FAIL("opened without a reader");
  } catch (const StartError& error) {
    CHECK(std::string{error.what()}.find("nobody reads") != std::string::npos);
  }
  const UniqueFd reader{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  const auto transport = make_transport(uri, ExporterSettings{});
  const std::vector<std::uint8_t> message(transport->max_message() - 1, 7);
  std::size_t sent = 0;
  while (transport->send(message, kNow) == SendResult::sent) ++sent;
  CHECK(transport->send(message, kNow) == SendResult::busy);
  CHECK(read_all(reader.get()) == sent * message.size());
  CHECK(transport->send(message, kNow) == SendResult::sent);
  std::filesystem::remove(path);
}
