// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/common_segment.hpp"

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

bool slept_long(const TcpConversation& conversation, const Segment& segment) noexcept {
  constexpr std::int64_t kLongest = kLongSilenceUs - 1;  // either way: the clock may have gone back
  return static_cast<std::uint64_t>(segment.time_us - conversation.last_us + kLongest) > 2 * kLongest;
}

// Each question is nearly always answered the same way, which makes a branch cheaper than to ask them all.
template <bool kData>
bool is_common(const TcpDirection& sender, const TcpDirection& peer, const Segment& segment) noexcept {
  // What place_segment() takes for a probe or a keep-alive has one octet.
  if (kData && (segment.payload == 1 || !(segment.seq == sender.snd_max))) return false;
  // So it is inside every window.
  if (static_cast<std::uint32_t>(sender.snd_max - sender.una) > kAlwaysAcceptable) return false;
  return segment.ack - peer.una >= (kData ? 0 : 1) && !segment.ack.after(peer.snd_max);
}

template <bool kData>
void take(const TcpRules& rules, TcpConversation& conversation, TcpDirection& sender, TcpDirection& peer,
          const Segment& segment) noexcept {
  conversation.last_us = segment.time_us;
  sender.last_at = segment.now;
  note_raw_window(sender, segment.window);
  sender.window = segment.window;
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

// The packet's segment, of which nothing but the question whether it is common is still open.
template <bool kData>
bool observe_as(const TcpRules& rules, TcpConversation& conversation, TcpDirection& sender, TcpDirection& peer,
                const Packet& packet, Segment& segment) noexcept {
  segment.length = kData ? segment.payload : 0;  // neither SYN nor FIN
  segment.end = segment.seq + segment.length;
  segment.ts_is_new = ts_is_new(segment, sender);
  if (!is_common<kData>(sender, peer, segment)) return false;
  if (rules.dedup) {
    const std::uint32_t print = fingerprint(packet);
    if (knows_fingerprint(sender, print)) return false;
    remember_fingerprint(sender, print);
  }
  take<kData>(rules, conversation, sender, peer, segment);
  return true;
}

}  // namespace

bool observe_common(const TcpRules& rules, TcpConversation& conversation, TcpDirections& directions, unsigned direction,
                    const Packet& packet) noexcept {
  TcpDirection& sender = at_kept_address(directions.of[direction]);
  TcpDirection& peer = at_kept_address(directions.of[direction ^ 1U]);
  if (!is_settled(conversation, sender, peer)) return false;
  Segment segment = read_fixed_header(packet);
  if ((segment.flags & kFlagsAsked) != tcp_flag::kAck || !read_usual_options(packet, segment)) return false;
  if (slept_long(conversation, segment)) return false;
  return segment.payload > 0 ? observe_as<true>(rules, conversation, sender, peer, packet, segment)
                             : observe_as<false>(rules, conversation, sender, peer, packet, segment);
}

}  // namespace whiteowl
