// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/seed.hpp"

#include <cstring>

namespace whiteowl {

using namespace direction_flag;

namespace {
constexpr std::uint8_t kSown = 1, kStamped = 2, kWindowCounted = 4;
constexpr unsigned kShiftAt = 4;  // four bits: window shift + 1
constexpr std::uint32_t kAfterSyn = kSeen | kSynSent | kSent | kWindowKnown;
}  // namespace

void grow(const TcpConversation& conversation, TcpDirections& directions) noexcept {
  const TcpSeed& seed = conversation.seed;
  const unsigned side = conversation.client - 1U;
  directions = TcpDirections{};
  TcpDirection& opener = directions.of[side & 1U];
  opener.flags = kAfterSyn | ((seed.marks & kStamped) != 0 ? kTimestamps : 0U);
  opener.snd_max = conversation.isn[side & 1U] + 1U + conversation.syn_payload[side & 1U];
  opener.control_end = conversation.isn[side & 1U] + 1U;
  opener.ts_max = seed.ts_value;
  opener.sent_at = opener.last_at = UsStamp{conversation.last_us};
  directions.of[(side & 1U) ^ 1U].sent_at = opener.sent_at - kLongAgoUs;  // a first packet follows a long silence
  opener.fingerprints[0] = seed.fingerprint;
  opener.window = seed.window;
  opener.window_shift_plus_1 = static_cast<std::uint8_t>(seed.marks >> kShiftAt);
  if ((seed.marks & kWindowCounted) != 0) {
    opener.window_min_inverted = static_cast<std::uint16_t>(0xFFFFU - seed.window);
    opener.window_max = seed.window;
  }
}

// Whatever a later rule adds to the directions: what does not grow again is not sown.
bool sow(TcpConversation& conversation, const TcpDirections& directions) noexcept {
  conversation.seed = {};
  if (conversation.state != TcpState::syn_sent || conversation.client == 0) return false;
  const TcpDirection& opener = directions.of[conversation.client - 1U];
  const bool counted = opener.window_min_inverted != 0 || opener.window_max != 0;
  conversation.seed = {.ts_value = opener.ts_max,
                       .fingerprint = opener.fingerprints[0],
                       .window = opener.window,
                       .marks = static_cast<std::uint8_t>(kSown | (opener.has(kTimestamps) ? kStamped : 0U) |
                                                          (counted ? kWindowCounted : 0U) |
                                                          unsigned{opener.window_shift_plus_1} << kShiftAt)};
  TcpDirections grown;
  grow(conversation, grown);
  if (std::memcmp(&grown, &directions, sizeof grown) == 0) return true;
  conversation.seed = {};
  return false;
}

bool take_seed_window(TcpConversation& conversation, unsigned direction, std::uint16_t& window) noexcept {
  TcpSeed& seed = conversation.seed;
  if (conversation.client != direction + 1U || (seed.marks & kWindowCounted) == 0) return false;
  seed.marks = static_cast<std::uint8_t>(seed.marks & ~kWindowCounted);
  window = seed.window;
  return true;
}

}  // namespace whiteowl
