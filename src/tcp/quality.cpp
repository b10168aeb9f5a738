// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/quality.hpp"

#include "whiteowl/tcp/fields.hpp"

namespace whiteowl {

using namespace direction_flag;

namespace {

// A SYN or SYN-ACK came again before it was answered, and nothing says which of them was answered (Karn).
bool ambiguous(const TcpDirections& directions, const TcpCold& cold, unsigned side) noexcept {
  const TcpDirection& direction = directions.of[side];
  if (direction.has(kHandshakeTimed)) return false;
  const bool answered = directions.of[side ^ 1U].has(kSynAckOnce);
  return direction.has(kSynAckAgain) || (cold.direction[side].has(cold_flag::kSynRepeated) && answered);
}

}  // namespace

std::uint16_t quality_of(const TcpConversation& conversation, const TcpDirections& directions, const TcpCold& cold,
                         unsigned direction) noexcept {
  const TcpDirection& sender = directions.of[direction];
  const TcpDirection& peer = directions.of[direction ^ 1U];
  const TcpColdDirection& more = cold.direction[direction];
  const std::uint16_t flags = conversation.flags;
  const bool reset = (flags & conversation_flag::kReset) != 0;
  const bool reset_here = ((flags & conversation_flag::kResetSide) != 0 ? 1U : 0U) == direction;
  std::uint16_t bits = 0;
  const auto mark = [&bits](std::uint16_t bit, bool is_so) {
    bits = static_cast<std::uint16_t>(bits | (is_so ? bit : 0));
  };
  mark(tcp_quality::kMidstream, sender.has(kMidstream));
  mark(tcp_quality::kOneWay, !peer.has(kSeen));
  mark(tcp_quality::kCapturedTwice, (flags & conversation_flag::kCapturedTwice) != 0);
  mark(tcp_quality::kCaptureLoss, more.has(cold_flag::kUnseen));
  mark(tcp_quality::kHoleOverflow, more.has(cold_flag::kHolesForgotten));
  mark(tcp_quality::kTimestampSample, (flags & conversation_flag::kTimestampSample) != 0);
  mark(tcp_quality::kHandshakeAmbiguous, ambiguous(directions, cold, 0) || ambiguous(directions, cold, 1));
  mark(tcp_quality::kResetBySource, reset && reset_here);
  mark(tcp_quality::kResetByDestination, reset && !reset_here);
  mark(tcp_quality::kSynSeen, sender.has(kSeen) && !sender.has(kMidstream));
  mark(tcp_quality::kFinBySource, sender.has(kFinSeen));
  mark(tcp_quality::kFinByDestination, peer.has(kFinSeen));
  mark(tcp_quality::kSuperSegments, more.has(cold_flag::kSuperSegments));
  mark(tcp_quality::kSackOffered, more.has(cold_flag::kSackOffered));
  mark(tcp_quality::kTimestamps, sender.has(kTimestamps));
  mark(tcp_quality::kSourceIsInitiator, conversation.client == direction + 1U);
  return bits;
}

}  // namespace whiteowl
