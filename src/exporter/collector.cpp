// SPDX-License-Identifier: Apache-2.0
// Collectors as text.
#include "whiteowl/exporter/collector.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "whiteowl/base/error.hpp"

namespace whiteowl {

namespace {

constexpr std::string_view kForms =
    "write HOST, HOST:PORT, [IPv6]:PORT, udp://HOST:PORT, tcp://HOST:PORT or file:///PATH";

// Empty when `text` is a port, which goes to `port`.
std::string read_port(std::string_view text, std::uint16_t& port) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 1 || value > 65'535) {
    return "\"" + std::string{text} + "\" is not a port (1..65535)";
  }
  port = static_cast<std::uint16_t>(value);
  return {};
}

bool is_ipv6(const std::string& host) {
  std::array<std::uint8_t, 16> octets{};
  return ::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), octets.data()) == 1;
}

// Such an address is one on every link, so it says nothing without the interface (RFC 4007 11).
std::string check_ipv6(const std::string& host) {
  if (!is_ipv6(host)) return "\"" + host + "\" is not an IPv6 address";
  in6_addr address{};
  ::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &address);
  const bool of_a_link = IN6_IS_ADDR_LINKLOCAL(&address) || IN6_IS_ADDR_MC_LINKLOCAL(&address);
  const std::size_t scope = host.find('%');
  if (of_a_link && (scope == std::string::npos || scope + 1 == host.size()))
    return "the link-local address needs its interface, as in " + host.substr(0, scope) + "%eth0";
  return {};
}

std::string check_host(const std::string& host) {
  if (host.empty()) return "the host is missing";
  if (host.find(':') != std::string::npos) return check_ipv6(host);
  const auto of_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  if (!std::all_of(host.begin(), host.end(), of_name)) return "\"" + host + "\" is not a host name";
  std::array<std::uint8_t, 4> octets{};
  if (host.find_first_not_of("0123456789.") == std::string::npos &&
      ::inet_pton(AF_INET, host.c_str(), octets.data()) != 1) {
    return "\"" + host + "\" is not an IPv4 address";
  }
  return {};
}

std::string read_authority(std::string_view text, Collector& collector) {
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return "the bracket is not closed";
    collector.host = text.substr(1, end - 1);
    if (std::string wrong = check_ipv6(collector.host); !wrong.empty()) return wrong;
    text.remove_prefix(end + 1);
    if (text.empty()) return {};
    if (text.front() != ':') return "\"" + std::string{text} + "\" follows the bracket where :PORT could stand";
    return read_port(text.substr(1), collector.port);
  }
  const bool has_port = std::count(text.begin(), text.end(), ':') == 1;
  const std::size_t colon = has_port ? text.find(':') : text.size();
  collector.host = text.substr(0, colon);
  if (std::string wrong = check_host(collector.host); !wrong.empty()) return wrong;
  return has_port ? read_port(text.substr(colon + 1), collector.port) : std::string{};
}

// Empty, or what is wrong.
std::string read_collector(std::string_view text, Collector& collector) {
  collector.text = text;
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return read_authority(text, collector);
  const std::string_view scheme = text.substr(0, scheme_end);
  const std::string_view rest = text.substr(scheme_end + 3);
  if (scheme == "file") {
    collector.kind = CollectorKind::file;
    collector.path = rest;
    return rest.empty() ? "the path is missing" : "";
  }
  if (scheme != "udp" && scheme != "tcp") return "\"" + std::string{scheme} + "\" is not a transport";
  collector.kind = scheme == "udp" ? CollectorKind::udp : CollectorKind::tcp;
  return read_authority(rest, collector);
}

}  // namespace

std::string check_collector(const std::string& text) {
  Collector collector;
  const std::string wrong = read_collector(text, collector);
  return wrong.empty() ? "" : "collector \"" + text + "\": " + wrong + "; " + std::string{kForms};
}

Collector parse_collector(const std::string& text, std::uint16_t default_port) {
  if (const std::string wrong = check_collector(text); !wrong.empty())
    throw StartError{ExitStatus::configuration, wrong};
  Collector collector;
  collector.port = default_port;
  static_cast<void>(read_collector(text, collector));
  return collector;
}

}  // namespace whiteowl
