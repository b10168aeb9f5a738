// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/loss.hpp"

#include "whiteowl/tcp/rtt.hpp"
#include "whiteowl/tcp/window.hpp"

namespace whiteowl {

using namespace direction_flag;

namespace {

constexpr std::uint8_t kStrikes = 3;                  // as many segments outside the window move the window
constexpr std::int32_t kKeepAliveIdleUs = 1'000'000;  // where no ACK says that nothing is outstanding
constexpr std::int32_t kUnbelievable = 1 << 30;

void resynchronise(const Exchange& exchange) noexcept {
  TcpDirection& sender = exchange.sender();
  forget_segments(sender);
  forget_timestamps(sender);
  sender.flags &= ~(kUnaKnown | kHeld);
  sender.snd_max = exchange.segment.seq;
}

// One octet that the receiver need not take: SND.NXT - 1 with nothing outstanding (keep-alive, RFC 9293 3.8.4), or the
// next octet into a closed window (RFC 9293 3.8.6.1).
SegmentKind judge_probe(const Exchange& exchange, std::int32_t gap) noexcept {
  TcpDirection& sender = exchange.sender();
  const Segment& segment = exchange.segment;
  const bool closed = zero_window(exchange.peer());
  if (gap == -1) {
    const bool idle = sender.has(kUnaKnown)
                          ? sender.una == sender.snd_max
                          : sender.has(kSent) && sender.sent_at.older_than(kKeepAliveIdleUs, segment.now);
    if (idle) return closed ? SegmentKind::probe : SegmentKind::keep_alive;
  }
  if (closed && sender.has(kUnaKnown) && (segment.seq == sender.una || gap == 0)) {
    if (gap == 0) sender.flags |= kProbePending;
    return SegmentKind::probe;
  }
  return SegmentKind::none;
}

// The sender's clock says so (RFC 7323 5).
bool sent_before_newest(const Segment& segment, const TcpDirection& sender) noexcept {
  return segment.has_timestamps && sender.has(kTimestamps) && SeqNum{segment.ts_value}.before(SeqNum{sender.ts_max});
}

SegmentKind place_new(const Exchange& exchange, std::int32_t gap) noexcept {
  TcpDirection& sender = exchange.sender();
  const Segment& segment = exchange.segment;
  if (gap > 0) hold_rtt(sender, segment.end);
  sender.snd_max = segment.end;
  sender.flags &= ~kProbePending;
  note_sent(sender, segment.now);
  if (!rtt_held(sender)) remember_segment(sender, segment.end, segment.now);
  remember_timestamp(sender, segment, false);
  return gap > 0 ? SegmentKind::gap : SegmentKind::fresh;
}

SegmentKind place_below(const Exchange& exchange) noexcept {
  TcpDirection& sender = exchange.sender();
  const Segment& segment = exchange.segment;
  const bool reordered = sent_before_newest(segment, sender);
  if (!reordered || !exchange.rules.strict) count_retransmit(sender);
  if (!reordered) {
    note_sent(sender, segment.now);
    remember_timestamp(sender, segment, false);
  }
  if (segment.end.after(sender.snd_max)) {
    sender.snd_max = segment.end;
    sender.flags &= ~kProbePending;
  }
  forget_segments_above(sender, segment.seq);
  hold_rtt(sender, sender.snd_max);
  return reordered ? SegmentKind::reordered : SegmentKind::repeat;
}

}  // namespace

SegmentKind place_segment(const Exchange& exchange) noexcept {
  TcpDirection& sender = exchange.sender();
  const Segment& segment = exchange.segment;
  if (!acceptable(exchange)) {
    if (++sender.strikes < kStrikes) return SegmentKind::invalid;
    resynchronise(exchange);
  }
  sender.strikes = 0;
  if (sender.has(kResync)) {
    sender.flags &= ~kResync;
    if (segment.seq.after(sender.snd_max)) sender.snd_max = segment.seq;
  }
  const std::int32_t gap = segment.seq - sender.snd_max;
  if (segment.payload == 1 && !segment.has(tcp_flag::kFin)) {
    if (const SegmentKind kind = judge_probe(exchange, gap); kind != SegmentKind::none) return kind;
  }
  return gap >= 0 ? place_new(exchange, gap) : place_below(exchange);
}

bool advance_to_ack(const Exchange& exchange) noexcept {
  TcpDirection& peer = exchange.peer();
  const SeqNum ack = exchange.segment.ack;
  const std::int32_t beyond = ack - peer.snd_max;
  if (beyond <= 0) return true;
  const bool probe_taken = beyond == 1 && peer.has(kProbePending);
  if (beyond > kUnbelievable) return false;
  if (!probe_taken) forget_segments(peer);
  peer.snd_max = ack;
  peer.flags &= ~kProbePending;
  return true;
}

}  // namespace whiteowl
