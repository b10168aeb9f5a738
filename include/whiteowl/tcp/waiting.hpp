// SPDX-License-Identifier: Apache-2.0

// What of a direction waits for the other side: segments for their ACK, TSvals for their echo (RFC 7323 4).
// Almost without branches: whether an ACK covers one segment or two, whether a millisecond has gone by since the last
// TSval, are coin tosses to a branch predictor.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "whiteowl/base/branchless.hpp"
#include "whiteowl/tcp/segment.hpp"

namespace whiteowl {

static_assert(std::has_single_bit(TcpDirection::kOutstanding) && TcpDirection::kOutstanding < 0xF);
static_assert(TcpDirection::kTimestamps == 2);

inline constexpr std::int32_t kStaleUs = 60'000'000;  // nothing older is matched

// ---- segments

inline constexpr unsigned kRingField = 0xF;  // what the bit-fields of the ring hold

// Where the `nth` oldest lies.
[[nodiscard]] inline unsigned place_in_ring(const TcpDirection& direction, unsigned nth) noexcept {
  return (direction.outstanding_first + nth) % static_cast<unsigned>(TcpDirection::kOutstanding);
}

// When there are too many the newest is replaced, so that the oldest still meets its ACK.
inline void remember_segment(TcpDirection& sender, SeqNum end, UsStamp now) noexcept {
  const unsigned count = std::min(sender.outstanding_count + 1U, static_cast<unsigned>(TcpDirection::kOutstanding));
  sender.outstanding[place_in_ring(sender, count - 1U)] = {end, now};
  sender.outstanding_count = count & kRingField;
}
// Forgets every segment that ends above `seq`.
inline void forget_segments_above(TcpDirection& sender, SeqNum seq) noexcept {
  unsigned kept = 0;
  for (unsigned i = 0; i < sender.outstanding_count; ++i) {
    const auto segment = sender.outstanding[place_in_ring(sender, i)];
    if (!segment.end.after(seq)) sender.outstanding[place_in_ring(sender, kept++)] = segment;
  }
  sender.outstanding_count = kept & kRingField;
}
inline void forget_segments(TcpDirection& sender) noexcept { sender.outstanding_count = 0; }

// Bit i: what lies at i of the ring ends at `ack` or before.
[[nodiscard]] inline unsigned covered_places(const TcpDirection& direction, SeqNum ack) noexcept {
  constexpr unsigned kPlaces = TcpDirection::kOutstanding;
#if defined(__SSE2__)
  static_assert(kPlaces == 4 && sizeof(TcpDirection::Outstanding) == 8);
  const auto* at = reinterpret_cast<const float*>(&direction.outstanding);
  const __m128i ends =
      _mm_castps_si128(_mm_shuffle_ps(_mm_loadu_ps(at), _mm_loadu_ps(at + 4), _MM_SHUFFLE(2, 0, 2, 0)));
  const __m128i left = _mm_sub_epi32(_mm_set1_epi32(static_cast<int>(ack.value())), ends);
  return ~static_cast<unsigned>(_mm_movemask_ps(_mm_castsi128_ps(left))) & ((1U << kPlaces) - 1U);
#else
  unsigned covered = 0;
  for (unsigned i = 0; i < kPlaces; ++i)
    covered |= static_cast<unsigned>(!direction.outstanding[i].end.after(ack)) << i;
  return covered;
#endif
}

// How many of the oldest segments end at `ack` or before.
[[nodiscard]] inline unsigned acknowledged_segments(const TcpDirection& direction, SeqNum ack) noexcept {
  const unsigned covered = covered_places(direction, ack);
  const unsigned oldest_first = (covered | covered << TcpDirection::kOutstanding) >> direction.outstanding_first;
  return static_cast<unsigned>(std::countr_one(oldest_first & ((1U << direction.outstanding_count) - 1U)));
}
inline void forget_oldest_segments(TcpDirection& sender, unsigned count) noexcept {
  sender.outstanding_first = place_in_ring(sender, count) & kRingField;
  sender.outstanding_count = (sender.outstanding_count - count) & kRingField;
}

// ---- time stamps

// The first packet of its direction with this TSval; `pure`: it consumes no sequence space.
inline void remember_timestamp(TcpDirection& sender, const Segment& segment, bool pure) noexcept {
  const unsigned is_new = segment.ts_is_new ? 1U : 0U;
  const unsigned count = std::min(sender.timestamp_count + is_new, static_cast<unsigned>(TcpDirection::kTimestamps));
  const unsigned at = (count - is_new) & 1U;  // where there is nothing new any place does
  sender.timestamps[at] = chosen(segment.ts_is_new, {segment.ts_value, segment.now}, sender.timestamps[at]);
  sender.timestamp_count = static_cast<std::uint8_t>(count);
  const unsigned bit = is_new << at;
  sender.pure_timestamps = static_cast<std::uint8_t>((sender.pure_timestamps & ~bit) | (pure ? bit : 0U));
}
inline void forget_timestamps(TcpDirection& sender) noexcept { sender.timestamp_count = 0; }

// No round-trip time: negative.
inline constexpr std::int32_t kNoEcho = -1;

// Consumes what the segment echoes of its peer's stamps; the time since the echoed data segment if it `may_sample`.
// Every echoed or older stamp goes, also when nothing new is acknowledged: a later echo of it would time the wait of a
// sender that had nothing to say.  A pure ACK's stamp waits for data, because only data is answered at once.
[[nodiscard]] inline std::int32_t take_echo(TcpDirection& peer, const Segment& segment, bool may_sample) noexcept {
  if (segment.ts_echo == 0) return kNoEcho;
  const unsigned known = (1U << peer.timestamp_count) - 1U;
  const unsigned pure = peer.pure_timestamps & known;
  unsigned later = 0, equal = 0;  // bit i: timestamps[i]
  for (unsigned i = 0; i < TcpDirection::kTimestamps; ++i) {
    later |= static_cast<unsigned>(SeqNum{peer.timestamps[i].value}.after(SeqNum{segment.ts_echo})) << i;
    equal |= static_cast<unsigned>(peer.timestamps[i].value == segment.ts_echo) << i;
  }
  const unsigned kept = (later & known) | (segment.length == 0 ? pure : 0U);
  // Values grow, so that only one of them can be equal.
  const unsigned echoed = equal & known & ~pure;
  const std::int32_t us = segment.now - peer.timestamps[(echoed >> 1U) & 1U].at;
  const bool in_time = static_cast<std::uint32_t>(us) <= static_cast<std::uint32_t>(kStaleUs);
  const std::int32_t echo_us = chosen(all(echoed != 0, may_sample, in_time), us, kNoEcho);
  const unsigned gap = ~kept & 1U;  // the first goes, the second takes its place
  peer.timestamps[0] = chosen(gap != 0, peer.timestamps[1], peer.timestamps[0]);
  peer.timestamp_count = static_cast<std::uint8_t>((kept & 1U) + (kept >> 1U));
  peer.pure_timestamps = static_cast<std::uint8_t>((kept & pure) >> gap);
  return echo_us;
}

}  // namespace whiteowl
