// SPDX-License-Identifier: Apache-2.0
// Which way of sharing is taken, and who may join whom: asked of the kernel by getsockopt(), in a network of the tests'
// own.
#include "whiteowl/capture/fanout.hpp"

#include <doctest/doctest.h>
#include <netinet/in.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "support/private_network.hpp"
#include "support/tunnelled_traffic.hpp"
#include "whiteowl/base/error.hpp"
#include "whiteowl/capture/ring_source.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

// As packet(7) has it: type in the upper half, below the flags.
constexpr std::uint32_t kHash = 0, kClassic = 6, kLoaded = 7, kDefragment = 0x8000;

// A packet socket bound to an interface, as a group wants its members.
UniqueFd bound_to(const std::string& interface) {
  UniqueFd fd{::socket(AF_PACKET, SOCK_RAW, 0)};
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(3);  // ETH_P_ALL
  address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

std::uint32_t type_of(const UniqueFd& fd) {
  std::uint32_t group = 0;
  socklen_t size = sizeof group;
  REQUIRE(::getsockopt(fd.get(), 263 /* SOL_PACKET */, 18 /* PACKET_FANOUT */, &group, &size) == 0);
  return group >> 16U;
}

FanoutPlan plan_for(FanoutMode mode, std::uint32_t tunnel_depth, bool shared = true) {
  FanoutPlan plan;
  plan.interface = "wb";
  plan.id = 12;
  plan.mode = mode;
  plan.tunnel_depth = tunnel_depth;
  plan.shared = shared;
  return plan;
}

std::string refusal(const UniqueFd& fd, const FanoutPlan& plan) {
  try {
    (void)join_fanout(fd.get(), plan, [] {});
  } catch (const StartError& error) {
    CHECK(error.status() == ExitStatus::failure);
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("automatic is what keeps the directions of what is metered together") {
  CHECK(chosen_mode(FanoutMode::automatic, false) == FanoutMode::hash);
  CHECK(chosen_mode(FanoutMode::automatic, true) == FanoutMode::steer);
  CHECK(chosen_mode(FanoutMode::steer, false) == FanoutMode::hash);
  CHECK(chosen_mode(FanoutMode::hash, true) == FanoutMode::hash);
  CHECK(chosen_mode(FanoutMode::cpu, true) == FanoutMode::cpu);
  for (const bool inner : {false, true}) {
    CHECK(keeps_directions_together(FanoutMode::automatic, inner));
    CHECK(keeps_directions_together(FanoutMode::steer, inner));
    CHECK(keeps_directions_together(FanoutMode::hash, inner) == !inner);
    for (const auto mode : {FanoutMode::cpu, FanoutMode::queue_mapping, FanoutMode::round_robin})
      CHECK_FALSE(keeps_directions_together(mode, inner));
  }
}

TEST_CASE("groups work in a network of their own") {
  if (in_private_network()) return;
  if (!private_network_possible()) {
    CHECK_MESSAGE(std::getenv("CI") == nullptr, "no namespaces here");
    MESSAGE("skipped: user and network namespaces are forbidden here");
    return;
  }
  CHECK(passes_in_private_network("fanout"));
}

TEST_SUITE("fanout" * doctest::skip(!in_private_network())) {
  TEST_CASE("steering without the privilege to load a program is done by a classic one") {
    const Wire wire{"wa", "wb"};
    const UniqueFd fd = bound_to("wb");
    const Fanout fanout = join_fanout(fd.get(), plan_for(FanoutMode::automatic, 4), [] {});
    CHECK(fanout.by == Fanout::By::classic_program);
    CHECK(joined_fanout(fd.get())->by == Fanout::By::classic_program);
    CHECK_FALSE(joined_fanout(bound_to("wb").get()).has_value());
    CHECK(fanout.text().starts_with("steered by a classic program"));
    CHECK(type_of(fd) == kClassic);
  }

  TEST_CASE("with the outermost header metered the kernel's own hash is taken") {
    const Wire wire{"wa", "wb"};
    for (const FanoutMode mode : {FanoutMode::automatic, FanoutMode::steer, FanoutMode::hash}) {
      const UniqueFd fd = bound_to("wb");
      CHECK(join_fanout(fd.get(), plan_for(mode, 0), [] {}).text() == "hash");
      CHECK(type_of(fd) == kHash);
    }
  }

  TEST_CASE("who would steer otherwise than the group does is told so") {
    const Wire wire{"wa", "wb"};
    const UniqueFd first = bound_to("wb"), second = bound_to("wb");
    (void)join_fanout(first.get(), plan_for(FanoutMode::hash, 4), [] {});
    CHECK(
        refusal(second, plan_for(FanoutMode::steer, 4)).starts_with("capture.fanout_group: group 12 on wb is in use"));
    CHECK_FALSE(refusal(second, plan_for(FanoutMode::round_robin, 4)).empty());
    FanoutPlan defragmenting = plan_for(FanoutMode::hash, 4);
    defragmenting.defragment = true;
    CHECK(refusal(second, defragmenting).find("defragment") != std::string::npos);
    CHECK(refusal(second, plan_for(FanoutMode::automatic, 0)).empty());
  }

  TEST_CASE("a group that a privileged member steers by a loaded program is joined as it is") {
    const Wire wire{"wa", "wb"};
    const UniqueFd first = bound_to("wb"), second = bound_to("wb");
    // Selecting the type needs no privilege; the program would be given by a member that has it.
    const std::uint32_t group = 12U | kLoaded << 16U;
    REQUIRE(::setsockopt(first.get(), 263, 18, &group, sizeof group) == 0);
    CHECK(join_fanout(second.get(), plan_for(FanoutMode::steer, 4), [] {}).by == Fanout::By::loaded_program);
    CHECK(type_of(second) == kLoaded);
  }

  TEST_CASE("fragments are put together before they are shared out if that is asked for") {
    const Wire wire{"wa", "wb"};
    for (const bool defragment : {false, true}) {
      CAPTURE(defragment);
      CaptureSettings settings;
      settings.interfaces = {"wb"};
      settings.buffer_size_mb = 8;
      settings.defragment = defragment;
      RingSource source{settings, 0, 1, 5};
      Sender sender{"wa"};
      sender.send(eth().ip4("10.0.0.1", "10.0.0.2").fragment(0, true, 77).udp(1000, 2000).payload(24).bytes());
      sender.send(eth().ip4("10.0.0.1", "10.0.0.2").protocol(17).fragment(4, false, 77).payload(16).bytes());
      source.stop();
      std::vector<std::uint32_t> sizes;
      for (bool end = false; !end;) {
        const FrameBatch& batch = source.read();
        for (std::size_t i = 0; i < batch.size; ++i) sizes.push_back(batch.frames[i].wire_octets);
        end = batch.end;
      }
      // Ethernet and IPv4 headers, then 8 and 24, and 16 octets.
      CHECK(sizes == (defragment ? std::vector<std::uint32_t>{34 + 8 + 24 + 16}
                                 : std::vector<std::uint32_t>{34 + 8 + 24, 34 + 16}));
    }
  }
}
