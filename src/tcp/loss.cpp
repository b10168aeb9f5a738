// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/loss.hpp"

#include <algorithm>

#include "whiteowl/tcp/rtt.hpp"
#include "whiteowl/tcp/window.hpp"

namespace whiteowl {

using namespace direction_flag;

namespace {

constexpr std::uint8_t kStrikes = 3;                       // as many segments outside the window move the window
constexpr std::int32_t kKeepAliveIdleUs = 1'000'000;       // where no ACK says that nothing is outstanding
constexpr std::int32_t kLongestReorderUs = 1'000'000'000;  // a stamp knows no more
constexpr std::int32_t kUnbelievable = 1 << 30;
constexpr unsigned kDuplicateAcks = 3;  // RFC 5681 3.2

// ---- holes, oldest first

void add_hole(TcpColdDirection& cold, Hole hole) noexcept {
  if (cold.hole_count == TcpColdDirection::kHoles) {
    std::copy(cold.holes + 1, cold.holes + cold.hole_count, cold.holes);
    --cold.hole_count;
  }
  cold.holes[cold.hole_count++] = hole;
}

const Hole* first_hole_in(const TcpColdDirection& cold, SeqNum seq, SeqNum end) noexcept {
  const Hole* last = cold.holes + cold.hole_count;
  const Hole* found =
      std::find_if(cold.holes, last, [&](const Hole& hole) { return end.after(hole.left) && hole.right.after(seq); });
  return found == last ? nullptr : found;
}

// What remains of a hole keeps the time at which it was seen.
void fill_holes(TcpColdDirection& cold, SeqNum seq, SeqNum end) noexcept {
  const TcpColdDirection before = cold;
  cold.hole_count = 0;
  for (unsigned i = 0; i < before.hole_count; ++i) {
    const Hole& hole = before.holes[i];
    if (!end.after(hole.left) || !hole.right.after(seq)) add_hole(cold, hole);
  }
  for (unsigned i = 0; i < before.hole_count; ++i) {
    const Hole& hole = before.holes[i];
    if (!end.after(hole.left) || !hole.right.after(seq)) continue;
    if (seq.after(hole.left)) add_hole(cold, {hole.left, seq, hole.seen_at});
    if (hole.right.after(end)) add_hole(cold, {end, hole.right, hole.seen_at});
  }
}

// ---- judgements

void resynchronise(const Exchange& exchange) noexcept {
  TcpDirection& sender = exchange.sender();
  forget_segments(sender);
  forget_timestamps(sender);
  sender.flags &= ~(kUnaKnown | kHeld);
  sender.snd_max = exchange.segment.seq;
  if (auto* cold = exchange.sender_cold()) cold->hole_count = 0;
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

std::int32_t reorder_limit(const Exchange& exchange) noexcept {
  const std::uint32_t here = exchange.sender_cold()->rtt_floor_us;
  const std::uint32_t there = exchange.peer_cold()->rtt_floor_us;
  const std::uint64_t round_trip =
      here != 0 && there != 0 ? std::uint64_t{here} + there : exchange.cold->handshake_total_us;
  if (round_trip != 0) return static_cast<std::int32_t>(std::min<std::uint64_t>(round_trip * 3 / 4, kLongestReorderUs));
  // Duplicate ACKs say that it was missing behind the tap too: reordered at no age.
  return exchange.sender().duplicate_acks < kDuplicateAcks ? exchange.rules.reorder_us : -kLongestReorderUs;
}

// Three quarters of the smallest full round trip: room for a first estimate that was too large.
bool reordered_by_time(const Exchange& exchange) noexcept {
  const TcpDirection& sender = exchange.sender();
  const Segment& segment = exchange.segment;
  if (exchange.cold == nullptr) return false;
  const Hole* hole = first_hole_in(*exchange.sender_cold(), segment.seq, segment.end);
  const bool acknowledged_before = sender.has(kUnaKnown) && !segment.end.after(sender.una);
  return hole != nullptr && !acknowledged_before && !hole->seen_at.older_than(reorder_limit(exchange), segment.now);
}

SegmentKind place_new(const Exchange& exchange, std::int32_t gap) noexcept {
  TcpDirection& sender = exchange.sender();
  const Segment& segment = exchange.segment;
  if (gap > 0) {
    if (auto* cold = exchange.sender_cold()) add_hole(*cold, {sender.snd_max, segment.seq, segment.now});
    hold_rtt(sender, segment.end);
  }
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
  const bool clock = segment.has_timestamps && sender.has(kTimestamps);
  const std::int32_t sent_after = clock ? SeqNum{segment.ts_value} - SeqNum{sender.ts_max} : 0;
  const bool reordered = sent_after < 0 || (sent_after == 0 && reordered_by_time(exchange));
  if (auto* cold = exchange.sender_cold()) fill_holes(*cold, segment.seq, segment.end);
  if (!reordered || !exchange.rules.strict) count_retransmit(sender);
  // By the sender's clock alone, not by holes: no round-trip time may depend on whether holes are remembered.
  if (sent_after >= 0) {
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

void close_holes_below(TcpColdDirection& peer, SeqNum ack) noexcept {
  const TcpColdDirection before = peer;
  peer.hole_count = 0;
  for (unsigned i = 0; i < before.hole_count; ++i) {
    if (!ack.after(before.holes[i].left)) add_hole(peer, before.holes[i]);
  }
  for (unsigned i = 0; i < before.hole_count; ++i) {
    const Hole& hole = before.holes[i];
    if (ack.after(hole.left) && hole.right.after(ack)) add_hole(peer, {ack, hole.right, hole.seen_at});
  }
}

}  // namespace whiteowl
