// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/repeat.hpp"

#include <algorithm>

#include "whiteowl/tcp/hole.hpp"

namespace whiteowl {

using namespace direction_flag;
using namespace cold_flag;

namespace {

constexpr std::int32_t kLongestReorderUs = 1'000'000'000;  // a stamp knows no more
constexpr unsigned kDuplicateAcks = 3;                     // RFC 5681 3.2

// Three quarters of the smallest full round trip: room for a first estimate that was too large.
std::int32_t reorder_limit(const Observed& observed) noexcept {
  const std::uint32_t here = observed.sender_cold().rtt_floor_us;
  const std::uint32_t there = observed.peer_cold().rtt_floor_us;
  const std::uint64_t round_trip =
      here != 0 && there != 0 ? std::uint64_t{here} + there : observed.cold.handshake_total_us;
  if (round_trip != 0) return static_cast<std::int32_t>(std::min<std::uint64_t>(round_trip * 3 / 4, kLongestReorderUs));
  // Duplicate ACKs say that it was missing behind the tap too: reordered at no age.
  return observed.before.duplicate_acks < kDuplicateAcks ? observed.exchange.rules.reorder_us : -kLongestReorderUs;
}

// What the tap knows of a segment below the highest end.
struct Below {
  bool reordered;
  bool spurious;  // the tap saw all of it acknowledged
};

Below judge(const Observed& observed) noexcept {
  const TcpDirection& sender = observed.exchange.sender();
  const Segment& segment = observed.segment();
  if (observed.story.kind == SegmentKind::reordered) return {true, false};
  const bool spurious = sender.has(kUnaKnown) && !segment.end.after(sender.una);
  const bool sent_later = segment.has_timestamps && observed.before.has(kTimestamps) &&
                          SeqNum{segment.ts_value}.after(SeqNum{observed.before.ts_max});
  if (sent_later || spurious) return {false, spurious};
  const Hole* hole = first_hole_in(observed.sender_cold(), segment.seq, segment.end);
  return {hole != nullptr && !hole->seen_at.older_than(reorder_limit(observed), segment.now), false};
}

bool recovering(const Observed& observed, std::uint16_t kind) noexcept {
  const TcpDirection& sender = observed.exchange.sender();
  const TcpColdDirection& cold = observed.sender_cold();
  return cold.has(kind) && sender.has(kUnaKnown) && sender.una.before(cold.recovery_point);
}

bool loss_evident(const Observed& observed) noexcept {
  const TcpDirection& sender = observed.exchange.sender();
  const TcpColdDirection& cold = observed.sender_cold();
  if (observed.before.duplicate_acks >= kDuplicateAcks || recovering(observed, kFastRecovery)) return true;
  return cold.has(kSacked) && sender.has(kUnaKnown) && cold.sack_high.after(observed.segment().seq) &&
         cold.sack_high.after(sender.una);
}

void begin_recovery(const Observed& observed, std::uint16_t kind) noexcept {
  TcpColdDirection& cold = observed.sender_cold();
  cold.clear(kFastRecovery | kTimeoutRecovery);
  cold.mark(kind);
  cold.recovery_point = observed.before.snd_max;
}

void classify(const Observed& observed) noexcept {
  TcpColdDirection& cold = observed.sender_cold();
  const SenderBefore& before = observed.before;
  const UsStamp now = observed.segment().now;
  const std::int32_t silence_us = observed.exchange.rules.timeout_us;
  const bool acked_long_ago = cold.has(kAcked) && cold.acked_at.older_than(silence_us, now);
  const bool sent_long_ago = before.has(kSent) && before.sent_at.older_than(silence_us, now);
  const bool quiet = (acked_long_ago || !cold.has(kAcked)) && (sent_long_ago || !before.has(kSent)) &&
                     (acked_long_ago || sent_long_ago);  // nothing sent, nothing acknowledged
  const bool waited = cold.has(kAcked) ? acked_long_ago : sent_long_ago;
  const bool evident = loss_evident(observed);
  if (evident && !quiet && !recovering(observed, kTimeoutRecovery)) {
    count(cold.fast_count);
    if (!recovering(observed, kFastRecovery)) begin_recovery(observed, kFastRecovery);
  } else if (quiet || (waited && !evident)) {
    count(cold.timeout_count);
    begin_recovery(observed, kTimeoutRecovery);
  }
}

void observe_below(const Observed& observed) noexcept {
  TcpColdDirection& cold = observed.sender_cold();
  const Segment& segment = observed.segment();
  const std::int32_t beyond = segment.end - observed.before.snd_max;
  const std::uint32_t tail = beyond > 0 ? static_cast<std::uint32_t>(beyond) : 0U;
  const Below below = judge(observed);
  const std::uint32_t filled = cold.hole_count != 0 ? fill_holes(cold, segment.seq, segment.end) : 0;
  cold.unique_octets.count(std::min(segment.payload, filled + tail));
  if (below.reordered) {
    count(cold.out_of_order_count);
    std::uint32_t& counted = observed.exchange.sender().retransmit_count;
    if (observed.exchange.rules.strict && observed.story.kind == SegmentKind::repeat && counted > 0) --counted;
    return;
  }
  cold.retransmit_octets.count(segment.payload - std::min(segment.payload, tail));
  if (below.spurious) count(cold.spurious_count);
  classify(observed);
}

void note_in_flight(const Observed& observed) noexcept {
  const TcpDirection& sender = observed.exchange.sender();
  const std::int32_t octets = sender.snd_max - sender.una;
  if (!sender.has(kUnaKnown) || octets <= 0 || octets >= (1 << 30)) return;
  TcpColdDirection& cold = observed.sender_cold();
  cold.in_flight_max = std::max(cold.in_flight_max, static_cast<std::uint32_t>(octets));
}

}  // namespace

void observe_octets(const Observed& observed) noexcept {
  TcpColdDirection& cold = observed.sender_cold();
  const Segment& segment = observed.segment();
  // Only the third segment in a row outside the window makes una unknown.
  if (observed.before.has(kUnaKnown) && observed.before.has(kSeen) && !observed.exchange.sender().has(kUnaKnown))
    cold.hole_count = 0;
  switch (observed.story.kind) {
    case SegmentKind::probe:
      return count(cold.zero_window_probe_count);
    case SegmentKind::keep_alive:
      return count(cold.keepalive_count);
    case SegmentKind::gap:
      add_hole(cold, {observed.before.snd_max, segment.seq, segment.now});
      [[fallthrough]];
    case SegmentKind::fresh:
      cold.unique_octets.count(segment.payload);
      break;
    default:
      observe_below(observed);
  }
  note_in_flight(observed);
}

void observe_syn_repeat(const Observed& observed) noexcept {
  TcpColdDirection& cold = observed.sender_cold();
  count(cold.syn_retransmit_count);
  count(cold.timeout_count);
  if (!observed.segment().has(tcp_flag::kAck)) cold.mark(kSynRepeated);
}

void end_recovery(TcpColdDirection& peer, SeqNum ack) noexcept {
  if ((peer.flags & (kFastRecovery | kTimeoutRecovery)) != 0 && !ack.before(peer.recovery_point))
    peer.clear(kFastRecovery | kTimeoutRecovery);
}

}  // namespace whiteowl
