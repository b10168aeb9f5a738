// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/rtt.hpp"

#include <algorithm>

namespace whiteowl {

using namespace direction_flag;

namespace {
constexpr std::int32_t kStaleUs = 60'000'000;  // nothing older is matched
}

void add_rtt_sample(TcpDirection& direction, std::int64_t us) noexcept {
  if (us < 0) return;
  const auto sample = static_cast<std::uint32_t>(std::max<std::int64_t>(us, 1));
  direction.rtt_min_us = direction.rtt_count == 0 ? sample : std::min(direction.rtt_min_us, sample);
  direction.rtt_max_us = std::max(direction.rtt_max_us, sample);
  direction.rtt_sum_us += sample;
  ++direction.rtt_count;
}

void hold_rtt(TcpDirection& direction, SeqNum point) noexcept {
  if (direction.has(kHeld) && !point.after(direction.recover)) return;
  direction.recover = point;
  direction.flags |= kHeld;
}

bool rtt_held(TcpDirection& direction) noexcept {
  if (direction.has(kUnaKnown)) lift_served_hold(direction);
  return direction.has(kHeld);
}

void remember_segment(TcpDirection& sender, SeqNum end, UsStamp now) noexcept {
  if (sender.outstanding_count < TcpDirection::kOutstanding) ++sender.outstanding_count;
  sender.outstanding[sender.outstanding_count - 1U] = {end, now};
}

void forget_segments_above(TcpDirection& sender, SeqNum seq) noexcept {
  std::uint8_t kept = 0;
  for (unsigned i = 0; i < sender.outstanding_count; ++i) {
    if (!sender.outstanding[i].end.after(seq)) sender.outstanding[kept++] = sender.outstanding[i];
  }
  sender.outstanding_count = kept;
}

void remember_timestamp(TcpDirection& sender, const Segment& segment, bool pure) noexcept {
  if (!segment.ts_is_new) return;
  if (sender.timestamp_count < TcpDirection::kTimestamps) ++sender.timestamp_count;
  const unsigned at = sender.timestamp_count - 1U;
  sender.timestamps[at] = {segment.ts_value, segment.now};
  const auto bit = static_cast<std::uint8_t>(1U << at);
  sender.pure_timestamps =
      static_cast<std::uint8_t>(pure ? sender.pure_timestamps | bit : sender.pure_timestamps & ~bit);
}

// Every echoed or older stamp goes, also when nothing new is acknowledged: a later echo of it would time the wait of a
// sender that had nothing to say.  A pure ACK's stamp waits for data, because only data is answered at once.
std::int32_t take_echo(const Exchange& exchange, bool acknowledges_new_data) noexcept {
  const Segment& segment = exchange.segment;
  TcpDirection& peer = exchange.peer();
  if (segment.ts_echo == 0 || peer.timestamp_count == 0) return kNoEcho;
  const bool held = peer.has(kHeld) && peer.una.before(peer.recover);
  std::int32_t echo_us = kNoEcho;
  std::uint8_t kept = 0;
  std::uint8_t kept_pure = 0;
  for (unsigned i = 0; i < peer.timestamp_count; ++i) {
    const auto stamped = peer.timestamps[i];
    const bool pure = ((peer.pure_timestamps >> i) & 1U) != 0;
    if (SeqNum{stamped.value}.after(SeqNum{segment.ts_echo}) || (pure && segment.length == 0)) {
      if (pure) kept_pure = static_cast<std::uint8_t>(kept_pure | (1U << kept));
      peer.timestamps[kept++] = stamped;
    } else if (stamped.value == segment.ts_echo && !pure && acknowledges_new_data && !held) {
      const std::int32_t us = segment.now - stamped.at;
      if (us >= 0 && us <= kStaleUs) echo_us = us;
    }
  }
  peer.timestamp_count = kept;
  peer.pure_timestamps = kept_pure;
  return echo_us;
}

void sample_ack(const Exchange& exchange, std::int32_t echo_us) noexcept {
  const Segment& segment = exchange.segment;
  TcpDirection& peer = exchange.peer();
  unsigned done = 0;
  while (done < peer.outstanding_count && !peer.outstanding[done].end.after(segment.ack)) ++done;
  bool hit = false;
  if (done > 0) {
    const auto newest = peer.outstanding[done - 1];
    const std::int32_t us = segment.now - newest.at;
    hit = newest.end == segment.ack && us <= kStaleUs;
    std::copy(peer.outstanding + done, peer.outstanding + peer.outstanding_count, peer.outstanding);
    peer.outstanding_count = static_cast<std::uint8_t>(peer.outstanding_count - done);
    if (hit) add_rtt_sample(peer, us);
  }
  if (!hit && echo_us != kNoEcho && exchange.rules.timestamp_rtt) {
    exchange.conversation.flags |= conversation_flag::kTimestampSample;
    add_rtt_sample(peer, echo_us);
  }
}

}  // namespace whiteowl
