// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/http_request.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace whiteowl;

namespace {

HttpStatus judged(const std::string& head, bool only_local_names = true) {
  return judge_http_request(head, "/metrics", only_local_names).status;
}

HttpStatus with_host(const std::string& host) { return judged("GET /metrics HTTP/1.1\r\nHost: " + host + "\r\n\r\n"); }

}  // namespace

TEST_CASE("a head ends with its first empty line, with or without carriage returns") {
  CHECK(http_head_octets("GET / HTTP/1.1\r\nHost: a\r\n\r\nbody") == 27);
  CHECK(http_head_octets("GET / HTTP/1.1\nHost: a\n\nbody") == 24);
  CHECK(http_head_octets("GET / HTTP/1.1\r\nHost: a\r\n") == 0);
  CHECK(http_head_octets("GET / HTTP/1.1\r\nHost: a\r\n\r") == 0);
  CHECK(http_head_octets("") == 0);
}

TEST_CASE("the page is had by GET and HEAD, with a query or by its whole address") {
  CHECK(judged("GET /metrics HTTP/1.0\r\n\r\n") == HttpStatus::ok);
  CHECK(judged("GET /metrics?name[]=up HTTP/1.1\r\nhost:localhost\r\n\r\n") == HttpStatus::ok);
  CHECK(judged("GET http://127.0.0.1:9108/metrics HTTP/1.1\r\nHost: 127.0.0.1:9108\r\n\r\n") == HttpStatus::ok);
  const auto head = judge_http_request("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "/metrics", true);
  CHECK(head.status == HttpStatus::ok);
  CHECK(head.head_only);
  CHECK(judged("POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n") == HttpStatus::method_not_allowed);
  CHECK(judged("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") == HttpStatus::not_found);
  CHECK(judged("GET /metrics/../etc HTTP/1.1\r\nHost: localhost\r\n\r\n") == HttpStatus::not_found);
}

TEST_CASE("what is no request of HTTP/1 is a bad one") {
  for (const char* head :
       {"", "\r\n\r\n", "GET\r\n\r\n", "GET /metrics\r\n\r\n", "GET /metrics HTTP/2.0\r\n\r\n",
        "GET /metrics HTTP/1.1\r\n\r\n", "GET /met rics HTTP/1.0\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost : localhost\r\n\r\n", "GET /metrics HTTP/1.1\r\n Host: localhost\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nno field\r\n\r\n"}) {
    CAPTURE(head);
    CHECK(judged(head) == HttpStatus::bad_request);
  }
}

TEST_CASE("on a loopback address only names of this host's own loopback get the page") {
  for (const char* host : {"localhost", "LocalHost:9108", "localhost.", "127.0.0.1", "127.0.0.1:1", "127.255.3.4:80",
                           "[::1]", "[::1]:9108", "[0:0:0:0:0:0:0:1]"}) {
    CAPTURE(host);
    CHECK(with_host(host) == HttpStatus::ok);
  }
  for (const char* host : {"", "evil.example", "evil.example:9108", "localhost.evil.example", "127.0.0.1.evil.example",
                           "128.0.0.1", "192.0.2.1:9108", "0.0.0.0", "127.1", "[::2]", "[::1", "[::1]x", "[::1].evil",
                           "127.0.0.1:port", "::1", "127.0.0.1@evil.example", "localhost, evil.example"}) {
    CAPTURE(host);
    CHECK(with_host(host) == HttpStatus::misdirected);
  }
  CHECK(judged("GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n") == HttpStatus::misdirected);
  CHECK(judged("GET http://evil.example/metrics HTTP/1.0\r\n\r\n") == HttpStatus::misdirected);
  CHECK(judged("GET /metrics HTTP/1.1\r\nHost: probe.example\r\n\r\n", false) == HttpStatus::ok);
}
