// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/header_marks.hpp"

namespace whiteowl {

using namespace cold_flag;

namespace {

constexpr std::uint8_t kEcnBits = 3;
constexpr std::uint8_t kCongestionExperienced = 3;  // RFC 3168 5
constexpr std::uint32_t kLongestPlausible = 9000;   // jumbo frames; where no SYN said more
constexpr std::uint64_t kTimestampKinds = (std::uint64_t{1} << TcpOption::kNoOperation) |
                                          (std::uint64_t{1} << TcpOption::kTimestamps);  // RFC 7323 appendix A

// The receiver's MSS limits the sender (RFC 9293 3.7.1).
bool longer_than_a_segment(const Observed& observed) noexcept {
  const std::uint16_t limit = observed.peer_cold().mss != 0 ? observed.peer_cold().mss : observed.sender_cold().mss;
  return observed.segment().payload > (limit != 0 ? limit : kLongestPlausible);
}

}  // namespace

void observe_marks(const Observed& observed, const Packet& packet) noexcept {
  const Segment& segment = observed.segment();
  TcpColdDirection& cold = observed.sender_cold();
  if ((packet.traffic_class & kEcnBits) == kCongestionExperienced) count(cold.ce_count);
  if (!segment.has(tcp_flag::kSyn)) {
    if (segment.has(tcp_flag::kEce)) count(cold.ece_count);
    if (segment.has(tcp_flag::kCwr)) count(cold.cwr_count);
  }
  if (segment.options != nullptr) {
    cold.options |= segment.options->kinds;
  } else if (segment.has_timestamps) {
    cold.options |= kTimestampKinds;
  }
  if (longer_than_a_segment(observed)) cold.mark(kSuperSegments);
}

void observe_offer(const Observed& observed) noexcept {
  const TcpOptions* options = observed.segment().options;
  if (options == nullptr) return;
  observed.sender_cold().mss = options->mss;
  if (options->sack_permitted) observed.sender_cold().mark(kSackOffered);
}

}  // namespace whiteowl
