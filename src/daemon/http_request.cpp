// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/http_request.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace whiteowl {
namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_word(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Takes the next line off; a bare LF ends one, too (RFC 9112 2.2).
std::string_view take_line(std::string_view& text) noexcept {
  const auto end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_port(std::string_view text) noexcept {
  return text.empty() || (text.size() <= 6 && text.front() == ':' &&
                          std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; }));
}

template <typename Address>
std::optional<Address> parsed(int family, std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());
  Address address{};
  if (::inet_pton(family, terminated.data(), &address) != 1) return std::nullopt;
  return address;
}

// localhost, 127.0.0.0/8 or [::1], with or without a port.
bool is_local_name(std::string_view host) noexcept {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == std::string_view::npos || !is_port(host.substr(end + 1))) return false;
    const auto address = parsed<in6_addr>(AF_INET6, host.substr(1, end - 1));
    return address && IN6_IS_ADDR_LOOPBACK(&*address);
  }
  const auto end = std::min(host.find(':'), host.size());
  if (!is_port(host.substr(end))) return false;
  const std::string_view name = host.substr(0, end);
  if (same_word(name, "localhost") || same_word(name, "localhost.")) return true;
  const auto address = parsed<std::array<unsigned char, 4>>(AF_INET, name);
  return address && (*address)[0] == 127;
}

struct RequestLine {
  std::string_view method, target, version;
};

std::optional<RequestLine> request_line(std::string_view line) noexcept {
  const auto first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  const RequestLine parts{line.substr(0, first), line.substr(first + 1, last - first - 1), line.substr(last + 1)};
  if (parts.method.empty() || parts.target.empty() || parts.target.find(' ') != std::string_view::npos)
    return std::nullopt;
  if (parts.version != "HTTP/1.1" && parts.version != "HTTP/1.0") return std::nullopt;
  return parts;
}

// Nothing: a line is no field, or there is more than one Host (RFC 9112 3.2).  Empty: no Host.
std::optional<std::string_view> host_field(std::string_view lines, bool& given) noexcept {
  std::string_view host;
  while (!lines.empty()) {
    const std::string_view line = take_line(lines);
    if (line.empty()) break;
    const auto colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos || line.find_first_of(" \t") < colon) return std::nullopt;
    if (!same_word(line.substr(0, colon), "host")) continue;
    if (given) return std::nullopt;
    given = true;
    host = trimmed(line.substr(colon + 1));
  }
  return host;
}

}  // namespace

std::size_t http_head_octets(std::string_view received) noexcept {
  for (auto end = received.find('\n'); end != std::string_view::npos; end = received.find('\n', end + 1)) {
    const std::string_view rest = received.substr(end + 1);
    if (rest.starts_with("\n")) return end + 2;
    if (rest.starts_with("\r\n")) return end + 3;
  }
  return 0;
}

HttpVerdict judge_http_request(std::string_view head, std::string_view page, bool only_local_names) noexcept {
  HttpVerdict verdict;
  const auto line = request_line(take_line(head));
  if (!line) return verdict;
  bool has_host = false;
  const auto host = host_field(head, has_host);
  // A client of HTTP/1.0 may name no host; no browser is one.
  if (!host || (!has_host && line->version == "HTTP/1.1")) return verdict;
  std::string_view authority = *host;
  std::string_view path = line->target;
  if (constexpr std::string_view kScheme = "http://"; same_word(path.substr(0, kScheme.size()), kScheme)) {
    path.remove_prefix(kScheme.size());  // the absolute form goes before the field (RFC 9112 3.2.2)
    const auto slash = std::min(path.find('/'), path.size());
    authority = path.substr(0, slash);
    has_host = true;
    path.remove_prefix(slash);
  }
  verdict.head_only = line->method == "HEAD";
  if (only_local_names && has_host && !is_local_name(authority)) {
    verdict.status = HttpStatus::misdirected;
  } else if (path.substr(0, path.find('?')) != page) {
    verdict.status = HttpStatus::not_found;
  } else if (line->method != "GET" && line->method != "HEAD") {
    verdict.status = HttpStatus::method_not_allowed;
  } else {
    verdict.status = HttpStatus::ok;
  }
  return verdict;
}

}  // namespace whiteowl
