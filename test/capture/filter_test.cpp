// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/filter.hpp"

#include <doctest/doctest.h>

#include "whiteowl/base/error.hpp"

using namespace whiteowl;

TEST_CASE("no filter is one instruction that accepts the snap length") {
  // BPF_RET | BPF_K of bpf(4) is 6.
  const auto program = CompiledFilter::for_interface("", "lo", LinkType::ethernet, 96).program();
  REQUIRE(program.size() == 1);
  CHECK(program[0].code == 6);
  CHECK(program[0].operand == 96);
}

TEST_CASE("a filter for an interface without a link header accepts the snap length") {
  const auto program = CompiledFilter::for_interface("udp", "tun0", LinkType::raw_ip, 200).program();
  bool accepts = false, refuses = false;
  for (const auto& instruction : program) {
    if (instruction.code != 6) continue;
    accepts = accepts || instruction.operand == 200;
    refuses = refuses || instruction.operand == 0;
  }
  CHECK(accepts);
  CHECK(refuses);
}

TEST_CASE("a wrong expression is named with libpcap's reason in one line") {
  const std::string line = check_filter("tcp prot 80", "");
  CHECK(line.find("filter \"tcp prot 80\": ") == 0);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.back() != ' ');
  CHECK(check_filter("tcp and udp and", "").find("syntax error") != std::string::npos);
  CHECK_FALSE(check_filter("vlan 9999999", "no-such-interface0").empty());
  CHECK(check_filter("tcp port 80", "").empty());
  CHECK(check_filter("tcp port 80", "no-such-interface0").empty());
  CHECK(check_filter("", "").empty());
  CHECK_THROWS_AS(CompiledFilter::for_file("tcp prot 80", 1, false), StartError);
}

TEST_CASE("link types have the names of the registry") {
  CHECK(registered_link_type_name(105) == "IEEE802_11");
  CHECK(registered_link_type_name(1) == "EN10MB");
  CHECK(registered_link_type_name(101) == "RAW");
  CHECK(registered_link_type_name(60'000).empty());
}
