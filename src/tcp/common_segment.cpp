// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/common_segment.hpp"

#include <cstdlib>

#include "whiteowl/base/branchless.hpp"
#include "whiteowl/tcp/duplicate.hpp"
#include "whiteowl/tcp/fingerprint.hpp"
#include "whiteowl/tcp/loss.hpp"
#include "whiteowl/tcp/rtt.hpp"
#include "whiteowl/tcp/segment.hpp"
#include "whiteowl/tcp/window.hpp"

namespace whiteowl {

using namespace direction_flag;

namespace {

// Both directions: acknowledged before, no hold of samples, no probe, no fragment, no FIN.
constexpr std::uint32_t kSettled = kSeen | kUnaKnown | kWindowKnown;
constexpr std::uint32_t kAsked = kSettled | kHeld | kProbePending | kResync | kFinSeen;

constexpr std::uint16_t kFlagsAsked = tcp_flag::kSyn | tcp_flag::kFin | tcp_flag::kRst | tcp_flag::kAck;

bool is_settled(const TcpConversation& conversation, const TcpDirection& sender, const TcpDirection& peer) noexcept {
  return all(((sender.flags & kAsked) | (peer.flags & kAsked)) == kSettled,
             (sender.flags & peer.flags & kSettled) == kSettled, conversation.state == TcpState::established);
}

template <bool kData>
void take(const TcpRules& rules, TcpConversation& conversation, TcpDirection& sender, TcpDirection& peer,
          const Segment& segment) noexcept {
  if constexpr (kData) {
    sender.strikes = 0;
    sender.snd_max = segment.end;
    note_sent(sender, segment.now);
    remember_segment(sender, segment.end, segment.now);
    remember_timestamp(sender, segment, false);
  }
  const bool progress = !kData || !(segment.ack == peer.una);
  if (segment.has_timestamps) {
    sender.ts_max = chosen(segment.ts_is_new, segment.ts_value, sender.ts_max);
    sender.flags |= kTimestamps;
  }
  const std::int32_t echo_us = segment.has_timestamps ? take_echo(peer, segment, progress) : kNoEcho;
  if (progress) {
    sample_ack(rules, conversation, peer, segment, echo_us);
    peer.una = segment.ack;
    peer.duplicate_acks = 0;
  }
  if constexpr (!kData) remember_timestamp(sender, segment, true);
}

}  // namespace

bool observe_common(const TcpRules& rules, TcpConversation& conversation, TcpDirections& directions, unsigned direction,
                    const Packet& packet) noexcept {
  TcpDirection& sender = directions.of[direction];
  TcpDirection& peer = directions.of[direction ^ 1U];
  if (!is_settled(conversation, sender, peer)) return false;
  Segment segment = read_fixed_header(packet);
  if (!read_usual_options(packet, segment)) return false;
  segment.ts_is_new = ts_is_new(segment, sender);
  const bool data = segment.payload > 0;
  const bool open = (segment.flags & kFlagsAsked) == tcp_flag::kAck;
  const bool awake = std::abs(segment.time_us - conversation.last_us) < kLongSilenceUs;
  // So it is inside every window; what place_segment() takes for a probe or a keep-alive has one octet.
  const auto in_flight = static_cast<std::uint32_t>(sender.snd_max - sender.una);
  const bool in_order = all((segment.seq == sender.snd_max) | !data, in_flight <= kAlwaysAcceptable);
  const bool says_something = segment.ack - peer.una >= (data ? 0 : 1);
  const bool believable = !segment.ack.after(peer.snd_max);
  if (!all(open, awake, in_order, segment.payload != 1, says_something, believable)) return false;
  if (rules.dedup) {
    const std::uint32_t print = fingerprint(packet);
    if (knows_fingerprint(sender, print)) return false;
    remember_fingerprint(sender, print);
  }
  conversation.last_us = segment.time_us;
  sender.last_at = segment.now;
  note_raw_window(sender, segment.window);
  sender.window = segment.window;
  if (data)
    take<true>(rules, conversation, sender, peer, segment);
  else
    take<false>(rules, conversation, sender, peer, segment);
  return true;
}

}  // namespace whiteowl
