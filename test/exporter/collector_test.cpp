// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/exporter/collector.hpp"

#include <doctest/doctest.h>

#include "whiteowl/base/error.hpp"

using namespace whiteowl;

TEST_CASE("collectors are read in every form that users write") {
  struct Form {
    const char* text;
    CollectorKind kind;
    const char* host;
    unsigned port;
  };
  using enum CollectorKind;
  constexpr Form kForms[] = {
      {"192.0.2.1", udp, "192.0.2.1", 2055},
      {"192.0.2.1:4739", udp, "192.0.2.1", 4739},
      {"collector.example.net", udp, "collector.example.net", 2055},
      {"collector:9995", udp, "collector", 9995},
      {"2001:db8::1", udp, "2001:db8::1", 2055},
      {"[2001:db8::1]", udp, "2001:db8::1", 2055},
      {"[2001:db8::1]:65535", udp, "2001:db8::1", 65535},
      {"[fe80::1%eth0]:1", udp, "fe80::1%eth0", 1},
      {"udp://192.0.2.1", udp, "192.0.2.1", 2055},
      {"tcp://[::1]:4739", tcp, "::1", 4739},
      {"tcp://::1", tcp, "::1", 2055},
  };
  for (const Form& form : kForms) {
    CAPTURE(form.text);
    CHECK(check_collector(form.text).empty());
    const Collector collector = parse_collector(form.text, 2055);
    CHECK(collector.kind == form.kind);
    CHECK(collector.host == form.host);
    CHECK(collector.port == form.port);
    CHECK(collector.text == form.text);
  }
  CHECK(parse_collector("file:///tmp/a b.ipfix", 2055).path == "/tmp/a b.ipfix");
  CHECK(parse_collector("file://flows.ipfix", 2055).path == "flows.ipfix");
}

TEST_CASE("what is no collector is refused with exit status 78 and says how to write one") {
  for (const char* text : {"", ":2055", "udp://", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:", "192.0.2.1:abc",
                           "192.0.2.300", "1.2.3", "[2001:db8::1", "[2001:db8::1]2055", "[192.0.2.1]:1", "2001:db8::zz",
                           "http://192.0.2.1", "sctp://192.0.2.1", "file://", "two words", "a\nb"}) {
    CAPTURE(text);
    CHECK(check_collector(text).find("tcp://HOST:PORT") != std::string::npos);
    try {
      static_cast<void>(parse_collector(text, 2055));
      FAIL("accepted");
    } catch (const StartError& error) {
      CHECK(error.status() == ExitStatus::configuration);
    }
  }
}
