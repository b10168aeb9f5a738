// SPDX-License-Identifier: Apache-2.0
// The short way of the common segment against the long way, which a meter that also meters the extended set takes for
// every segment.
#include "whiteowl/tcp/common_segment.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "harness.hpp"
#include "random_stream.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

constexpr std::uint64_t kTupleHash = ConversationRun::kTupleHash;

struct Side {
  explicit Side(const TcpSettings& settings) : meter{settings, 1, 1} { conversation.place = 1; }

  TcpVerdict feed(const ScriptPacket& line) {
    ScriptFrame frame{line, {}};
    const TcpVerdict verdict = meter.observe(conversation, line.direction, frame.packet(), kTupleHash);
    if (verdict == TcpVerdict::restart) meter.restart(conversation, line.direction, frame.packet(), kTupleHash);
    return verdict;
  }

  TcpMeter meter;
  TcpConversation conversation{};
};

bool same(const TcpConversation& a, const TcpConversation& b) {
  return std::memcmp(&a, &b, offsetof(TcpConversation, seed)) == 0 && a.seed.ts_value == b.seed.ts_value &&
         a.seed.fingerprint == b.seed.fingerprint && a.seed.window == b.seed.window && a.seed.marks == b.seed.marks;
}

bool same(const TcpDirections& a, const TcpDirections& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// But for the mark that there is a cold part.
bool same(const Side& brief, const Side& whole) {
  TcpConversation a = brief.conversation, b = whole.conversation;
  a.flags = static_cast<std::uint16_t>(a.flags & ~conversation_flag::kColdBegun);
  b.flags = static_cast<std::uint16_t>(b.flags & ~conversation_flag::kColdBegun);
  return same(a, b) && same(brief.meter.directions(brief.conversation), whole.meter.directions(whole.conversation));
}

bool takes_short_way(const TcpSettings& settings, const Side& side, const ScriptPacket& line) {
  if ((side.conversation.flags & conversation_flag::kSpread) == 0) return false;
  TcpConversation conversation = side.conversation;
  TcpDirections directions = side.meter.directions(side.conversation);
  const TcpConversation conversation_before = conversation;
  const TcpDirections before = directions;
  ScriptFrame frame{line, {}};
  const bool taken = observe_common(TcpRules{settings}, conversation, directions, line.direction, frame.packet());
  if (!taken) {
    CHECK(same(conversation, conversation_before));
    CHECK(same(directions, before));
  }
  return taken;
}

struct Share {
  std::size_t packets = 0, short_way = 0;
};

Share compare(const std::vector<ScriptPacket>& lines, bool dedup, bool ts_rtt) {
  TcpSettings settings;
  settings.syn_cache_max = 64;
  settings.dedup = dedup;
  settings.ts_rtt = ts_rtt;
  Side brief{settings};
  settings.extended = true;
  Side whole{settings};
  settings.extended = false;
  Share share;
  for (const auto& line : lines) {
    ++share.packets;
    if (takes_short_way(settings, brief, line)) ++share.short_way;
    const bool agree = brief.feed(line) == whole.feed(line) && same(brief, whole);
    INFO("packet " << share.packets);
    REQUIRE(agree);
  }
  return share;
}

}  // namespace

TEST_CASE("the short way leaves what the long way leaves, octet for octet") {
  Share wild, whole;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    const bool dedup = seed % 4 != 0, ts_rtt = seed % 3 != 0;
    INFO("seed " << seed);
    for (const auto& lines : {wild_stream(seed, 60), mutated_stream(clean_stream(seed, 40), seed),
                              mutated_stream(bulk_stream(seed, 60), seed)}) {
      const Share part = compare(lines, dedup, ts_rtt);
      wild.packets += part.packets;
      wild.short_way += part.short_way;
    }
    for (const auto& lines : {clean_stream(seed, 40), bulk_stream(seed, 60)}) {
      const Share part = compare(lines, dedup, ts_rtt);
      whole.packets += part.packets;
      whole.short_way += part.short_way;
    }
  }
  MESSAGE("short way: " << wild.short_way << " of " << wild.packets << " spoilt, " << whole.short_way << " of "
                        << whole.packets << " whole");
  CHECK(wild.short_way > wild.packets / 10);
  CHECK(whole.short_way > whole.packets / 2);
}
