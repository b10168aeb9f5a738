// SPDX-License-Identifier: Apache-2.0

// The figures that TCP metering says of one direction and one interval, in host order.
// Kinds: C counts within the interval and saturates; X is an extreme of the interval, 0 = none; E is an estimator and A
// an attribute: both outlive snapshots and are repeated in every record, 0 = not known.
#pragma once

#include <cstdint>

namespace whiteowl {

// The six fields.  0 round-trip times: no sample.
struct TcpFields {
  std::uint32_t min_rtt_us = 0;        // X
  std::uint32_t max_rtt_us = 0;        // X
  std::uint32_t avg_rtt_us = 0;        // X, floored
  std::uint32_t retransmit_count = 0;  // C, segments
  std::uint16_t min_tcp_window = 0;    // X, octets as in the header, not scaled
  std::uint16_t max_tcp_window = 0;    // X
};

// Bits of TcpExtendedFields::quality.
namespace tcp_quality {
inline constexpr std::uint16_t kMidstream = 1U << 0U;  // first seen without its SYN
inline constexpr std::uint16_t kOneWay = 1U << 1U;     // the other direction was never seen
inline constexpr std::uint16_t kCapturedTwice = 1U << 2U;
inline constexpr std::uint16_t kCaptureLoss = 1U << 3U;   // octets were acknowledged that never passed
inline constexpr std::uint16_t kHoleOverflow = 1U << 4U;  // more holes at once than are remembered
inline constexpr std::uint16_t kTimestampSample = 1U << 5U;
inline constexpr std::uint16_t kHandshakeAmbiguous = 1U << 6U;
inline constexpr std::uint16_t kResetBySource = 1U << 7U;
inline constexpr std::uint16_t kResetByDestination = 1U << 8U;
inline constexpr std::uint16_t kSynSeen = 1U << 9U;
inline constexpr std::uint16_t kFinBySource = 1U << 10U;
inline constexpr std::uint16_t kFinByDestination = 1U << 11U;
inline constexpr std::uint16_t kSuperSegments = 1U << 12U;  // payload above the MSS: counts are of captured segments
inline constexpr std::uint16_t kSackOffered = 1U << 13U;
inline constexpr std::uint16_t kTimestamps = 1U << 14U;
inline constexpr std::uint16_t kSourceIsInitiator = 1U << 15U;
}  // namespace tcp_quality

// What the extended set adds.  All zero unless TcpSettings::extended.
struct TcpExtendedFields {
  std::uint64_t retransmit_octets = 0;          // C
  std::uint64_t response_sum_us = 0;            // C
  std::uint64_t unseen_octets = 0;              // C: acknowledged but never seen
  std::uint64_t unique_octets = 0;              // C: payload seen for the first time
  std::uint64_t tcp_options = 0;                // C: bit k for option kind k seen (IANA IE 209)
  std::uint32_t rtt_sample_count = 0;           // C
  std::uint32_t smoothed_rtt_us = 0;            // E, RFC 6298 SRTT
  std::uint32_t rtt_variation_us = 0;           // E, RFC 6298 RTTVAR
  std::uint32_t handshake_rtt_us = 0;           // A
  std::uint32_t handshake_total_us = 0;         // A
  std::uint32_t ts_min_rtt_us = 0;              // X
  std::uint32_t retransmit_fast_count = 0;      // C
  std::uint32_t retransmit_timeout_count = 0;   // C
  std::uint32_t out_of_order_count = 0;         // C
  std::uint32_t duplicate_packet_count = 0;     // C
  std::uint32_t duplicate_ack_count = 0;        // C
  std::uint32_t zero_window_us = 0;             // C
  std::uint32_t min_scaled_window = 0;          // X, octets
  std::uint32_t max_scaled_window = 0;          // X, octets
  std::uint32_t ecn_ce_count = 0;               // C
  std::uint32_t ecn_ece_count = 0;              // C
  std::uint32_t response_count = 0;             // C
  std::uint32_t response_max_us = 0;            // X
  std::uint32_t max_in_flight_octets = 0;       // X
  std::uint16_t retransmit_spurious_count = 0;  // C
  std::uint16_t dsack_count = 0;                // C
  std::uint16_t syn_retransmit_count = 0;       // C
  std::uint16_t keepalive_count = 0;            // C
  std::uint16_t zero_window_count = 0;          // C
  std::uint16_t zero_window_probe_count = 0;    // C
  std::uint16_t ecn_cwr_count = 0;              // C
  std::uint16_t tcp_mss = 0;                    // A, octets
  std::uint16_t quality = 0;                    // A, tcp_quality
  std::uint8_t tcp_state = 0;                   // A, TcpState
  std::uint8_t tcp_window_scale = 0;            // A, shift of its SYN (IANA IE 238); 0 also where not offered
};

}  // namespace whiteowl
