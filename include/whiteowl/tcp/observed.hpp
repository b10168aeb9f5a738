// SPDX-License-Identifier: Apache-2.0

// A segment after the trackers of the six fields: what they made of it, and both directions as they were before.
// The trackers of the extended set look at this and write only into the cold part, so the six fields come out the same
// with and without them.
#pragma once

#include "whiteowl/tcp/cold.hpp"
#include "whiteowl/tcp/segment.hpp"

namespace whiteowl {

// The part of the sender's direction that its own segment may change.
struct SenderBefore {
  explicit SenderBefore(const TcpDirection& sender) noexcept
      : snd_max{sender.snd_max},
        ts_max{sender.ts_max},
        sent_at{sender.sent_at},
        flags{sender.flags},
        duplicate_acks{sender.duplicate_acks} {}
  [[nodiscard]] bool has(std::uint32_t bits) const noexcept { return (flags & bits) == bits; }

  SeqNum snd_max;
  std::uint32_t ts_max;
  UsStamp sent_at;
  std::uint32_t flags;
  std::uint8_t duplicate_acks;
};
// The part of the peer's direction that an ACK may change.
struct PeerBefore {
  explicit PeerBefore(const TcpDirection& peer) noexcept
      : snd_max{peer.snd_max},
        una{peer.una},
        recover{peer.recover},
        flags{peer.flags},
        rtt_count{peer.rtt_count},
        rtt_sum_us{peer.rtt_sum_us},
        timestamps{peer.timestamps[0], peer.timestamps[1]},
        timestamp_count{peer.timestamp_count},
        pure_timestamps{peer.pure_timestamps} {}
  [[nodiscard]] bool has(std::uint32_t bits) const noexcept { return (flags & bits) == bits; }

  SeqNum snd_max, una, recover;
  std::uint32_t flags;
  std::uint32_t rtt_count;
  std::uint64_t rtt_sum_us;
  TcpDirection::Stamped timestamps[TcpDirection::kTimestamps];
  std::uint8_t timestamp_count, pure_timestamps;
};

struct Observed {
  Observed(const Exchange& seen, TcpCold& part) noexcept
      : exchange{seen}, cold{part}, before{seen.sender()}, peer_before{seen.peer()} {}

  const Exchange& exchange;
  TcpCold& cold;
  SenderBefore before;
  PeerBefore peer_before;
  SegmentStory story{SegmentKind::none, AckKind::none};

  [[nodiscard]] const Segment& segment() const noexcept { return exchange.segment; }
  [[nodiscard]] TcpColdDirection& sender_cold() const noexcept { return cold.direction[exchange.direction]; }
  [[nodiscard]] TcpColdDirection& peer_cold() const noexcept { return cold.direction[exchange.direction ^ 1U]; }
  // Whether the flag was set by this segment.
  [[nodiscard]] bool peer_became(std::uint32_t bits) const noexcept {
    return exchange.peer().has(bits) && !peer_before.has(bits);
  }
};

}  // namespace whiteowl
