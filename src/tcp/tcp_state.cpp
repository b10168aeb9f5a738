// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/tcp_state.hpp"

#include "whiteowl/tcp/handshake.hpp"
#include "whiteowl/tcp/loss.hpp"
#include "whiteowl/tcp/rtt.hpp"
#include "whiteowl/tcp/window.hpp"

namespace whiteowl {

using namespace direction_flag;

namespace {

constexpr std::int32_t kNearEnough = 1 << 30;

// First of its direction, and no SYN: the capture began in the middle.  An ACK number that the other side sent before
// is its una, if it is near.
void begin_midstream(TcpDirection& sender, SeqNum seq) noexcept {
  sender.flags |= kSeen | kMidstream;
  sender.snd_max = seq;
  const std::int32_t ahead = sender.una - seq;
  if (ahead > 0 || ahead <= -kNearEnough) sender.flags &= ~kUnaKnown;
}

// RFC 5681 2: nothing but the same ACK number again, while data is outstanding.  A lone D-SACK (RFC 2883) tells of a
// repeat that was not needed, not of a loss.
AckKind observe_same_ack(const Exchange& exchange) noexcept {
  const TcpDirection& sender = exchange.sender();
  TcpDirection& peer = exchange.peer();
  const Segment& segment = exchange.segment;
  if (segment.length != 0 || !sender.has(kWindowKnown) || segment.window != sender.window) return AckKind::same;
  if (!peer.snd_max.after(peer.una)) return AckKind::same;
  if (segment.options != nullptr && segment.options->sack_count == 1 &&
      !SeqNum{segment.options->sack[0].right}.after(segment.ack))
    return AckKind::same;
  if (peer.duplicate_acks != 0xFF) ++peer.duplicate_acks;
  forget_segments(peer);
  hold_rtt(peer, peer.snd_max);
  return AckKind::duplicate;
}

// False: the ACK number is not to be believed.
bool observe_new_ack(const Exchange& exchange, std::int32_t echo_us) noexcept {
  TcpDirection& peer = exchange.peer();
  const SeqNum ack = exchange.segment.ack;
  if (!advance_to_ack(exchange)) return false;
  sample_ack(exchange.rules, exchange.conversation, peer, exchange.segment, echo_us);
  time_third_packet(exchange);
  peer.una = ack;
  lift_served_hold(peer);
  peer.duplicate_acks = 0;
  return true;
}

AckKind acknowledge(const Exchange& exchange) noexcept {
  TcpDirection& peer = exchange.peer();
  const Segment& segment = exchange.segment;
  if (!peer.has(kSeen)) {
    peer.una = segment.ack;
    peer.flags |= kUnaKnown;
    return AckKind::unseen_peer;
  }
  if (!peer.has(kUnaKnown)) {  // the first ACK counts as progress
    peer.una = segment.ack.after(peer.snd_max) ? peer.snd_max : segment.ack + 0xFFFFFFFFU;
    peer.flags |= kUnaKnown;
  }
  const std::int32_t progress = segment.ack - peer.una;
  const bool held = peer.has(kHeld) && peer.una.before(peer.recover);
  const std::int32_t echo_us = segment.has_timestamps ? take_echo(peer, segment, progress > 0 && !held) : kNoEcho;
  AckKind kind = AckKind::old;
  if (progress > 0) {
    if (!observe_new_ack(exchange, echo_us)) return AckKind::unbelievable;
    kind = AckKind::progress;
  } else if (progress == 0) {
    kind = observe_same_ack(exchange);
  }
  if (segment.length == 0) remember_timestamp(exchange.sender(), segment, true);
  return kind;
}

void note_fin_acked(TcpDirection& direction) noexcept {
  if (direction.has(kFinSeen | kUnaKnown) && !direction.una.before(direction.control_end)) direction.flags |= kFinAcked;
}

void advance_state(const Exchange& exchange) noexcept {
  TcpConversation& conversation = exchange.conversation;
  TcpDirection& sender = exchange.sender();
  TcpDirection& peer = exchange.peer();
  const Segment& segment = exchange.segment;
  TcpState& state = conversation.state;
  if ((state == TcpState::syn_sent || state == TcpState::syn_ack_seen) && segment.has(tcp_flag::kAck)) {
    const bool third =
        state == TcpState::syn_ack_seen && peer.has(kSeen) && conversation.client == exchange.direction + 1U;
    if (third || segment.length > 0) state = TcpState::established;
  }
  if (segment.has(tcp_flag::kFin)) {
    sender.control_end = segment.end;
    sender.flags |= kFinSeen;
    if (state != TcpState::closed) state = TcpState::fin_wait;
  }
  if (((sender.flags | peer.flags) & kFinSeen) == 0) return;
  note_fin_acked(sender);
  note_fin_acked(peer);
  if (sender.has(kFinAcked) && peer.has(kFinAcked)) state = TcpState::closed;
}

}  // namespace

SegmentStory observe_segment(const Exchange& exchange) noexcept {
  TcpConversation& conversation = exchange.conversation;
  TcpDirection& sender = exchange.sender();
  const Segment& segment = exchange.segment;
  note_raw_window(sender, segment.window);
  if (!sender.has(kSeen)) begin_midstream(sender, segment.seq);
  if (conversation.state == TcpState::fresh) conversation.state = TcpState::established;

  const SegmentKind kind = segment.length > 0 ? place_segment(exchange) : SegmentKind::none;
  if (kind == SegmentKind::invalid) return {kind, AckKind::none};
  if (segment.ts_is_new) {
    sender.ts_max = segment.ts_value;
    sender.flags |= kTimestamps;
  }
  const AckKind ack = segment.has(tcp_flag::kAck) ? acknowledge(exchange) : AckKind::none;
  set_window(sender, segment.window);
  advance_state(exchange);
  return {kind, ack};
}

void observe_reset(const Exchange& exchange) noexcept {
  TcpConversation& conversation = exchange.conversation;
  if (conversation.state != TcpState::closed) {
    const unsigned side = exchange.direction != 0 ? conversation_flag::kResetSide : 0U;
    conversation.flags = static_cast<std::uint16_t>((conversation.flags & ~conversation_flag::kResetSide) |
                                                    conversation_flag::kReset | side);
  }
  conversation.state = TcpState::closed;
  for (TcpDirection& direction : exchange.directions.of) {
    forget_segments(direction);
    forget_timestamps(direction);
  }
}

}  // namespace whiteowl
