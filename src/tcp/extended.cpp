// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/extended.hpp"

#include <utility>

#include "whiteowl/tcp/acknowledgment.hpp"
#include "whiteowl/tcp/header_marks.hpp"
#include "whiteowl/tcp/quality.hpp"
#include "whiteowl/tcp/repeat.hpp"
#include "whiteowl/tcp/response.hpp"
#include "whiteowl/tcp/rtt_estimate.hpp"
#include "whiteowl/tcp/window_figures.hpp"

namespace whiteowl {

using namespace direction_flag;

namespace {

template <typename T>
T taken(T& counter) noexcept {
  return std::exchange(counter, T{});
}
std::uint64_t taken(Int48& octets) noexcept {
  const auto value = static_cast<std::uint64_t>(octets.get());
  octets.set(0);
  return value;
}

void take_rtt(const TcpDirections& directions, TcpCold& cold, unsigned timed, TcpExtendedFields& fields) noexcept {
  const TcpDirection& direction = directions.of[timed];
  TcpColdDirection& more = cold.direction[timed];
  fields.rtt_sample_count = direction.rtt_count;
  fields.smoothed_rtt_us = more.smoothed_rtt_us;
  fields.rtt_variation_us = more.rtt_variation_us;
  fields.handshake_rtt_us = direction.has(kHandshakeTimed) ? more.handshake : 0;
  fields.handshake_total_us = cold.handshake_total_us;
  fields.ts_min_rtt_us = taken(more.ts_min_rtt_us);
}

void take_counters(TcpColdDirection& more, TcpExtendedFields& fields) noexcept {
  fields.retransmit_octets = taken(more.retransmit_octets);
  fields.response_sum_us = taken(more.response_sum_us);
  fields.unseen_octets = taken(more.unseen_octets);
  fields.unique_octets = taken(more.unique_octets);
  fields.tcp_options = taken(more.options);
  fields.retransmit_fast_count = taken(more.fast_count);
  fields.retransmit_timeout_count = taken(more.timeout_count);
  fields.out_of_order_count = taken(more.out_of_order_count);
  fields.duplicate_packet_count = taken(more.duplicate_count);
  fields.duplicate_ack_count = taken(more.duplicate_ack_count);
  fields.ecn_ce_count = taken(more.ce_count);
  fields.ecn_ece_count = taken(more.ece_count);
  fields.ecn_cwr_count = taken(more.cwr_count);
  fields.response_count = taken(more.response_count);
  fields.response_max_us = taken(more.response_max_us);
  fields.max_in_flight_octets = taken(more.in_flight_max);
  fields.retransmit_spurious_count = taken(more.spurious_count);
  fields.dsack_count = taken(more.dsack_count);
  fields.syn_retransmit_count = taken(more.syn_retransmit_count);
  fields.keepalive_count = taken(more.keepalive_count);
  fields.zero_window_count = taken(more.zero_window_count);
  fields.zero_window_probe_count = taken(more.zero_window_probe_count);
}

}  // namespace

void extend_syn(const Observed& observed, SynMeaning meaning) noexcept {
  const bool syn_ack = observed.segment().has(tcp_flag::kAck);
  if (meaning == SynMeaning::opening) {
    observe_offer(observed);
    observed.sender_cold().unique_octets.count(observed.segment().payload);
  } else if (!syn_ack || observed.before.has(kSynHadAck)) {
    observe_syn_repeat(observed);
  }
  if (!syn_ack) return;
  const TcpDirection& peer = observed.exchange.peer();
  if (observed.peer_became(kUnaKnown) || !(peer.una == observed.peer_before.una)) note_acknowledged(observed);
  observe_sample(observed);
  observe_first_half(observed);
}

void extend_segment(const Observed& observed) noexcept {
  const Segment& segment = observed.segment();
  const SegmentKind kind = observed.story.kind;
  if (kind == SegmentKind::invalid) return;
  if (kind != SegmentKind::none) observe_octets(observed);
  if ((kind == SegmentKind::fresh || kind == SegmentKind::gap) && segment.payload > 0) observe_exchange(observed);
  if (observed.story.ack != AckKind::none && observed.story.ack != AckKind::unseen_peer) {
    if (segment.has_timestamps) observe_echo(observed);
    observe_acknowledgment(observed);
    observe_sample(observed);
    observe_second_half(observed);
  }
  observe_window(observed);
}

void rest_stamps(TcpCold& cold, UsStamp long_ago) noexcept {
  for (TcpColdDirection& more : cold.direction) {
    more.acked_at = long_ago;
    for (Hole& hole : more.holes) hole.seen_at = long_ago;
  }
}

TcpExtendedFields take_extended(const TcpConversation& conversation, const TcpDirections& directions, TcpCold& cold,
                                unsigned direction, unsigned timed, std::int64_t cut_us) noexcept {
  const TcpDirection& sender = directions.of[direction];
  TcpColdDirection& more = cold.direction[direction];
  TcpExtendedFields fields;
  take_rtt(directions, cold, timed, fields);
  take_counters(more, fields);
  fields.zero_window_us = take_zero_window_us(more, cut_us);
  const ScaledWindows windows = take_scaled_windows(more);
  fields.min_scaled_window = windows.min;
  fields.max_scaled_window = windows.max;
  fields.tcp_mss = more.mss;
  fields.quality = quality_of(conversation, directions, cold, direction);
  fields.tcp_state = static_cast<std::uint8_t>(conversation.state);
  fields.tcp_window_scale =
      sender.window_shift_plus_1 != 0 ? static_cast<std::uint8_t>(sender.window_shift_plus_1 - 1U) : std::uint8_t{0};
  return fields;
}

}  // namespace whiteowl
