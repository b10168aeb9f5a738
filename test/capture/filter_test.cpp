// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/filter.hpp"

#include <doctest/doctest.h>
#include <sys/eventfd.h>

#include <chrono>
#include <string>
#include <thread>

#include "whiteowl/base/error.hpp"
#include "whiteowl/base/fd.hpp"

using namespace whiteowl;

TEST_CASE("no filter is one instruction that accepts the snap length") {
  // BPF_RET | BPF_K of bpf(4) is 6.
  FilterPrograms filter{"", 96, {"lo"}};
  filter.prepare({});
  const auto program = filter.for_link(LinkType::ethernet)->program();
  REQUIRE(program.size() == 1);
  CHECK(program[0].code == 6);
  CHECK(program[0].operand == 96);
}

namespace {

constexpr Duration kEnough = std::chrono::seconds{20};

// Where packets come from does not matter: without privilege, and on interfaces that are not there, too.
std::string mistake(const std::string& expression, const FilterPatience& patience = {}) {
  try {
    FilterPrograms{expression, 128, {"no-such-if0"}}.prepare(patience);
    return {};
  } catch (const StartError& error) {
    return std::to_string(static_cast<int>(error.status())) + ": " + error.what();
  }
}

std::string hosts(int count) {
  std::string expression;
  for (int i = 0; i < count; ++i)
    expression +=
        (i == 0 ? "host 10." : " or host 10.") + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".1";
  return expression;
}

}  // namespace

TEST_CASE("a filter for packets without a link header accepts the snap length, and is compiled while nobody waits") {
  FilterPrograms filter{"udp", 200, {"lo"}};
  std::optional<CompiledFilter> compiled;
  for (int i = 0; i < 1000 && !compiled; ++i) {
    compiled = filter.for_link(LinkType::raw_ip);
    if (!compiled) std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  REQUIRE(compiled);
  bool accepts = false, refuses = false;
  for (const auto& instruction : compiled->program()) {
    if (instruction.code != 6) continue;
    accepts = accepts || instruction.operand == 200;
    refuses = refuses || instruction.operand == 0;
  }
  CHECK(accepts);
  CHECK(refuses);
  // The same program for whoever asks.
  CHECK(&compiled->program() == &filter.for_link(LinkType::raw_ip)->program());
}

TEST_CASE("a wrong expression is named with libpcap's reason in one line") {
  const std::string line = mistake("tcp prot 80");
  CHECK(line.find("78: filter \"tcp prot 80\": ") == 0);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.back() != ' ');
  CHECK(mistake("tcp and udp and").find("syntax error") != std::string::npos);
  CHECK_FALSE(mistake("vlan 9999999").empty());
  CHECK(mistake("tcp port 80").empty());
  CHECK(mistake("").empty());
  CHECK_THROWS_AS((void)(FilterPrograms{"tcp prot 80"}.for_file(1, false, {})), StartError);
  // What fills pages is not repeated.
  CHECK(mistake(hosts(300) + " or x").size() < 400);
}

TEST_CASE("a filter that libpcap takes and the kernel does not is refused with what to do") {
  // The kernel's checker refuses jumps back (bpf(2), Documentation/networking/filter.rst), which `protochain` makes.
  const std::string loop = mistake("ip protochain 17");
  CHECK(loop.find("78: filter \"ip protochain 17\": ") == 0);
  CHECK(loop.find("protochain") != std::string::npos);
  // A file's filter does not go through the kernel.
  CHECK_NOTHROW((void)(FilterPrograms{"ip protochain 17"}.for_file(1, false, {})));
  // BPF_MAXINSNS of linux/bpf_common.h.
  const FilterProgram longest(4096, FilterInstruction{6, 0, 0, 1}), too_long(4097, FilterInstruction{6, 0, 0, 1});
  CHECK(kernel_refusal(too_long).find("4097 instructions, the kernel takes 4096") != std::string::npos);
  const std::string room = kernel_refusal(longest);
  if (!room.empty()) CHECK(room.find("net.core.optmem_max") != std::string::npos);
}

TEST_CASE("compiling a filter has an end, by time and by whoever does not want it any more") {
  const std::string slow = hosts(2000);  // minutes: libpcap's work grows with the square
  const auto begun = std::chrono::steady_clock::now();
  const std::string late = mistake(slow, {.time = std::chrono::milliseconds{100}});
  CHECK(late.find("78: ") == 0);
  CHECK(late.find("takes too long") != std::string::npos);
  const UniqueFd cancel{::eventfd(1, EFD_CLOEXEC)};
  const std::string cancelled = mistake(slow, {.cancel_fd = cancel.get()});
  CHECK(cancelled.find("1: ") == 0);
  CHECK(std::chrono::steady_clock::now() - begun < kEnough);
}

TEST_CASE("link types have the names of the registry") {
  CHECK(registered_link_type_name(105) == "IEEE802_11");
  CHECK(registered_link_type_name(1) == "EN10MB");
  CHECK(registered_link_type_name(101) == "RAW");
  CHECK(registered_link_type_name(60'000).empty());
}
