// SPDX-License-Identifier: Apache-2.0

// What is remembered of a conversation beyond the six fields' needs: taken from an arena only when the extended set or
// the strict count of retransmissions asks for it, so that the standard set pays nothing for it.
// All octets zero is a cold part of which nothing was seen yet.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "whiteowl/tcp/seq_num.hpp"
#include "whiteowl/tcp/us_stamp.hpp"

namespace whiteowl {

// Counts up to the type's maximum and stays there.
template <typename T>
constexpr void count(T& counter, std::uint64_t amount = 1) noexcept {
  const std::uint64_t room = std::numeric_limits<T>::max() - counter;
  counter = static_cast<T>(counter + (amount < room ? amount : room));
}

// A signed number of 48 bits on a circle.  As microseconds it holds four years, as octets 140 TB an interval.
class Int48 {
 public:
  [[nodiscard]] constexpr std::int64_t get() const noexcept {
    const std::uint64_t value =
        std::uint64_t{part_[0]} | (std::uint64_t{part_[1]} << 16U) | (std::uint64_t{part_[2]} << 32U);
    return static_cast<std::int64_t>(value << 16U) >> 16U;
  }
  constexpr void set(std::int64_t value) noexcept {
    const auto bits = static_cast<std::uint64_t>(value);
    part_[0] = static_cast<std::uint16_t>(bits);
    part_[1] = static_cast<std::uint16_t>(bits >> 16U);
    part_[2] = static_cast<std::uint16_t>(bits >> 32U);
  }
  constexpr void add(std::int64_t amount) noexcept { set(get() + amount); }
  // For what only grows.
  constexpr void count(std::uint64_t amount) noexcept {
    constexpr std::uint64_t kMost = (std::uint64_t{1} << 47U) - 1;
    const std::uint64_t room = kMost - static_cast<std::uint64_t>(get());
    add(static_cast<std::int64_t>(amount < room ? amount : room));
  }

 private:
  std::uint16_t part_[3];  // least significant first
};

struct Hole {
  SeqNum left, right;  // [left, right) has not passed although something behind it has
  UsStamp seen_at;
};

// Bits of TcpColdDirection::flags.
namespace cold_flag {
inline constexpr std::uint16_t kAcked = 1U << 0U;         // acked_at is known
inline constexpr std::uint16_t kSacked = 1U << 1U;        // sack_high is known
inline constexpr std::uint16_t kFastRecovery = 1U << 2U;  // until una reaches recovery_point
inline constexpr std::uint16_t kTimeoutRecovery = 1U << 3U;
inline constexpr std::uint16_t kRequested = 1U << 4U;     // requested_at waits for an answer
inline constexpr std::uint16_t kWindowClosed = 1U << 5U;  // a period of zero window is open
inline constexpr std::uint16_t kScaledSeen = 1U << 6U;    // interval: scaled_min and scaled_max mean something
inline constexpr std::uint16_t kHolesForgotten = 1U << 7U;
inline constexpr std::uint16_t kUnseen = 1U << 8U;  // octets were acknowledged that never passed
inline constexpr std::uint16_t kSuperSegments = 1U << 9U;
inline constexpr std::uint16_t kSackOffered = 1U << 10U;
inline constexpr std::uint16_t kSynRepeated = 1U << 11U;
}  // namespace cold_flag

// What is marked as of the interval begins anew with each snapshot; the rest outlives snapshots.
struct TcpColdDirection {
  static constexpr std::size_t kHoles = 3;

  std::uint64_t options;           // interval; bit k: option kind k
  Hole holes[kHoles];              // in the order of their making, disjoint
  std::uint32_t rtt_floor_us;      // smallest sample of the conversation's life, 0 = none
  std::uint32_t smoothed_rtt_us;   // RFC 6298 2, 0 = no sample yet
  std::uint32_t rtt_variation_us;  // RFC 6298 2
  // The handshake's half towards its destination once kHandshakeTimed; until then the stamp of its SYN-ACK.
  std::uint32_t handshake;
  SeqNum sack_high;                           // behind the highest octet that a SACK block named
  SeqNum recovery_point;                      // highest sequence end when the recovery began
  UsStamp acked_at;                           // last ACK with progress, or duplicate ACK, of its data
  std::uint32_t fast_count, timeout_count;    // interval
  std::uint32_t out_of_order_count;           // interval
  std::uint32_t duplicate_count;              // interval; packets captured twice
  std::uint32_t duplicate_ack_count;          // interval; sent by it
  std::uint32_t ce_count, ece_count;          // interval
  std::uint32_t response_count;               // interval; answers to it
  std::uint32_t response_max_us;              // interval
  std::uint32_t in_flight_max;                // interval; octets
  std::uint32_t ts_min_rtt_us;                // interval, 0 = none
  Int48 response_sum_us;                      // interval
  Int48 retransmit_octets, unique_octets;     // interval
  Int48 unseen_octets;                        // interval
  Int48 zero_window_us;                       // interval; while a period is open, less the time of its beginning
  Int48 requested_at;                         // microseconds since 1970
  std::uint16_t flags;                        // cold_flag
  std::uint16_t mss;                          // of its SYN, 0 = not known
  std::uint16_t scaled_min, scaled_max;       // interval; as in the header
  std::uint16_t spurious_count, dsack_count;  // interval
  std::uint16_t syn_retransmit_count;         // interval
  std::uint16_t keepalive_count;              // interval
  std::uint16_t zero_window_count;            // interval
  std::uint16_t zero_window_probe_count;      // interval
  std::uint16_t cwr_count;                    // interval
  std::uint8_t scaled_shifts;                 // interval; of scaled_min, and of scaled_max x 16
  std::uint8_t hole_count;

  [[nodiscard]] bool has(std::uint16_t bits) const noexcept { return (flags & bits) == bits; }
  void mark(std::uint16_t bits) noexcept { flags = static_cast<std::uint16_t>(flags | bits); }
  void clear(std::uint16_t bits) noexcept { flags = static_cast<std::uint16_t>(flags & ~bits); }
};
static_assert(sizeof(TcpColdDirection) == 176);

struct TcpCold {
  TcpColdDirection direction[2];
  std::uint32_t handshake_total_us;  // both halves, or SYN to third packet in a one-way capture; 0 = not known
};
static_assert(std::is_trivially_copyable_v<TcpCold>);

}  // namespace whiteowl
