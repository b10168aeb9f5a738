// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/meter.hpp"

#include <algorithm>
#include <cstring>

#include "whiteowl/tcp/common_segment.hpp"
#include "whiteowl/tcp/duplicate.hpp"
#include "whiteowl/tcp/extended.hpp"
#include "whiteowl/tcp/handshake.hpp"
#include "whiteowl/tcp/header_marks.hpp"
#include "whiteowl/tcp/rtt_estimate.hpp"
#include "whiteowl/tcp/seed.hpp"
#include "whiteowl/tcp/segment.hpp"
#include "whiteowl/tcp/syn_cache.hpp"
#include "whiteowl/tcp/tcp_state.hpp"
#include "whiteowl/tcp/window.hpp"

namespace whiteowl {

namespace {

std::uint32_t share(std::uint32_t total, std::uint32_t workers) noexcept {
  const std::uint32_t parts = std::max<std::uint32_t>(workers, 1);
  return static_cast<std::uint32_t>((std::uint64_t{total} + parts - 1) / parts);
}

// Finalizer of splitmix64: every bit of the key depends on every bit of hash and secret.
std::uint64_t scramble(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

// Which end of the tuple sent the packet, by the tuple alone: a conversation made anew may number its directions
// otherwise.
bool from_lower_end(const Packet& packet) noexcept {
  const int order = std::memcmp(packet.source_address, packet.destination_address, packet.ip_version == 6 ? 16 : 4);
  return order != 0 ? order < 0 : packet.source_port < packet.destination_port;
}

// The 32-bit stamps of a conversation that rested for so long no longer tell their age.
void rest_long(TcpDirections& directions, TcpCold* cold, const Segment& segment) noexcept {
  const UsStamp long_ago = segment.now - kLongAgoUs;
  for (TcpDirection& direction : directions.of) {
    direction.outstanding_count = 0;
    direction.timestamp_count = 0;
    std::fill(std::begin(direction.fingerprints), std::end(direction.fingerprints), 0U);
    direction.sent_at = long_ago;
    if (direction.has(direction_flag::kSynAckOnce))
      direction.flags |= direction_flag::kSynAckAgain;  // not timed any more
  }
  if (cold != nullptr) rest_stamps(*cold, long_ago);
}

}  // namespace

struct TcpMeter::Impl {
  Impl(const TcpSettings& settings, std::uint32_t workers, std::uint32_t conversations, Prefault prefault,
       std::uint64_t key)
      : rules{settings},
        syn_cache{share(settings.syn_cache_max, workers), settings.syn_ttl, counters, prefault},
        spread{conversations, prefault},
        cold{needs_cold(settings) ? conversations : 0U, prefault},
        secret{key} {}

  [[nodiscard]] static bool is_spread(const TcpConversation& conversation) noexcept {
    return (conversation.flags & conversation_flag::kSpread) != 0;
  }
  [[nodiscard]] bool has_room(const TcpConversation& conversation) const noexcept {
    return conversation.place - 1U < spread.size();  // not where it is 0
  }
  // As they are now; changes count if keep() follows.  Valid until another conversation is asked for.
  [[nodiscard]] TcpDirections& directions_of(const TcpConversation& conversation) noexcept {
    if (is_spread(conversation)) [[likely]]
      return spread[conversation.place - 1U];
    if (conversation.seed.marks != 0)
      grow(conversation, scratch);
    else
      scratch = TcpDirections{};
    return scratch;
  }
  void keep(TcpConversation& conversation, const TcpDirections& directions) noexcept {
    if (&directions != &scratch) return;
    if (sow(conversation, directions) || !has_room(conversation)) return;
    spread[conversation.place - 1U] = directions;
    conversation.flags |= conversation_flag::kSpread;
  }
  [[nodiscard]] TcpCold* cold_of(TcpConversation& conversation) noexcept {
    if (conversation.place - 1U >= cold.size()) return nullptr;  // also where it is 0
    TcpCold& part = cold[conversation.place - 1U];
    if ((conversation.flags & conversation_flag::kColdBegun) == 0) {
      part = TcpCold{};
      conversation.flags |= conversation_flag::kColdBegun;
    }
    return &part;
  }
  [[nodiscard]] SynKeys keys(const Packet& packet, std::uint64_t tuple_hash) const noexcept {
    const std::uint64_t lower = scramble(tuple_hash ^ secret);
    const std::uint64_t upper = scramble(lower);
    return from_lower_end(packet) ? SynKeys{lower, upper} : SynKeys{upper, lower};
  }
  // SYN without RST that is no reuse of the tuple.
  void take_syn(const Exchange& exchange, SynMeaning meaning, const SynKeys& keys_of_tuple) noexcept {
    if (meaning == SynMeaning::stray) return remember_stray_syn(exchange, keys_of_tuple, syn_cache);
    observe_syn(exchange, meaning, keys_of_tuple, syn_cache);
    note_raw_window(exchange.sender(), exchange.segment.window);
  }
  [[nodiscard]] SegmentStory take_segment(const Exchange& exchange) noexcept {
    const SegmentStory story = observe_segment(exchange);
    if (story.kind == SegmentKind::invalid) counters.invalid_segments.add();
    return story;
  }
  // Captured copies are gone.  Nothing of the old records changes if it is a restart.
  [[nodiscard]] TcpVerdict observe_standard(const Exchange& exchange, const Packet& packet,
                                            std::uint64_t tuple_hash) noexcept {
    const Segment& segment = exchange.segment;
    if ((segment.flags & (tcp_flag::kSyn | tcp_flag::kRst)) == 0) {
      static_cast<void>(take_segment(exchange));
    } else if (segment.has(tcp_flag::kRst)) {
      observe_reset(exchange);
    } else {
      const SynMeaning meaning = judge_syn(exchange);
      if (meaning == SynMeaning::reuse) return TcpVerdict::restart;
      take_syn(exchange, meaning, keys(packet, tuple_hash));
    }
    return TcpVerdict::counted;
  }
  // The same, and the extended set.
  [[nodiscard]] TcpVerdict observe_extended(const Exchange& exchange, TcpCold& part, const Packet& packet,
                                            std::uint64_t tuple_hash) noexcept {
    const Segment& segment = exchange.segment;
    const bool reset = segment.has(tcp_flag::kRst);
    const bool syn = segment.has(tcp_flag::kSyn) && !reset;
    const SynMeaning meaning = syn ? judge_syn(exchange) : SynMeaning::stray;
    if (meaning == SynMeaning::reuse) return TcpVerdict::restart;
    Observed observed{exchange, part};
    observe_marks(observed, packet);
    if (reset) {
      observe_reset(exchange);
    } else if (syn) {
      take_syn(exchange, meaning, keys(packet, tuple_hash));
      if (meaning != SynMeaning::stray) extend_syn(observed, meaning);
    } else {
      observed.story = take_segment(exchange);
      extend_segment(observed);
      if (observed.story.ack == AckKind::unseen_peer) observe_one_way(observed, keys(packet, tuple_hash), syn_cache);
    }
    return TcpVerdict::counted;
  }

  TcpRules rules;
  TcpCounters counters;
  SynCache syn_cache;
  ZeroedArray<TcpDirections> spread;
  ZeroedArray<TcpCold> cold;
  TcpDirections scratch;
  std::uint64_t secret;
  TcpOptions options;  // room for the options of the segment in hand
};

TcpMeter::TcpMeter(const TcpSettings& settings, std::uint32_t workers, std::uint32_t conversations, Prefault prefault,
                   std::uint64_t secret)
    : impl_{std::make_unique<Impl>(settings, workers, conversations, prefault, secret)},
      spread_{impl_->spread.data()},
      places_{conversations},
      has_cold_{needs_cold(settings)} {}
TcpMeter::TcpMeter(TcpMeter&&) noexcept = default;
TcpMeter& TcpMeter::operator=(TcpMeter&&) noexcept = default;
TcpMeter::~TcpMeter() = default;

bool TcpMeter::needs_cold(const TcpSettings& settings) noexcept {
  return settings.extended || settings.retransmit_mode == RetransmitMode::strict;
}

// A SYN is remembered under its sender's key, and its SYN-ACK asks for it under its peer's.
void TcpMeter::fetch_syn(const Packet& packet, std::uint64_t tuple_hash) const noexcept {
  const SynKeys keys = impl_->keys(packet, tuple_hash);
  impl_->syn_cache.fetch((packet.tcp->flags() & tcp_flag::kAck) != 0 ? keys.peer : keys.sender);
}

TcpVerdict TcpMeter::observe(TcpConversation& conversation, unsigned direction, const Packet& packet,
                             std::uint64_t tuple_hash) noexcept {
  Impl& impl = *impl_;
  if (!has_cold_ && Impl::is_spread(conversation) &&
      observe_common(impl.rules, conversation, impl.spread[conversation.place - 1U], direction, packet)) [[likely]]
    return TcpVerdict::counted;
  return observe_any(conversation, direction, packet, tuple_hash);
}

TcpVerdict TcpMeter::observe_any(TcpConversation& conversation, unsigned direction, const Packet& packet,
                                 std::uint64_t tuple_hash) noexcept {
  Impl& impl = *impl_;
  TcpDirections& directions = impl.directions_of(conversation);
  TcpDirection& sender = directions.of[direction];
  const Segment segment = read_segment(packet, sender, impl.options);
  const Exchange exchange{impl.rules, conversation, directions, direction, segment};
  TcpCold* cold = impl.cold_of(conversation);
  const std::int64_t silent_us = segment.time_us - conversation.last_us;
  if (silent_us >= kLongSilenceUs || silent_us <= -kLongSilenceUs) rest_long(directions, cold, segment);
  conversation.last_us = segment.time_us;
  const bool was_open = is_open(conversation.state);
  const bool copy = impl.rules.dedup && is_captured_copy(exchange, packet);
  sender.last_at = segment.now;
  TcpVerdict verdict = TcpVerdict::duplicate;
  if (copy) {
    impl.counters.duplicate_packets.add();
    if (cold != nullptr) count(cold->direction[direction].duplicate_count);
  } else if (cold != nullptr) {
    verdict = impl.observe_extended(exchange, *cold, packet, tuple_hash);
  } else {
    verdict = impl.observe_standard(exchange, packet, tuple_hash);
  }
  if (&directions == &impl.scratch) [[unlikely]]
    impl.keep(conversation, directions);
  if (verdict == TcpVerdict::counted && !was_open && is_open(conversation.state)) return TcpVerdict::opened;
  return verdict;
}

void TcpMeter::restart(TcpConversation& conversation, unsigned direction, const Packet& packet,
                       std::uint64_t tuple_hash) noexcept {
  Impl& impl = *impl_;
  TcpDirections& directions = impl.directions_of(conversation);
  const Segment segment = read_segment(packet, directions.of[direction], impl.options);
  const Exchange exchange{impl.rules, conversation, directions, direction, segment};
  reuse_tuple(exchange, impl.keys(packet, tuple_hash), impl.syn_cache);
  // The conversation knows nothing of this direction yet, so this is its opening.
  if (TcpCold* cold = impl.cold_of(conversation))
    static_cast<void>(impl.observe_extended(exchange, *cold, packet, tuple_hash));
  else
    static_cast<void>(impl.observe_standard(exchange, packet, tuple_hash));
  impl.keep(conversation, directions);
}

void TcpMeter::observe_fragment(TcpConversation& conversation, unsigned direction) noexcept {
  TcpDirections& directions = impl_->directions_of(conversation);
  directions.of[direction].flags |= direction_flag::kResync;
  impl_->keep(conversation, directions);
}

void TcpMeter::take(TcpConversation& conversation, unsigned direction, Timestamp cut, TcpFields& fields,
                    TcpExtendedFields& extended) noexcept {
  if (conversation.seed.marks != 0 && !impl_->rules.extended) {
    // Nothing was timed or repeated, and growing would cost as much as all else of such a record.
    if (std::uint16_t window = 0; take_seed_window(conversation, direction, window))
      fields.min_tcp_window = fields.max_tcp_window = window;
    return;
  }
  TcpDirections& directions = impl_->directions_of(conversation);
  const unsigned timed_side = direction ^ impl_->rules.rtt_other_side;
  if (TcpCold* cold = impl_->rules.extended ? impl_->cold_of(conversation) : nullptr)
    extended = take_extended(conversation, directions, *cold, direction, timed_side, floor_microseconds(cut));
  TcpDirection& sender = directions.of[direction];
  TcpDirection& timed = directions.of[timed_side];
  if (timed.rtt_count != 0) {
    fields.min_rtt_us = timed.rtt_min_us;
    fields.max_rtt_us = timed.rtt_max_us;
    fields.avg_rtt_us = static_cast<std::uint32_t>(timed.rtt_sum_us / timed.rtt_count);
  }
  timed.rtt_min_us = timed.rtt_max_us = timed.rtt_count = 0;
  timed.rtt_sum_us = 0;
  fields.retransmit_count = sender.retransmit_count;
  sender.retransmit_count = 0;
  const auto smallest = static_cast<std::uint16_t>(0xFFFFU - sender.window_min_inverted);
  if (smallest <= sender.window_max) {
    fields.min_tcp_window = smallest;
    fields.max_tcp_window = sender.window_max;
  }
  sender.window_min_inverted = sender.window_max = 0;
  if (conversation.seed.marks != 0) impl_->keep(conversation, directions);
}

const TcpDirections& TcpMeter::directions(const TcpConversation& conversation) const noexcept {
  return impl_->directions_of(conversation);
}

void TcpMeter::fetch_cold(std::uint32_t place) const noexcept { fetch_lines(impl_->cold[place - 1U]); }

const TcpCounters& TcpMeter::counters() const noexcept { return impl_->counters; }

std::size_t TcpMeter::memory_octets() const noexcept {
  return impl_->syn_cache.memory_octets() + impl_->spread.octets() + impl_->cold.octets();
}

}  // namespace whiteowl
