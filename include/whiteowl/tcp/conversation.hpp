// SPDX-License-Identifier: Apache-2.0

// What is remembered of a TCP conversation: 48 octets for both directions, and two cache lines for each, which are
// taken when there is more to remember than one SYN: what a flood leaves behind are conversations of a single SYN.
// All octets zero is a conversation of which nothing was seen yet.
// The second line of a direction holds the data that waits for an ACK: touched when its sender adds to it and when the
// other side acknowledges, so that of both directions' second lines a packet mostly needs but one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "whiteowl/tcp/seq_num.hpp"
#include "whiteowl/tcp/us_stamp.hpp"

namespace whiteowl {

enum class TcpState : std::uint8_t { fresh, syn_sent, syn_ack_seen, established, fin_wait, closed };  // New .. Closed

// The handshake is over, or was not captured, and nothing has ended it yet.
[[nodiscard]] constexpr bool is_open(TcpState state) noexcept {
  return state == TcpState::established || state == TcpState::fin_wait;
}

// Bits of TcpDirection::flags.
namespace direction_flag {
inline constexpr std::uint32_t kSeen = 1U << 0U;        // a SYN or any later segment of it passed
inline constexpr std::uint32_t kUnaKnown = 1U << 1U;    // while not kSeen: una is only the last ACK number that passed
inline constexpr std::uint32_t kHeld = 1U << 2U;        // no RTT samples until una reaches `recover`
inline constexpr std::uint32_t kTimestamps = 1U << 3U;  // ts_max is known
inline constexpr std::uint32_t kMidstream = 1U << 4U;   // first seen without its SYN
inline constexpr std::uint32_t kSynHadAck = 1U << 5U;   // its SYN-ACK passed, or its SYN was one
inline constexpr std::uint32_t kSynSent = 1U << 6U;     // a SYN without ACK passed: it opened, or both did
inline constexpr std::uint32_t kHandshakeTimed = 1U << 7U;  // the handshake half towards its destination is known
inline constexpr std::uint32_t kSynAckOnce = 1U << 8U;
inline constexpr std::uint32_t kSynAckAgain = 1U
                                              << 9U;  // more than one: which of them an ACK answers is not known (Karn)
inline constexpr std::uint32_t kWindowKnown = 1U << 10U;
inline constexpr std::uint32_t kProbePending = 1U << 11U;  // a zero-window probe at snd_max waits for its ACK
inline constexpr std::uint32_t kFinSeen = 1U << 12U;
inline constexpr std::uint32_t kFinAcked = 1U << 13U;
inline constexpr std::uint32_t kSent = 1U << 14U;    // sent_at is known
inline constexpr std::uint32_t kResync = 1U << 15U;  // fragments passed: a step ahead is no hole
}  // namespace direction_flag

// Bits of TcpConversation::flags.
namespace conversation_flag {
inline constexpr std::uint16_t kCapturedTwice = 1U << 0U;
inline constexpr std::uint16_t kPendingSyn = 1U << 1U;   // pending_isn waits for a SYN-ACK that proves it
inline constexpr std::uint16_t kPendingSide = 1U << 2U;  // the direction that sent it
inline constexpr std::uint16_t kColdBegun = 1U << 3U;    // the cold part belongs to this conversation
inline constexpr std::uint16_t kReset = 1U << 4U;
inline constexpr std::uint16_t kResetSide = 1U << 5U;  // the direction of the first RST
inline constexpr std::uint16_t kTimestampSample = 1U << 6U;
inline constexpr std::uint16_t kSpread = 1U << 7U;  // the directions are in the meter's arena
inline constexpr unsigned kPendingShiftAt = 8;      // four bits: window shift + 1 of the pending SYN, 0 = not offered
}  // namespace conversation_flag

// One direction.  "una" and "snd_max" are those of its data (RFC 9293 3.3.1): una moves with the other side's ACKs.
struct TcpDirection {
  static constexpr std::size_t kOutstanding = 4, kTimestamps = 2, kFingerprints = 3;
  struct Outstanding {
    SeqNum end;
    UsStamp at;
  };
  struct Stamped {
    std::uint32_t value;  // TSval
    UsStamp at;
  };

  SeqNum snd_max;                    // highest sequence end seen
  SeqNum una;                        // highest acceptable ACK
  std::uint32_t ts_max;              // largest TSval seen
  UsStamp sent_at;                   // last new or repeated segment
  UsStamp last_at;                   // last packet of any kind
  std::uint32_t flags;               // direction_flag
  std::uint16_t window;              // as in the last header
  std::uint8_t window_shift_plus_1;  // 0 = not offered
  std::uint8_t duplicate_acks;       // in a row, for this direction's data; saturates
  std::uint8_t outstanding_count : 4;
  std::uint8_t outstanding_first : 4;  // where the oldest lies
  std::uint8_t timestamp_count;
  std::uint8_t pure_timestamps;               // bit i: timestamps[i] came with a pure ACK
  std::uint8_t strikes;                       // segments outside the window in a row
  std::uint16_t window_min_inverted;          // interval; 0xFFFF - smallest, so that zero means "none"
  std::uint16_t window_max;                   // interval
  std::uint32_t fingerprints[kFingerprints];  // of the last packets, newest first; 0 = none
  Stamped timestamps[kTimestamps];            // oldest first
  // second cache line
  Outstanding outstanding[kOutstanding];  // a ring
  std::uint64_t rtt_sum_us;               // interval
  std::uint32_t rtt_count;                // interval
  std::uint32_t rtt_max_us;               // interval
  std::uint32_t rtt_min_us;               // interval; meaningful if rtt_count > 0
  std::uint32_t retransmit_count;         // interval; segments
  SeqNum recover;                         // meaningful if kHeld
  SeqNum control_end;                     // behind the FIN if kFinSeen, else behind the SYN if one passed

  [[nodiscard]] bool has(std::uint32_t bits) const noexcept { return (flags & bits) == bits; }
};
static_assert(sizeof(TcpDirection) == 128 && offsetof(TcpDirection, outstanding) == 64);

// Both, beside each other in the meter's arena.
struct alignas(64) TcpDirections {
  TcpDirection of[2];
};

// What the directions of a conversation hold of which one SYN was seen, beside what the conversation says.
struct TcpSeed {
  std::uint32_t ts_value;
  std::uint32_t fingerprint;
  std::uint16_t window;
  std::uint8_t marks;  // 0 = no seed
};

struct TcpConversation {
  static constexpr std::size_t kEveryPacket = 16;  // octets that each packet needs; the rest is for SYNs and records

  std::int64_t last_us;  // last packet of either direction, microseconds since 1970
  // Place in the meter's arenas, + 1; 0 = none, and then nothing but one SYN is remembered.  Set by the owner of the
  // conversation when it makes one, its own as long as the conversation lives; kept by the meter over a restart.
  std::uint32_t place;
  std::uint16_t flags;  // conversation_flag
  TcpState state;
  std::uint8_t client;  // direction that opened it, + 1; 0 = not known
  SeqNum isn[2];        // initial sequence numbers; known where kSeen without kMidstream
  SeqNum pending_isn;
  std::uint16_t syn_payload[2];  // octets in the SYN (RFC 7413), for the SYN-ACK's acceptable range
  TcpSeed seed;
};
static_assert(sizeof(TcpConversation) == 48 && std::is_trivially_copyable_v<TcpConversation>);
static_assert(offsetof(TcpConversation, isn) == TcpConversation::kEveryPacket);

}  // namespace whiteowl
