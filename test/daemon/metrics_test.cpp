// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/metrics.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"

using namespace whiteowl;

namespace {

// What an HTTP client reads, head and body.
std::string get(int port) {
  const UniqueFd socket{checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::inet_addr("127.0.0.1");
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  checked(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect");
  const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
  checked(::write(socket.get(), request.data(), request.size()), "write");
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 1; got > 0;) {
    got = ::read(socket.get(), buffer.data(), buffer.size());
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

bool has_line(const std::string& text, const std::string& line) {
  return text.find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("every counter is on the page, in Prometheus' words") {
  CaptureCounters capture;
  ClassifierCounters classifier;
  MeterCounters meter;
  TcpCounters tcp;
  QueueCounters queue;
  ExportCounters exporter;
  std::vector<InterfaceCounters> interfaces(2);
  interfaces[0].name = "eth0";
  interfaces[1].name = "eth1";
  CounterSources sources{{{&capture, &classifier, interfaces}}, {{&meter, &tcp, &queue}}, &exporter};
  const MetricsPage page{listen_for_metrics("127.0.0.1"), sources};
  capture.packets_received.add(12'345);
  meter.conversations.set(7);
  classifier.packets_discarded[static_cast<std::size_t>(Discard::not_ip)].add(3);
  interfaces[1].packets_dropped.add(9);
  const std::string text = get(page.port());
  CHECK(text.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(has_line(text, "# TYPE chompy_probe_packets_received_total counter"));
  CHECK(has_line(text, "chompy_probe_packets_received_total 12345"));
  CHECK(has_line(text, "# TYPE chompy_probe_conversations gauge"));
  CHECK(has_line(text, "chompy_probe_conversations 7"));
  CHECK(has_line(text, "chompy_probe_packets_discarded_total{reason=\"not_ip\"} 3"));
  CHECK(has_line(text, "chompy_probe_interface_packets_dropped_total{interface=\"eth1\"} 9"));
  for (const auto& row : kCounterTable) {
    CAPTURE(row.name);
    CHECK(text.find("# HELP chompy_probe_" + std::string{row.name}) != std::string::npos);
  }
}

TEST_CASE("a page that cannot listen is refused with a line for the user") {
  CHECK_THROWS_AS(static_cast<void>(listen_for_metrics("192.0.2.1:9")), StartError);
}
