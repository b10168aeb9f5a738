// SPDX-License-Identifier: Apache-2.0
// What a whole process keeps is looked at from outside in test/system/privileges_test.py.
#include "whiteowl/daemon/privileges.hpp"

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "support/private_network.hpp"
#include "whiteowl/base/child_task.hpp"
#include "whiteowl/base/error.hpp"

using namespace whiteowl;

namespace {

std::string after_drop(const Needs& needs, const std::string& field) {
  const auto work = [&] {
    try {
      static_cast<void>(drop_privileges(needs));
    } catch (const StartError& error) {
      return std::to_string(static_cast<int>(error.status()));
    }
    std::ifstream status{"/proc/self/status"};
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(field + ":")) return line.substr(field.size() + 2);
    }
    return std::string{"not there"};
  };
  ChildTask child{work, {.time = std::chrono::seconds{20}, .memory_octets = std::size_t{1} << 30U}};
  return child.wait().text;
}

}  // namespace

TEST_CASE("there are no new privileges, whoever starts the program") {
  CHECK(after_drop({.user = ""}, "NoNewPrivs") == "1");
}

TEST_CASE("a process without privileges can give them up as well") {
  CHECK(after_drop({.user = ""}, "CapPrm") == "0000000000000000");
  CHECK(after_drop({.user = ""}, "CapAmb") == "0000000000000000");
}

TEST_CASE("who is not root is root in a namespace of his own") {
  if (::geteuid() == 0) return;
  if (!test::private_network_possible()) {
    MESSAGE("skipped: user and network namespaces are forbidden here");
    return;
  }
  CHECK(test::passes_in_private_network("root"));
}

TEST_SUITE("root" * doctest::skip(::geteuid() != 0)) {
  TEST_CASE("what capturing takes is kept and nothing else") {
    constexpr const char* kNetRaw = "0000000000002000";  // bit 13, capabilities of linux/capability.h
    CHECK(after_drop({.user = "", .capture = true}, "CapEff") == kNetRaw);
    CHECK(after_drop({.user = "", .capture = true}, "CapPrm") == kNetRaw);
    CHECK(after_drop({.user = "", .capture = true}, "CapInh") == "0000000000000000");
    CHECK(after_drop({.user = "", .capture = true}, "CapBnd") == "0000000000000000");
    CHECK(after_drop({.user = ""}, "CapEff") == "0000000000000000");
  }
}

TEST_CASE("a user that was named and is not there is a fault of the configuration") {
  if (::geteuid() != 0) return;
  CHECK(after_drop({.user = "no-such-user-here"}, "Uid") == "78");
  CHECK(after_drop({.user = kOwnUser, .capture = true}, "NoNewPrivs") == "1");
}

TEST_CASE("root becomes the user that was named, without any other group") {
  std::string map;
  std::ifstream{"/proc/self/uid_map"} >> map >> map >> map;
  if (::geteuid() != 0 || map == "1") return;  // nobody else in this user namespace
  const Needs needs{.user = "nobody", .capture = true};
  CHECK(after_drop(needs, "Uid") == "65534\t65534\t65534\t65534");
  CHECK(after_drop(needs, "Gid") == "65534\t65534\t65534\t65534");
  CHECK(after_drop(needs, "Groups").find_first_not_of(' ') == std::string::npos);
  CHECK(after_drop(needs, "CapEff") == "0000000000002000");
  CHECK(after_drop(needs, "CapBnd") == "0000000000000000");
}
