// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/handshake.hpp"

#include <algorithm>

#include "whiteowl/tcp/loss.hpp"
#include "whiteowl/tcp/rtt.hpp"
#include "whiteowl/tcp/window.hpp"

namespace whiteowl {

using namespace direction_flag;
using namespace conversation_flag;

namespace {

constexpr std::uint16_t kPendingShift = 0xFU << kPendingShiftAt;

unsigned pending_side(const TcpConversation& conversation) noexcept {
  return (conversation.flags & kPendingSide) != 0 ? 1 : 0;
}

bool proves_pending(const TcpConversation& conversation, unsigned direction, const Segment& segment) noexcept {
  return (conversation.flags & kPendingSyn) != 0 && segment.has(tcp_flag::kAck) &&
         pending_side(conversation) != direction && segment.ack - conversation.pending_isn == 1;
}

std::uint8_t window_shift_plus_1(const Segment& segment) noexcept {
  if (segment.options == nullptr || !segment.options->has_window_scale) return 0;
  return static_cast<std::uint8_t>(segment.options->window_scale + 1U);
}

void open_direction(const Exchange& exchange) noexcept {
  TcpDirection& sender = exchange.sender();
  const Segment& segment = exchange.segment;
  exchange.conversation.isn[exchange.direction] = segment.seq;
  exchange.conversation.syn_payload[exchange.direction] =
      static_cast<std::uint16_t>(std::min<std::uint32_t>(segment.payload, 0xFFFF));
  sender.flags = (sender.flags & ~(kMidstream | kUnaKnown | kTimestamps | kSynHadAck)) | kSeen;
  if (segment.has(tcp_flag::kAck)) sender.flags |= kSynHadAck;
  if (segment.has_timestamps) sender.flags |= kTimestamps;
  sender.ts_max = segment.ts_value;
  sender.snd_max = segment.end;
  if (!sender.has(kFinSeen)) sender.control_end = segment.seq + 1U;
  sender.window_shift_plus_1 = window_shift_plus_1(segment);
}

void observe_opening_syn(const Exchange& exchange, const SynKeys& keys, SynCache& cache) noexcept {
  TcpConversation& conversation = exchange.conversation;
  TcpDirection& sender = exchange.sender();
  if (conversation.client == 0) conversation.client = static_cast<std::uint8_t>(exchange.direction + 1U);
  // A SYN with FIN opens nothing; one that was answered and timed needs no place in the cache any more.
  if (!exchange.segment.has(tcp_flag::kFin)) {
    if (!sender.has(kHandshakeTimed))
      conversation.syn_payload[exchange.direction] = cache.insert(keys.sender, exchange.segment);
    sender.flags |= kSynSent;
  }
  if (conversation.state == TcpState::fresh || conversation.state == TcpState::closed ||
      conversation.state == TcpState::fin_wait)
    conversation.state = TcpState::syn_sent;
}

void observe_syn_ack(const Exchange& exchange, const SynKeys& keys, SynCache& cache) noexcept {
  TcpConversation& conversation = exchange.conversation;
  TcpDirection& sender = exchange.sender();
  TcpDirection& peer = exchange.peer();
  const Segment& segment = exchange.segment;
  const unsigned other = exchange.direction ^ 1U;
  if (conversation.client == 0) conversation.client = static_cast<std::uint8_t>(other + 1U);
  if (!peer.has(kHandshakeTimed)) {
    // Also where the SYN belongs to an entry that is gone: the sample goes to the side that opened.
    if (const auto us = cache.answer(keys.peer, segment)) {
      peer.flags |= kHandshakeTimed;
      add_rtt_sample(peer, *us);
    }
  }
  const std::int32_t acknowledged = segment.ack - conversation.isn[other];
  if (peer.has(kSynSent) && acknowledged >= 1 && acknowledged <= 1 + conversation.syn_payload[other] &&
      (!peer.has(kUnaKnown) || segment.ack.after(peer.una))) {
    peer.una = segment.ack;
    peer.flags |= kUnaKnown;
  }
  forget_segments(sender);
  if (sender.has(kSynAckOnce)) {
    sender.flags |= kSynAckAgain;
  } else {
    sender.flags |= kSynAckOnce;
    remember_segment(sender, sender.snd_max, segment.now);
  }
  if (conversation.state == TcpState::fresh || conversation.state == TcpState::syn_sent)
    conversation.state = TcpState::syn_ack_seen;
}

// The SYN that `segment` proves, as far as the conversation and the cache remember it.  Its window stays unknown.
void adopt_pending(const Exchange& exchange, SeqNum isn, std::uint8_t shift_plus_1,
                   const std::optional<SynCache::Syn>& syn) noexcept {
  TcpConversation& conversation = exchange.conversation;
  const unsigned side = exchange.direction ^ 1U;
  TcpDirection& opener = exchange.peer();
  conversation.client = static_cast<std::uint8_t>(side + 1U);
  conversation.state = TcpState::syn_sent;
  conversation.isn[side] = isn;
  conversation.syn_payload[side] = syn ? syn->payload : 0;
  opener.flags = kSeen | kSynSent;
  opener.snd_max = isn + 1U + conversation.syn_payload[side];
  opener.control_end = isn + 1U;
  opener.window_shift_plus_1 = shift_plus_1;
  if (!syn) return;
  if (syn->has_timestamps) {
    opener.flags |= kTimestamps;
    opener.ts_max = syn->ts_value;
  }
}

}  // namespace

SynMeaning judge_syn(const Exchange& exchange) noexcept {
  const TcpConversation& conversation = exchange.conversation;
  const TcpDirection& sender = exchange.sender();
  if (proves_pending(conversation, exchange.direction, exchange.segment)) return SynMeaning::reuse;
  if (!sender.has(kSeen)) return SynMeaning::opening;
  if (!sender.has(kMidstream) && conversation.isn[exchange.direction] == exchange.segment.seq)
    return SynMeaning::repeat;
  const bool live = conversation.state == TcpState::syn_ack_seen || conversation.state == TcpState::established;
  return live ? SynMeaning::stray : SynMeaning::reuse;
}

void observe_syn(const Exchange& exchange, SynMeaning meaning, const SynKeys& keys, SynCache& cache) noexcept {
  TcpDirection& sender = exchange.sender();
  const Segment& segment = exchange.segment;
  const bool syn_ack = segment.has(tcp_flag::kAck);
  if (meaning == SynMeaning::opening) {
    open_direction(exchange);
  } else if (syn_ack && !sender.has(kSynHadAck)) {
    sender.flags |=
        kSynHadAck;  // simultaneous open (RFC 9293 3.5): its SYN comes again with an ACK, which is no repeat
  } else {
    count_retransmit(sender);
  }
  note_sent(sender, segment.now);
  if (syn_ack) {
    observe_syn_ack(exchange, keys, cache);
  } else {
    observe_opening_syn(exchange, keys, cache);
  }
  set_window(sender, segment.window);
}

void remember_stray_syn(const Exchange& exchange, const SynKeys& keys, SynCache& cache) noexcept {
  const Segment& segment = exchange.segment;
  if (segment.has(tcp_flag::kAck)) return;
  TcpConversation& conversation = exchange.conversation;
  conversation.pending_isn = segment.seq;
  const unsigned shift = unsigned{window_shift_plus_1(segment)} << kPendingShiftAt;
  const unsigned side = exchange.direction != 0 ? kPendingSide : 0U;
  conversation.flags =
      static_cast<std::uint16_t>((conversation.flags & ~(kPendingShift | kPendingSide)) | kPendingSyn | side | shift);
  if (!segment.has(tcp_flag::kFin)) cache.insert(keys.sender, segment);
}

void reuse_tuple(const Exchange& exchange, const SynKeys& keys, const SynCache& cache) noexcept {
  TcpConversation& conversation = exchange.conversation;
  const TcpConversation old = conversation;
  conversation = TcpConversation{};
  for (TcpDirection& direction : exchange.directions.of) {
    const TcpDirection before = direction;
    direction = TcpDirection{};
    std::copy(std::begin(before.fingerprints), std::end(before.fingerprints), std::begin(direction.fingerprints));
    direction.last_at = before.last_at;
  }
  conversation.flags = old.flags & (kCapturedTwice | kSpread);
  conversation.place = old.place;
  conversation.last_us = old.last_us;
  if (proves_pending(old, exchange.direction, exchange.segment)) {
    const auto shift = static_cast<std::uint8_t>((old.flags & kPendingShift) >> kPendingShiftAt);
    adopt_pending(exchange, old.pending_isn, shift, cache.find(keys.peer, old.pending_isn, exchange.segment.time_us));
  }
}

void time_third_packet(const Exchange& exchange) noexcept {
  TcpDirection& peer = exchange.peer();
  const TcpConversation& conversation = exchange.conversation;
  const Segment& segment = exchange.segment;
  if (conversation.state != TcpState::syn_ack_seen || conversation.client != exchange.direction + 1U) return;
  if (peer.has(kHandshakeTimed) || !peer.has(kSynAckOnce) || peer.has(kSynAckAgain)) return;
  // The initial sequence number lies in a line of memory that nothing else here needs.
  const SeqNum behind_syn = peer.has(kFinSeen) ? conversation.isn[exchange.direction ^ 1U] + 1U : peer.control_end;
  if (!(segment.ack == behind_syn)) return;
  peer.flags |= kHandshakeTimed;
}

}  // namespace whiteowl
