// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/rtt_estimate.hpp"

#include <algorithm>

namespace whiteowl {

using namespace direction_flag;

namespace {

constexpr std::int32_t kStaleUs = 60'000'000;  // nothing older is matched

// 0: the segment gave the peer none.
std::uint32_t new_sample(const Observed& observed) noexcept {
  const TcpDirection& peer = observed.exchange.peer();
  if (peer.rtt_count == observed.peer_before.rtt_count) return 0;
  return static_cast<std::uint32_t>(peer.rtt_sum_us - observed.peer_before.rtt_sum_us);
}

void note_ts_rtt(TcpColdDirection& peer, std::int32_t us) noexcept {
  const auto sample = static_cast<std::uint32_t>(std::max(us, 1));
  if (peer.ts_min_rtt_us == 0 || sample < peer.ts_min_rtt_us) peer.ts_min_rtt_us = sample;
}

// As the ACK found it: the first ACK of a conversation begun in the middle counts as progress.
SeqNum una_before(const Observed& observed) noexcept {
  const PeerBefore& before = observed.peer_before;
  const SeqNum ack = observed.segment().ack;
  if (before.has(kUnaKnown)) return before.una;
  return ack.after(before.snd_max) ? before.snd_max : ack + 0xFFFFFFFFU;
}

std::uint32_t positive(std::int64_t us) noexcept {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(us, 1, 0xFFFFFFFF));
}

}  // namespace

void observe_sample(const Observed& observed) noexcept {
  const std::uint32_t sample = new_sample(observed);
  if (sample == 0) return;
  TcpColdDirection& peer = observed.peer_cold();
  peer.rtt_floor_us = peer.rtt_floor_us == 0 ? sample : std::min(peer.rtt_floor_us, sample);
  if (peer.smoothed_rtt_us == 0) {
    peer.smoothed_rtt_us = sample;
    peer.rtt_variation_us = sample / 2;
    return;
  }
  const std::uint64_t smoothed = peer.smoothed_rtt_us;
  const std::uint64_t deviation = smoothed > sample ? smoothed - sample : sample - smoothed;
  peer.rtt_variation_us = static_cast<std::uint32_t>((std::uint64_t{peer.rtt_variation_us} * 3 + deviation) / 4);
  peer.smoothed_rtt_us = static_cast<std::uint32_t>((smoothed * 7 + sample) / 8);
}

void observe_echo(const Observed& observed) noexcept {
  const Segment& segment = observed.segment();
  const PeerBefore& before = observed.peer_before;
  if (segment.ts_echo == 0) return;
  const bool brings_data = observed.story.kind == SegmentKind::fresh || observed.story.kind == SegmentKind::gap;
  const bool held = before.has(kHeld) && una_before(observed).before(before.recover);
  for (unsigned i = 0; i < before.timestamp_count; ++i) {
    if (before.timestamps[i].value != segment.ts_echo) continue;
    const bool pure = ((before.pure_timestamps >> i) & 1U) != 0;
    const bool counts = pure ? brings_data : observed.story.ack == AckKind::progress && !held;
    const std::int32_t us = segment.now - before.timestamps[i].at;
    if (counts && us >= 0 && us <= kStaleUs) note_ts_rtt(observed.peer_cold(), us);
  }
}

void observe_first_half(const Observed& observed) noexcept {
  if (observed.peer_became(kHandshakeTimed)) observed.peer_cold().handshake = std::max(new_sample(observed), 1U);
  if (!observed.exchange.sender().has(kHandshakeTimed))
    observed.sender_cold().handshake = observed.segment().now.value();
}

void observe_second_half(const Observed& observed) noexcept {
  if (!observed.peer_became(kHandshakeTimed)) return;
  TcpColdDirection& peer = observed.peer_cold();
  peer.handshake = positive(observed.segment().now - UsStamp{peer.handshake});
  if (observed.exchange.sender().has(kHandshakeTimed))
    observed.cold.handshake_total_us = observed.sender_cold().handshake + peer.handshake;
}

void observe_one_way(const Observed& observed, const SynKeys& keys, const SynCache& cache) noexcept {
  const Segment& segment = observed.segment();
  const SeqNum isn = observed.exchange.conversation.isn[observed.exchange.direction];
  if (observed.cold.handshake_total_us != 0) return;
  if (!observed.exchange.sender().has(kSynSent) || segment.seq - isn != 1) return;
  const auto syn = cache.find(keys.sender, isn, segment.time_us);
  if (!syn || syn->repeated) return;
  observed.cold.handshake_total_us = positive(syn->first_age_us);
}

}  // namespace whiteowl
