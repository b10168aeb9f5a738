// SPDX-License-Identifier: Apache-2.0
// The classic program where it runs, in the kernel: which member of a real group gets a packet.  The expected member is
// calculated from what the decoder finds in the same octets.
#include "whiteowl/capture/steering.hpp"

#include <doctest/doctest.h>
#include <linux/filter.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/private_network.hpp"
#include "support/tunnelled_traffic.hpp"
#include "whiteowl/capture/ring_source.hpp"

using namespace whiteowl;
using namespace whiteowl::test;
using namespace std::chrono_literals;

namespace {

// Members of a steered group on one interface, in the order of their numbers.
class Group {
 public:
  Group(const std::string& interface, std::uint32_t members, std::uint16_t id, std::uint32_t snap_len = 512) {
    CaptureSettings settings;
    settings.interfaces = {interface};
    settings.buffer_size_mb = 16;
    settings.snap_len = snap_len;
    settings.tunnel_depth = 4;
    for (std::uint32_t i = 0; i < members; ++i)
      members_.push_back(std::make_unique<RingSource>(settings, i, members, id));
    CHECK(members_.front()->sharing().starts_with("steered by a classic program"));
  }

  // Mark of a frame to the members that got it.  Every frame ends with its mark.
  std::map<std::uint32_t, std::vector<std::size_t>> who_got() {
    std::map<std::uint32_t, std::vector<std::size_t>> got;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      members_[i]->stop();
      const auto deadline = std::chrono::steady_clock::now() + 3s;
      for (bool end = false; !end && std::chrono::steady_clock::now() < deadline;) {
        const FrameBatch& batch = members_[i]->read();
        for (std::size_t at = 0; at < batch.size; ++at) got[mark(batch.frames[at])].push_back(i);
        end = batch.end;
      }
    }
    return got;
  }

 private:
  static std::uint32_t mark(const Frame& frame) {
    std::uint32_t value = 0;
    for (std::uint32_t i = frame.captured_octets - 4; i < frame.captured_octets; ++i)
      value = value << 8U | frame.data[i];
    return value;
  }
  std::vector<std::unique_ptr<RingSource>> members_;
};

struct Sent {
  std::string kind;
  std::uint16_t conversation = 0;
  std::uint32_t expected = 0;
};

// Behind the packet, so that no header changes.
Bytes marked(const PacketBuilder& packet, std::uint32_t mark) {
  Bytes bytes = packet.bytes();
  add32(bytes, mark);
  return bytes;
}

void send_all(Sender& sender, const std::vector<TunnelKind>& kinds, std::uint16_t conversations,
              std::vector<Sent>& sent) {
  for (const auto& kind : kinds) {
    if (kind.deep) continue;
    for (std::uint16_t number = 0; number < conversations; ++number) {
      for (const bool answer : {false, true}) {
        const PacketBuilder packet = kind.packet({number, answer});
        const auto decoded = decode_inner(packet.bytes());
        REQUIRE(decoded.reason == Discard::none);
        sender.send(marked(packet, static_cast<std::uint32_t>(sent.size())));
        sent.push_back({kind.name, number, expected_steering(decoded.packet)});
      }
    }
  }
}

}  // namespace

TEST_CASE("a classic program is within what the kernel takes, and jumps forward to its end at the most") {
  for (const std::uint32_t tunnels : {0U, 1U, kClassicLimits.tunnels}) {
    SteeringLimits limits = kClassicLimits;
    limits.tunnels = tunnels;
    const auto program = steering_program(limits, 14);
    CHECK(program.size() <= BPF_MAXINSNS);
    CHECK(program.back().code == (BPF_RET | BPF_A));
    for (std::size_t i = 0; i < program.size(); ++i) {
      if (BPF_CLASS(program[i].code) == BPF_JMP && BPF_OP(program[i].code) == BPF_JA)
        CHECK(i + 1 + program[i].operand < program.size());
    }
  }
}

TEST_CASE("steering works in a network of its own") {
  if (in_private_network()) return;
  if (!private_network_possible()) {
    CHECK_MESSAGE(std::getenv("CI") == nullptr, "no namespaces here");
    MESSAGE("skipped: user and network namespaces are forbidden here");
    return;
  }
  CHECK(passes_in_private_network("steering"));
}

TEST_SUITE("steering" * doctest::skip(!in_private_network())) {
  TEST_CASE("the kernel steers by what the decoder finds, arriving and departing, so both directions meet") {
    const Wire wire{"wa", "wb"};
    constexpr std::uint32_t kMembers = 7;
    Group arriving{"wb", kMembers, 31};
    Group departing{"wa", kMembers, 32};
    Sender sender{"wa"};
    std::vector<Sent> sent;
    send_all(sender, plain_kinds(), 40, sent);
    send_all(sender, tunnel_kinds(), 40, sent);
    for (Group* group : {&arriving, &departing}) {
      const std::string which = group == &arriving ? "arriving" : "departing";
      CAPTURE(which);
      const auto got = group->who_got();
      CHECK(got.size() == sent.size());
      std::map<std::string, std::set<std::size_t>> members_of_kind;
      for (std::size_t i = 0; i < sent.size(); ++i) {
        const std::string what = sent[i].kind + ", conversation " + std::to_string(sent[i].conversation);
        CAPTURE(what);
        const auto who = got.find(static_cast<std::uint32_t>(i));
        REQUIRE(who != got.end());
        REQUIRE(who->second.size() == 1);
        CHECK(who->second.front() == sent[i].expected % kMembers);
        members_of_kind[sent[i].kind].insert(who->second.front());
      }
      for (const auto& [kind, members] : members_of_kind) CHECK_MESSAGE(members.size() == kMembers, kind);
    }
  }

  TEST_CASE("headers that stand in pages are found, too") {
    const Wire wire{"wa", "wb"};
    constexpr std::uint32_t kMembers = 5;
    // Of a frame longer than a page the kernel takes only the link header into the first part of its buffer.
    constexpr std::size_t kPayload = 6000;
    for (const char* name : {"wa", "wb"}) run(std::string{"ip link set mtu 9000 dev "} + name);
    Group arriving{"wb", kMembers, 31, 9100};
    Group departing{"wa", kMembers, 32, 9100};
    Sender sender{"wa"};
    std::vector<std::uint32_t> expected;
    for (std::uint16_t number = 0; number < 50; ++number) {
      const PacketBuilder packet = tunnel_kinds().front().packet({number, false}).payload(kPayload);
      expected.push_back(expected_steering(decode_inner(packet.bytes()).packet) % kMembers);
      sender.send(marked(packet, number));
    }
    for (Group* group : {&arriving, &departing}) {
      const auto got = group->who_got();
      REQUIRE(got.size() == expected.size());
      for (const auto& [mark, who] : got) CHECK(who == std::vector<std::size_t>{expected.at(mark)});
    }
  }

  TEST_CASE("conversations in tunnels spread evenly over any number of members") {
    const Wire wire{"wa", "wb"};
    constexpr std::uint16_t kConversations = 1000;
    for (std::uint32_t members = 2; members <= 7; ++members) {
      Group group{"wb", members, 31};
      Sender sender{"wa"};
      std::vector<Sent> sent;
      send_all(sender, {tunnel_kinds().front()}, kConversations, sent);
      std::vector<std::uint32_t> share(members);
      for (const auto& [mark, who] : group.who_got()) ++share.at(who.front());
      for (const std::uint32_t packets : share) {
        CAPTURE(members);
        // Five standard deviations of throwing 1000 conversations of two packets at random.
        const double fair = 2.0 * kConversations / members;
        CHECK(std::abs(packets - fair) < 5 * 2 * std::sqrt(kConversations * (1.0 / members) * (1 - 1.0 / members)));
      }
    }
  }
}
