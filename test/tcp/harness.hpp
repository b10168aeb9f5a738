// SPDX-License-Identifier: Apache-2.0
// Runs scripts through the meter as the flow table would: one conversation, old records kept at a restart.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "support/tcp_script.hpp"
#include "whiteowl/tcp/meter.hpp"

namespace whiteowl::test {

struct ConversationResult {
  std::array<TcpFields, 2> fields;
  std::array<TcpExtendedFields, 2> extended;
  std::array<std::uint64_t, 2> packets{};
  TcpState state = TcpState::fresh;
};

inline bool operator==(const TcpFields& a, const TcpFields& b) {
  return a.min_rtt_us == b.min_rtt_us && a.max_rtt_us == b.max_rtt_us && a.avg_rtt_us == b.avg_rtt_us &&
         a.retransmit_count == b.retransmit_count && a.min_tcp_window == b.min_tcp_window &&
         a.max_tcp_window == b.max_tcp_window;
}
static_assert(std::has_unique_object_representations_v<TcpExtendedFields>);
inline bool operator==(const TcpExtendedFields& a, const TcpExtendedFields& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}
inline bool operator==(const ConversationResult& a, const ConversationResult& b) {
  for (unsigned d = 0; d < 2; ++d)
    if (!(a.fields[d] == b.fields[d]) || !(a.extended[d] == b.extended[d])) return false;
  return a.state == b.state;
}

// By the names that the vectors use.
inline std::map<std::string, std::uint64_t> values_of(const TcpFields& f, const TcpExtendedFields& e) {
  return {{"rtt_min", f.min_rtt_us},
          {"rtt_max", f.max_rtt_us},
          {"rtt_avg", f.avg_rtt_us},
          {"retrans", f.retransmit_count},
          {"win_min", f.min_tcp_window},
          {"win_max", f.max_tcp_window},
          {"rtt_n", e.rtt_sample_count},
          {"hs", e.handshake_rtt_us},
          {"hs_total", e.handshake_total_us},
          {"tsmin", e.ts_min_rtt_us},
          {"retrans_octets", e.retransmit_octets},
          {"fast", e.retransmit_fast_count},
          {"timeout", e.retransmit_timeout_count},
          {"spurious", e.retransmit_spurious_count},
          {"dsack", e.dsack_count},
          {"ooo", e.out_of_order_count},
          {"dup", e.duplicate_packet_count},
          {"dupack", e.duplicate_ack_count},
          {"synretx", e.syn_retransmit_count},
          {"keepalive", e.keepalive_count},
          {"zwin", e.zero_window_count},
          {"zwin_us", e.zero_window_us},
          {"zwp", e.zero_window_probe_count},
          {"swin_min", e.min_scaled_window},
          {"swin_max", e.max_scaled_window},
          {"mss", e.tcp_mss},
          {"ws", e.tcp_window_scale},
          {"ce", e.ecn_ce_count},
          {"ece", e.ecn_ece_count},
          {"cwr", e.ecn_cwr_count},
          {"art_n", e.response_count},
          {"art_sum", e.response_sum_us},
          {"art_max", e.response_max_us},
          {"missed", e.unseen_octets},
          {"unique", e.unique_octets},
          {"flight_max", e.max_in_flight_octets},
          {"srtt", e.smoothed_rtt_us},
          {"rttvar", e.rtt_variation_us},
          {"options", e.tcp_options},
          {"quality", e.quality}};
}

struct TakenFields {
  TcpFields standard;
  TcpExtendedFields extended;
};
inline TakenFields take_from(TcpMeter& meter, TcpConversation& conversation, unsigned direction, Timestamp cut = {}) {
  TakenFields taken;
  meter.take(conversation, direction, cut, taken.standard, taken.extended);
  return taken;
}

// One conversation and its meter.  results() ends it.
class ConversationRun {
 public:
  explicit ConversationRun(const TcpSettings& settings = {}, const ScriptFrame::Form& form = {})
      : meter_{small(settings), 1, 1}, form_{form}, conversation_{} {
    conversation_.place = 1;
  }

  TcpVerdict feed(const ScriptPacket& line) {
    ScriptFrame frame{line, form_};
    const Packet& packet = frame.packet();
    last_ = packet.frame->time;
    const TcpVerdict verdict = meter_.observe(conversation_, line.direction, packet, kTupleHash);
    if (verdict == TcpVerdict::restart) {
      finished_.push_back(take());
      meter_.restart(conversation_, line.direction, packet, kTupleHash);
    }
    ++packets_[line.direction];
    return verdict;
  }
  void feed(const std::vector<ScriptPacket>& lines) {
    for (const auto& line : lines) feed(line);
  }
  void feed_fragment(unsigned direction) {
    meter_.observe_fragment(conversation_, direction);
    ++packets_[direction];
  }
  // The records of an interval; the next one begins.
  [[nodiscard]] ConversationResult take() { return take(last_); }
  [[nodiscard]] ConversationResult take(Timestamp cut) {
    ConversationResult result;
    for (unsigned d = 0; d < 2; ++d) meter_.take(conversation_, d, cut, result.fields[d], result.extended[d]);
    result.packets = packets_;
    result.state = conversation_.state;
    packets_ = {};
    return result;
  }
  // Every incarnation's last records, the living one's at the end.
  [[nodiscard]] std::vector<ConversationResult> results() {
    auto all = finished_;
    all.push_back(take());
    return all;
  }
  // The flow entry is gone; the meter is not.
  void expire() {
    conversation_ = TcpConversation{};
    conversation_.place = 1;
    packets_ = {};
  }
  [[nodiscard]] TcpMeter& meter() { return meter_; }
  [[nodiscard]] const TcpConversation& conversation() const { return conversation_; }
  [[nodiscard]] const TcpDirection& direction(unsigned which) const {
    return meter_.directions(conversation_).of[which];
  }

  static constexpr std::uint64_t kTupleHash = 0x1234'5678'9ABC'DEF0;

 private:
  // One conversation needs no large cache, and thousands of runs should not each clear one.
  static TcpSettings small(TcpSettings settings) {
    settings.syn_cache_max = std::min<std::uint32_t>(settings.syn_cache_max, 64);
    return settings;
  }

  TcpMeter meter_;
  ScriptFrame::Form form_;
  TcpConversation conversation_;
  std::array<std::uint64_t, 2> packets_{};
  std::vector<ConversationResult> finished_;
  Timestamp last_{};
};

inline std::vector<ConversationResult> run_script(std::string_view script, const TcpSettings& settings = {},
                                                  const ScriptFrame::Form& form = {}) {
  ConversationRun run{settings, form};
  run.feed(parse_tcp_script(script));
  return run.results();
}

inline TcpSettings extended_settings() {
  TcpSettings settings;
  settings.extended = true;
  return settings;
}
// The extended figures of the last incarnation: of A, of B.
inline std::array<TcpExtendedFields, 2> extended_of(std::string_view script,
                                                    const TcpSettings& settings = extended_settings()) {
  return run_script(script, settings).back().extended;
}

}  // namespace whiteowl::test
