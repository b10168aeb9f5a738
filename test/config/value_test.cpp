// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/config/value.hpp"

#include <doctest/doctest.h>

#include <array>
#include <utility>

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

template <typename Function>
std::string complaint(const Function& function) {
  try {
    function();
  } catch (const BadValue& bad) {
    return bad.what();
  }
  return "none";
}

std::string duration_complaint(const std::string& text) {
  return complaint([&] { static_cast<void>(parse_duration(text)); });
}

}  // namespace

TEST_CASE("durations are read as Go reads them, to the nanosecond") {
  const std::array<std::pair<const char*, Duration>, 26> cases{{
      {"0", 0ns},
      {"0s", 0ns},
      {"300s", 300s},
      {"1m30s", 90s},
      {"1h30m", 90min},
      {"1.5s", 1500ms},
      {".5s", 500ms},
      {"5.s", 5s},
      {"250ms", 250ms},
      {"10us", 10us},
      {"10\u00B5s", 10us},
      {"10\u03BCs", 10us},
      {"7ns", 7ns},
      {"5s500ms", 5500ms},
      {"1h15m30.918273645s", 1h + 15min + 30s + 918273645ns},
      {"2h3m4s5ms6us7ns", 2h + 3min + 4s + 5ms + 6us + 7ns},
      {"30s1m", 90s},
      {"0.000000001s", 1ns},
      {"0.3333333333333333333h", 1199999999999ns},
      {"0.100000000000000000000h", 6min},
      {"1.9ns", 1ns},
      {"0.9ns", 0ns},
      {"000000000000000000000001s", 1s},
      {"2777.77777777777777777h", 9999999999999999ns},
      {"10000000s", 10'000'000s},
      {"9999999.999999999s", 9'999'999'999'999'999ns},
  }};
  for (const auto& row : cases) {
    CAPTURE(row.first);
    CHECK(parse_duration(row.first) == row.second);
  }
}

TEST_CASE("what is no duration is refused, and the line says what to write") {
  CHECK(duration_complaint("60") == "\"60\" has no unit; write 60s for seconds");
  CHECK(duration_complaint("1m30") == "\"1m30\" has no unit; write 1m30s for seconds");
  CHECK(duration_complaint("") == "\"\" is not a duration, such as 90s or 1m30s");
  CHECK(duration_complaint("s") == "\"s\" is not a duration, such as 90s or 1m30s");
  CHECK(duration_complaint(".s") == "\".s\" is not a duration, such as 90s or 1m30s");
  CHECK(duration_complaint("soon") == "\"soon\" is not a duration, such as 90s or 1m30s");
  CHECK(duration_complaint("+5s") == "\"+5s\" is not a duration, such as 90s or 1m30s");
  CHECK(duration_complaint("-5s") == "\"-5s\" is negative; a duration is 0 or more");
  CHECK(duration_complaint("1d") == "\"1d\": \"d\" is not a unit of time; use h, m, s, ms, us or ns");
  CHECK(duration_complaint("5 s") == "\"5 s\": \" s\" is not a unit of time; use h, m, s, ms, us or ns");
  CHECK(duration_complaint("1S") == "\"1S\": \"S\" is not a unit of time; use h, m, s, ms, us or ns");
  CHECK(duration_complaint("10000000.000000001s") == "\"10000000.000000001s\" is too long; allowed: up to 10000000s");
  CHECK(duration_complaint("2778h") == "\"2778h\" is too long; allowed: up to 10000000s");
  CHECK(duration_complaint("99999999999999999999999h") ==
        "\"99999999999999999999999h\" is too long; allowed: up to 10000000s");
  CHECK(duration_complaint("9000000s9000000s") == "\"9000000s9000000s\" is too long; allowed: up to 10000000s");
}

TEST_CASE("a duration is written in the largest unit that needs no fraction") {
  CHECK(to_text(300s) == "300s");
  CHECK(to_text(0s) == "0s");
  CHECK(to_text(1500ms) == "1500ms");
  CHECK(to_text(100us) == "100us");
  CHECK(to_text(1'000'001ns) == "1000001ns");
}

TEST_CASE("numbers are decimal and whole, and nothing wraps") {
  const Limits limits{.min = 256, .max = 65'520, .unit = {}, .zero_word = {}, .words = {}};
  const auto read = [&](const char* text) {
    std::uint16_t out = 0;
    read_value(out, scalar(text), limits);
    return out;
  };
  const auto refuse = [&](const char* text) { return complaint([&] { static_cast<void>(read(text)); }); };
  CHECK(read("256") == 256);
  CHECK(read("65520") == 65'520);
  CHECK(read("0256") == 256);
  CHECK(refuse("255") == "255 is out of range; allowed: 256 to 65520");
  CHECK(refuse("65521") == "65521 is out of range; allowed: 256 to 65520");
  CHECK(refuse("65792") == "65792 is out of range; allowed: 256 to 65520");  // 2^16 + 256
  CHECK(refuse("-1") == "-1 is out of range; allowed: 256 to 65520");
  CHECK(refuse("18446744073709551872") == "18446744073709551872 is out of range; allowed: 256 to 65520");  // 2^64 + 256
  for (const char* const text : {"", "-", "+256", "0x100", "256.0", "256 ", " 256", "1e3", "1_000", "abc"}) {
    CAPTURE(text);
    CHECK(refuse(text) == "\"" + std::string{text} + "\" is not a whole number");
  }
}

TEST_CASE("a word can stand for zero, and zero for the word") {
  const Limits limits{.min = 576, .max = 65'535, .unit = {}, .zero_word = "auto", .words = {}};
  std::uint32_t out = 1;
  read_value(out, scalar("auto"), limits);
  CHECK(out == 0);
  out = 1;
  read_value(out, scalar("0"), limits);
  CHECK(out == 0);
  CHECK(write_value(std::uint32_t{0}, limits) == scalar("auto"));
  CHECK(complaint([&] { read_value(out, scalar("100"), limits); }) ==
        "100 is out of range; allowed: 576 to 65535, or auto");
  CHECK(complaint([&] { read_value(out, scalar("aut"), limits); }) == "\"aut\" is neither a whole number nor auto");
}

TEST_CASE("switches are true or false in YAML's spellings, and numbers are not") {
  bool out = false;
  for (const char* const text : {"true", "True", "TRUE", "yes", "on"}) {
    read_value(out, scalar(text), {});
    CHECK(out);
    out = false;
  }
  out = true;
  for (const char* const text : {"false", "False", "FALSE", "no", "off"}) {
    read_value(out, scalar(text), {});
    CHECK_FALSE(out);
    out = true;
  }
  for (const char* const text : {"1", "0", "", "tRUE", "y", "enabled"})
    CHECK(complaint([&] { read_value(out, scalar(text), {}); }) ==
          "\"" + std::string{text} + "\" is not true or false");
}

TEST_CASE("a list is a sequence, a text with commas, or one element") {
  std::vector<std::string> out;
  read_value(out, scalar("eth0, eth1,eth2"), {});
  CHECK(out == std::vector<std::string>{"eth0", "eth1", "eth2"});
  read_value(out, scalar("eth0"), {});
  CHECK(out == std::vector<std::string>{"eth0"});
  read_value(out, SettingValue{.items = {"file:///a,b"}, .is_list = true}, {});
  CHECK(out == std::vector<std::string>{"file:///a,b"});
  CHECK(write_value(out, {}).is_list);
  read_value(out, scalar(""), {});
  CHECK(out.empty());
  CHECK(complaint([&] { read_value(out, scalar("a,,b"), {}); }) == "an element of the list is empty");
  CHECK(complaint([&] { read_value(out, scalar("a,b,a"), {}); }) == "\"a\" is named twice");
  std::vector<std::uint32_t> numbers;
  const Limits limits{.min = 0, .max = 4'294'967'295, .unit = {}, .zero_word = {}, .words = {}};
  read_value(numbers, scalar("1,4294967295"), limits);
  CHECK(numbers == std::vector<std::uint32_t>{1, 4'294'967'295});
  CHECK(complaint([&] { read_value(numbers, scalar("1,x"), limits); }) == "\"x\" is not a whole number");
  CHECK(complaint([&] { read_value(numbers, scalar(""), limits); }) == "a number is wanted");
}

TEST_CASE("a page needs an address and a port to listen on") {
  CHECK(check_listen_address("").empty());
  CHECK(check_listen_address("127.0.0.1:9108").empty());
  CHECK(check_listen_address("[::1]:9108").empty());
  for (const char* wrong : {"127.0.0.1", "9108", "localhost:9108", "::1", "127.0.0.1:0", "127.0.0.1:x"}) {
    CAPTURE(wrong);
    CHECK_FALSE(check_listen_address(wrong).empty());
  }
}

TEST_CASE("a collector's address, name and port are told apart, IPv6 too") {
  const auto read = [](const char* text) {
    const HostPort got = parse_host_port(text);
    return got.host + " " + std::to_string(got.port);
  };
  CHECK(read("192.0.2.7") == "192.0.2.7 0");
  CHECK(read("192.0.2.7:4739") == "192.0.2.7 4739");
  CHECK(read("collector.example:2055") == "collector.example 2055");
  CHECK(read("2001:db8::7") == "2001:db8::7 0");
  CHECK(read("[2001:db8::7]") == "2001:db8::7 0");
  CHECK(read("[2001:db8::7]:4739") == "2001:db8::7 4739");
  CHECK(read("fe80::1%eth0") == "fe80::1%eth0 0");
  const auto refuse = [](const char* text) { return complaint([&] { static_cast<void>(parse_host_port(text)); }); };
  CHECK(refuse("192.0.2.300") == "\"192.0.2.300\" is not an IPv4 address");
  CHECK(refuse("192.0.2") == "\"192.0.2\" is not an IPv4 address");
  CHECK(refuse("192.0.2.7:0") == "\"0\" is not a port; allowed: 1 to 65535");
  CHECK(refuse("192.0.2.7:65536") == "\"65536\" is not a port; allowed: 1 to 65535");
  CHECK(refuse("192.0.2.7:") == "\"\" is not a port; allowed: 1 to 65535");
  CHECK(refuse(":2055") == "\":2055\" names no host");
  CHECK(refuse("[::1") == "\"[::1\" has no ] after the address");
  CHECK(refuse("[::1]2055") == "\"[::1]2055\": only :PORT may follow the ]");
  CHECK(refuse("[host]:1") == "\"[host]:1\": only IPv6 addresses stand in brackets");
  CHECK(refuse("2001:db8::g") == "\"2001:db8::g\" is not an IPv6 address");
  CHECK(refuse("a b") == "\"a b\" is neither an address nor a host name");
  CHECK(refuse("tcp://192.0.2.7") == "\"tcp://192.0.2.7\" is no address or name; export.collectors takes URIs");
  CHECK(to_text(HostPort{.host = "::1", .port = 2055}) == "[::1]:2055");
  CHECK(to_text(HostPort{.host = "192.0.2.7", .port = 2055}) == "192.0.2.7:2055");
}

TEST_CASE("interface names are those that the kernel can have") {
  CHECK(check_interface_name("eth0") == "");
  CHECK(check_interface_name("br-lan.100@x") == "");
  CHECK(check_interface_name("an-alternative-name-of-eth0") == "");
  CHECK(check_interface_name(std::string(127, 'a')) == "");
  CHECK(check_interface_name(std::string(128, 'a'))
            .ends_with("is too long for an interface name (127 characters at most)"));
  CHECK(check_interface_name("eth 0") == "\"eth 0\" cannot be an interface name");
  CHECK(check_interface_name("a/b") == "\"a/b\" cannot be an interface name");
}
