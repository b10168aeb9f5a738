// SPDX-License-Identifier: Apache-2.0
// TCP metering the slow and obvious way: the oracle for the fast meter.
// Times are whole 64-bit microseconds, everything that may be unknown is optional, everything remembered is a vector,
// and each rule of the definition is one function.  Shares no code and no data layout with the meter that it judges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "support/tcp_script.hpp"
#include "whiteowl/tcp/meter.hpp"

namespace whiteowl::test {

using Micros = std::int64_t;
using Seq = std::uint32_t;

// The way from b to a round the circle, positive if a is ahead.
inline std::int64_t ahead(Seq a, Seq b) { return static_cast<std::int32_t>(a - b); }

class ReferenceSynCache {
 public:
  struct Syn {
    unsigned opener = 0;
    Seq isn = 0;
    Micros first = 0, last = 0;
    bool repeated = false;
    std::optional<std::uint32_t> first_stamp, last_stamp;
    std::uint32_t payload = 0;
  };

  ReferenceSynCache(std::size_t capacity, Micros time_to_live) : capacity_{capacity}, time_to_live_{time_to_live} {}

  std::uint32_t insert(unsigned opener, const ScriptPacket& p) {
    for (int i = 0; i < 2 && !syns_.empty() && p.us - syns_.front().last > time_to_live_; ++i) syns_.pop_front();
    const std::optional<std::uint32_t> stamp = p.has_timestamps ? std::optional{p.ts_value} : std::nullopt;
    Syn syn{opener, p.seq, p.us, p.us, false, stamp, stamp, p.payload};
    const auto known = find(opener);
    if (known != syns_.end()) {
      if (known->isn == p.seq && p.us - known->first <= time_to_live_)
        syn = {opener, p.seq, known->first, p.us, true, known->first_stamp, stamp, known->payload};
      syns_.erase(known);
    } else if (syns_.size() == capacity_) {
      for (std::size_t i = 0; i < std::max<std::size_t>(1, capacity_ / 10); ++i) syns_.pop_front();
    }
    syns_.push_back(syn);
    return syn.payload;
  }
  std::optional<Micros> answer(unsigned opener, const ScriptPacket& p) {
    const auto syn = find(opener);
    if (syn == syns_.end() || p.us - syn->last > time_to_live_) return std::nullopt;
    if (ahead(p.ack, syn->isn) < 1 || ahead(p.ack, syn->isn) > 1 + std::int64_t{syn->payload}) return std::nullopt;
    std::optional<Micros> sent;
    if (!syn->repeated) sent = syn->first;
    if (syn->repeated && p.has_timestamps && syn->first_stamp != syn->last_stamp) {
      if (syn->last_stamp == p.ts_echo) sent = syn->last;
      if (syn->first_stamp == p.ts_echo) sent = syn->first;
    }
    if (!sent || p.us - *sent > time_to_live_) return std::nullopt;
    syns_.erase(syn);
    return p.us - *sent;
  }
  const Syn* look(unsigned opener, Seq isn, Micros now) {
    const auto syn = find(opener);
    return syn != syns_.end() && syn->isn == isn && now - syn->last <= time_to_live_ ? &*syn : nullptr;
  }

 private:
  std::list<Syn>::iterator find(unsigned opener) {
    return std::find_if(syns_.begin(), syns_.end(), [&](const Syn& s) { return s.opener == opener; });
  }
  std::size_t capacity_;
  Micros time_to_live_;
  std::list<Syn> syns_;  // oldest first
};

class ReferenceTcp {
 public:
  explicit ReferenceTcp(const TcpSettings& settings = {})
      : set_{settings}, cache_{settings.syn_cache_max, us(settings.syn_ttl)} {}

  // What the flow table would make of a restart is made here: finished() holds the records of older incarnations.
  TcpVerdict feed(const ScriptPacket& p) {
    rest(p);
    Side& d = side_[p.direction];
    if (set_.dedup && copy(p)) {
      d.last = p.us;
      ++d.counted.duplicate_packet_count;
      return TcpVerdict::duplicate;
    }
    d.last = p.us;
    new_stamp_ = p.has_timestamps && (!d.ts_max || ahead(p.ts_value, *d.ts_max) > 0);
    if (has(p, tcp_flag::kSyn) && !has(p, tcp_flag::kRst)) return syn(p);
    marks(p);
    if (has(p, tcp_flag::kRst)) {
      reset(p.direction);
    } else {
      segment(p);
    }
    return TcpVerdict::counted;
  }
  void feed_fragment(unsigned direction) { side_[direction].resync = true; }

  TcpFields take(unsigned direction) {
    Side& d = side_[direction];
    Side& timed = side_[set_.rtt_side == RttSide::source ? 1 - direction : direction];
    TcpFields f;
    if (!timed.samples.empty()) {
      std::uint64_t sum = 0;
      for (const std::uint32_t sample : timed.samples) sum += sample;
      f.min_rtt_us = *std::min_element(timed.samples.begin(), timed.samples.end());
      f.max_rtt_us = *std::max_element(timed.samples.begin(), timed.samples.end());
      f.avg_rtt_us = static_cast<std::uint32_t>(sum / timed.samples.size());
    }
    if (!d.windows.empty()) {
      f.min_tcp_window = *std::min_element(d.windows.begin(), d.windows.end());
      f.max_tcp_window = *std::max_element(d.windows.begin(), d.windows.end());
    }
    f.retransmit_count = d.repeats;
    timed.samples.clear();
    d.windows.clear();
    d.repeats = 0;
    return f;
  }
  // The extended set of the interval that ends at `cut`.  Take it before the six fields.
  TcpExtendedFields take_extended(unsigned direction, Micros cut) {
    Side& d = side_[direction];
    TcpExtendedFields e = d.counted;
    take_round_trips(e, set_.rtt_side == RttSide::source ? 1 - direction : direction);
    for (const Micros answer : d.answers) {
      ++e.response_count;
      e.response_sum_us += static_cast<std::uint64_t>(answer);
      e.response_max_us = std::max(e.response_max_us, static_cast<std::uint32_t>(std::min<Micros>(answer, 0xFFFFFFFF)));
    }
    for (const std::uint64_t octets : d.in_flight)
      e.max_in_flight_octets = std::max(e.max_in_flight_octets, static_cast<std::uint32_t>(octets));
    if (!d.scaled.empty()) {
      e.min_scaled_window = *std::min_element(d.scaled.begin(), d.scaled.end());
      e.max_scaled_window = *std::max_element(d.scaled.begin(), d.scaled.end());
    }
    for (const unsigned kind : d.kinds) e.tcp_options |= std::uint64_t{1} << kind;
    Micros closed = d.closed_for;
    if (d.closed_at) closed += cut - *d.closed_at;
    if (d.closed_at) d.closed_at = cut;
    e.zero_window_us = static_cast<std::uint32_t>(std::clamp<Micros>(closed, 0, 0xFFFFFFFF));
    e.tcp_mss = static_cast<std::uint16_t>(d.mss);
    e.tcp_window_scale = static_cast<std::uint8_t>(d.shift.value_or(0));
    e.tcp_state = static_cast<std::uint8_t>(state_);
    e.quality = quality(direction);
    d.counted = {};
    d.answers.clear();
    d.in_flight.clear();
    d.scaled.clear();
    d.kinds.clear();
    d.closed_for = 0;
    return e;
  }
  [[nodiscard]] TcpState state() const { return state_; }
  [[nodiscard]] Micros newest() const { return newest_.value_or(0); }
  struct Finished {
    TcpFields fields[2];
    TcpExtendedFields extended[2];
    TcpState state;
  };
  [[nodiscard]] const std::vector<Finished>& finished() const { return finished_; }

 private:
  struct Waiting {
    Seq end;
    Micros at;
  };
  struct Stamp {
    std::uint32_t value;
    Micros at;
    bool pure;
  };
  struct Gap {
    Seq left, right;
    Micros at;
  };
  using Print =
      std::tuple<std::uint16_t, Seq, Seq, std::uint16_t, std::uint16_t, std::uint32_t, std::vector<std::uint8_t>>;
  struct Side {
    bool seen = false, midstream = false, syn_had_ack = false, sent_syn = false, fin_acked = false, resync = false;
    std::optional<Seq> isn, snd_max, una, recover, fin_end, probe_end, unseen_ack;
    std::optional<std::uint32_t> ts_max;
    std::optional<Micros> sent, last, handshake;
    std::optional<std::uint16_t> window;
    std::optional<unsigned> shift;
    std::uint32_t syn_payload = 0;
    int syn_acks = 0, strikes = 0;
    Micros syn_ack_at = 0;
    unsigned duplicate_acks = 0;
    std::vector<Waiting> waiting;
    std::vector<Stamp> stamps;
    std::vector<Gap> gaps;
    std::vector<Print> prints;
    std::optional<Micros> floor;
    std::vector<std::uint32_t> samples;  // interval
    std::vector<std::uint16_t> windows;  // interval
    std::uint32_t repeats = 0;           // interval
    // the extended set
    unsigned mss = 0;
    bool sack_offered = false, syn_repeated = false, lost = false, forgot = false, super_segments = false;
    enum class Recovery { none, fast, timeout } recovery = Recovery::none;
    Seq recovery_point = 0;
    std::optional<Seq> sack_high;
    std::optional<Micros> acked, asked, closed_at;
    std::optional<std::uint32_t> smoothed, variation;
    TcpExtendedFields counted;             // interval: what is only counted
    std::vector<Micros> answers, echoes;   // interval
    std::vector<std::uint64_t> in_flight;  // interval
    std::vector<std::uint32_t> scaled;     // interval
    std::set<unsigned> kinds;              // interval
    Micros closed_for = 0;                 // interval
  };
  enum class Kind { nothing, normal, invalid };

  static Micros us(Duration d) { return std::chrono::floor<std::chrono::microseconds>(d).count(); }
  static bool has(const ScriptPacket& p, std::uint16_t flag) { return (p.flags & flag) != 0; }
  static std::uint32_t length(const ScriptPacket& p) {
    return p.payload + (has(p, tcp_flag::kSyn) ? 1U : 0U) + (has(p, tcp_flag::kFin) ? 1U : 0U);
  }

  // ---- before everything: a conversation that rested for half an hour
  void rest(const ScriptPacket& p) {
    const Micros half_an_hour = 1'800'000'000;
    if (newest_ && std::abs(p.us - *newest_) >= half_an_hour) {
      for (Side& s : side_) {
        s.waiting.clear();
        s.stamps.clear();
        s.prints.clear();
        const Micros long_ago = p.us - (1 << 30);  // more than every limit
        if (s.sent) s.sent = long_ago;
        if (s.acked) s.acked = long_ago;
        for (Gap& gap : s.gaps) gap.at = long_ago;
        if (s.syn_acks == 1) s.syn_acks = 2;  // which of them an ACK answers is not known any more
      }
    }
    newest_ = p.us;
  }

  // ---- P0
  bool copy(const ScriptPacket& p) {
    Side& d = side_[p.direction];
    const Print print{p.ip_id, p.seq, p.ack, p.flags, p.window, p.payload, script_detail::options_of(p)};
    if (std::find(d.prints.begin(), d.prints.end(), print) != d.prints.end()) {
      const Micros age = p.us - *d.last;
      const Micros without_id = us(set_.dup_window);
      const bool is_copy = p.ip_id != 0 ? age <= us(set_.dup_id_window)
                                        : without_id > 0 && age <= without_id && (length(p) > 0 || captured_twice_);
      if (is_copy) return captured_twice_ = true;
    }
    d.prints.push_back(print);
    if (d.prints.size() > 3) d.prints.erase(d.prints.begin());
    return false;
  }

  // ---- P1 and sections 5, 6
  TcpVerdict syn(const ScriptPacket& p) {
    const bool ack = has(p, tcp_flag::kAck);
    const unsigned other = 1 - p.direction;
    Side& d = side_[p.direction];
    const bool live = state_ == TcpState::syn_ack_seen || state_ == TcpState::established;
    if (ack && pending_ && pending_->direction == other && ahead(p.ack, pending_->seq) == 1) {
      const ScriptPacket opened = *pending_;
      begin_anew(p.us);
      adopt(opened, p.us);
      marks(p);
      opening(p);
      return TcpVerdict::restart;
    }
    const bool other_isn = d.seen && (d.midstream || d.isn != p.seq);
    if (!other_isn || live) marks(p);
    if (other_isn && live) {
      if (!ack) {
        pending_ = p;
        if (!has(p, tcp_flag::kFin)) cache_.insert(p.direction, p);
      }
      return TcpVerdict::counted;
    }
    if (other_isn) {
      begin_anew(p.us);
      marks(p);
      opening(p);
      return TcpVerdict::restart;
    }
    opening(p);
    return TcpVerdict::counted;
  }
  void begin_anew(Micros now) {
    Finished old;
    for (unsigned d = 0; d < 2; ++d) old.extended[d] = take_extended(d, now);
    for (unsigned d = 0; d < 2; ++d) old.fields[d] = take(d);
    old.state = state_;
    finished_.push_back(old);
    ts_sampled_ = false;
    reset_by_.reset();
    Side fresh[2];
    for (int i = 0; i < 2; ++i) {
      fresh[i].prints = side_[i].prints;
      fresh[i].last = side_[i].last;
      side_[i] = fresh[i];
    }
    state_ = TcpState::fresh;
    client_.reset();
    pending_.reset();
    full_handshake_.reset();
  }
  void adopt(const ScriptPacket& opened, Micros now) {
    Side& x = side_[opened.direction];
    const auto* known = cache_.look(opened.direction, opened.seq, now);
    client_ = opened.direction;
    state_ = TcpState::syn_sent;
    x.seen = x.sent_syn = true;
    x.isn = opened.seq;
    if (opened.window_scale >= 0) x.shift = static_cast<unsigned>(opened.window_scale);
    x.syn_payload = known != nullptr ? known->payload : 0;
    x.snd_max = opened.seq + 1 + x.syn_payload;
    if (known == nullptr) return;
    x.sent = known->last;
    x.ts_max = known->last_stamp;
  }
  void opening(const ScriptPacket& p) {
    const bool ack = has(p, tcp_flag::kAck);
    const unsigned other = 1 - p.direction;
    Side& d = side_[p.direction];
    Side& x = side_[other];
    if (!d.seen) {
      d.seen = true;
      d.isn = p.seq;
      d.una.reset();
      d.unseen_ack.reset();
      d.snd_max = p.seq + length(p);
      d.syn_had_ack = ack;
      d.syn_payload = p.payload;
      if (p.has_timestamps) d.ts_max = p.ts_value;
      if (p.window_scale >= 0) d.shift = static_cast<unsigned>(p.window_scale);
      d.mss = p.mss;
      d.sack_offered = p.sack_permitted;
      d.counted.unique_octets += p.payload;
    } else if (ack && !d.syn_had_ack) {
      d.syn_had_ack = true;
    } else {
      ++d.repeats;
      ++d.counted.syn_retransmit_count;
      ++d.counted.retransmit_timeout_count;
      if (!ack) d.syn_repeated = true;
    }
    d.sent = p.us;
    if (!ack) {
      if (!client_) client_ = p.direction;
      if (!has(p, tcp_flag::kFin)) {
        d.sent_syn = true;
        if (!d.handshake) d.syn_payload = cache_.insert(p.direction, p);
      }
      if (state_ == TcpState::fresh || state_ == TcpState::closed || state_ == TcpState::fin_wait)
        state_ = TcpState::syn_sent;
    } else {
      if (!client_) client_ = other;
      if (!x.handshake) {
        if (const auto time = cache_.answer(other, p)) {
          x.handshake = std::max<Micros>(1, *time);
          sample(x, *time);
        }
      }
      if (x.sent_syn && ahead(p.ack, *x.isn) >= 1 && ahead(p.ack, *x.isn) <= 1 + std::int64_t{x.syn_payload} &&
          (!x.una || ahead(p.ack, *x.una) > 0)) {
        x.una = p.ack;
        x.acked = p.us;
      }
      d.waiting.clear();
      if (++d.syn_acks == 1) d.waiting.push_back({*d.snd_max, p.us});
      d.syn_ack_at = p.us;
      if (state_ == TcpState::fresh || state_ == TcpState::syn_sent) state_ = TcpState::syn_ack_seen;
    }
    d.windows.push_back(p.window);
    d.window = p.window;
  }

  // ---- P3
  void reset(unsigned direction) {
    if (state_ != TcpState::closed) reset_by_ = direction;
    state_ = TcpState::closed;
    for (Side& s : side_) {
      s.waiting.clear();
      s.stamps.clear();
    }
  }

  // ---- P2, P4 to P10
  void segment(const ScriptPacket& p) {
    Side& d = side_[p.direction];
    Side& x = side_[1 - p.direction];
    d.windows.push_back(p.window);
    brings_new_ = false;
    if (!d.seen) {
      d.seen = d.midstream = true;
      d.snd_max = p.seq;
      if (d.unseen_ack && ahead(*d.unseen_ack, p.seq) <= 0 && ahead(*d.unseen_ack, p.seq) > -(1 << 30))
        d.una = d.unseen_ack;
    }
    if (state_ == TcpState::fresh) state_ = TcpState::established;
    if (length(p) > 0 && place(p, d, x) == Kind::invalid) return;
    if (new_stamp_) d.ts_max = p.ts_value;
    if (has(p, tcp_flag::kAck)) acknowledge(p, d, x);
    d.window = p.window;
    windows(p, d, x);
    next_state(p, d, x);
  }

  // ---- P5
  bool inside(const ScriptPacket& p, const Side& d, const Side& x) {
    if (!d.una || !x.window) return true;
    std::int64_t room = *x.window;
    if (x.shift && d.shift) {
      room <<= *x.shift;
    } else if (x.midstream || d.midstream) {
      room <<= 14;
    }
    const std::int64_t limit = std::max<std::int64_t>(2 * room, 1 << 20) + 65536;
    return ahead(p.seq, *d.una) <= limit && ahead(p.seq + length(p), *d.una) >= -(1 << 30);
  }

  // ---- P6
  Kind place(const ScriptPacket& p, Side& d, Side& x) {
    if (!inside(p, d, x)) {
      if (++d.strikes < 3) return Kind::invalid;
      d.waiting.clear();
      d.gaps.clear();
      d.stamps.clear();
      d.una.reset();
      d.recover.reset();
      d.snd_max = p.seq;
    }
    d.strikes = 0;
    if (d.resync) {
      d.resync = false;
      if (ahead(p.seq, *d.snd_max) > 0) d.snd_max = p.seq;
    }
    if (!probe(p, d, x)) ahead(p.seq, *d.snd_max) >= 0 ? newer(p, d, x) : below(p, d, x);
    return Kind::normal;
  }
  bool probe(const ScriptPacket& p, Side& d, const Side& x) {
    if (p.payload != 1 || has(p, tcp_flag::kFin)) return false;
    const auto gap = ahead(p.seq, *d.snd_max);
    const bool closed = x.window == std::uint16_t{0};
    const bool nothing_outstanding = d.una ? d.una == d.snd_max : d.sent && p.us - *d.sent >= 1'000'000;
    if (gap == -1 && nothing_outstanding) {
      closed ? ++d.counted.zero_window_probe_count : ++d.counted.keepalive_count;
      return true;
    }
    if (!closed || !d.una || (p.seq != *d.una && gap != 0)) return false;
    ++d.counted.zero_window_probe_count;
    if (gap == 0) d.probe_end = p.seq + 1;
    return true;
  }
  void newer(const ScriptPacket& p, Side& d, Side& x) {
    const Seq end = p.seq + length(p);
    if (p.seq != *d.snd_max) {
      d.gaps.push_back({*d.snd_max, p.seq, p.us});
      forget_gaps(d);
      hold(d, end);
    }
    d.snd_max = end;
    d.sent = p.us;
    d.counted.unique_octets += p.payload;
    in_flight(d);
    brings_new_ = true;
    if (p.payload > 0) ask_and_answer(p, d, x);
    d.probe_end.reset();
    if (d.recover && d.una && ahead(*d.una, *d.recover) >= 0) d.recover.reset();
    if (!d.recover) {
      if (d.waiting.size() == 4) d.waiting.pop_back();
      d.waiting.push_back({end, p.us});
    }
    stamp(p, d, false);
  }
  void below(const ScriptPacket& p, Side& d, const Side& x) {
    const Seq end = p.seq + length(p);
    const std::int64_t clock = p.has_timestamps && d.ts_max ? ahead(p.ts_value, *d.ts_max) : 0;
    const bool reordered = clock < 0 || (clock == 0 && soon_after_gap(p, d, x));
    const auto tail = static_cast<std::uint32_t>(std::max<std::int64_t>(0, ahead(end, *d.snd_max)));
    d.counted.unique_octets += std::min(p.payload, fill(d, p.seq, end) + tail);
    if (reordered) {
      ++d.counted.out_of_order_count;
    } else {
      d.counted.retransmit_octets += p.payload - std::min(p.payload, tail);
      if (d.una && ahead(end, *d.una) <= 0) ++d.counted.retransmit_spurious_count;
      cause(p, d);
    }
    if (!reordered || set_.retransmit_mode == RetransmitMode::seed) ++d.repeats;
    if (clock >= 0) {
      d.sent = p.us;
      stamp(p, d, false);
    }
    if (ahead(end, *d.snd_max) > 0) d.snd_max = end;
    in_flight(d);
    std::erase_if(d.waiting, [&](const Waiting& w) { return ahead(w.end, p.seq) > 0; });
    hold(d, *d.snd_max);
  }
  bool soon_after_gap(const ScriptPacket& p, const Side& d, const Side& x) {
    const Seq end = p.seq + length(p);
    if (d.una && ahead(end, *d.una) <= 0) return false;
    for (const Gap& gap : d.gaps) {
      if (ahead(end, gap.left) <= 0 || ahead(gap.right, p.seq) <= 0) continue;
      std::optional<Micros> full = full_handshake_;
      if (d.floor && x.floor) full = *d.floor + *x.floor;
      if (full) return p.us - gap.at < *full * 3 / 4;
      return d.duplicate_acks < 3 && p.us - gap.at < us(set_.reorder_default);
    }
    return false;
  }
  // Octets of gaps that lie in [from, to), which are none any more.
  static std::uint32_t fill(Side& d, Seq from, Seq to) {
    std::vector<Gap> rests;
    std::uint32_t filled = 0;
    for (auto gap = d.gaps.begin(); gap != d.gaps.end();) {
      const Seq left = ahead(gap->left, from) > 0 ? gap->left : from;
      const Seq right = ahead(gap->right, to) < 0 ? gap->right : to;
      if (ahead(right, left) <= 0) {
        ++gap;
        continue;
      }
      filled += right - left;
      if (ahead(left, gap->left) > 0) rests.push_back({gap->left, left, gap->at});
      if (ahead(gap->right, right) > 0) rests.push_back({right, gap->right, gap->at});
      gap = d.gaps.erase(gap);
    }
    d.gaps.insert(d.gaps.end(), rests.begin(), rests.end());
    forget_gaps(d);
    return filled;
  }
  static void forget_gaps(Side& d) {
    while (d.gaps.size() > 3) {
      d.gaps.erase(d.gaps.begin());
      d.forgot = true;
    }
  }
  // Why a segment was sent again.
  void cause(const ScriptPacket& p, Side& d) {
    using Recovery = Side::Recovery;
    const auto within = [&](Recovery kind) {
      return d.recovery == kind && d.una && ahead(*d.una, d.recovery_point) < 0;
    };
    const bool sacked_above = d.sack_high && d.una && ahead(*d.sack_high, p.seq) > 0 && ahead(*d.sack_high, *d.una) > 0;
    const bool evidence = d.duplicate_acks >= 3 || within(Recovery::fast) || sacked_above;
    std::optional<Micros> last = d.sent;
    if (d.acked && (!last || *d.acked > *last)) last = d.acked;
    const Micros since_last = last ? p.us - *last : 0;
    const Micros silence = d.acked ? p.us - *d.acked : since_last;
    const Micros timer = us(set_.timeout_silence);
    if (evidence && !within(Recovery::timeout) && since_last < timer) {
      ++d.counted.retransmit_fast_count;
      if (within(Recovery::fast)) return;
      d.recovery = Recovery::fast;
      d.recovery_point = *d.snd_max;
    } else if (std::min(silence, since_last) >= timer || (silence >= timer && !evidence)) {
      ++d.counted.retransmit_timeout_count;
      d.recovery = Recovery::timeout;
      d.recovery_point = *d.snd_max;
    }
  }
  static void in_flight(Side& d) {
    if (!d.una) return;
    const auto octets = ahead(*d.snd_max, *d.una);
    if (octets > 0 && octets < (1 << 30)) d.in_flight.push_back(static_cast<std::uint64_t>(octets));
  }

  // ---- section 8
  void ask_and_answer(const ScriptPacket& p, Side& d, Side& x) {
    if (x.asked) x.answers.push_back(std::max<Micros>(1, p.us - *x.asked));
    x.asked.reset();
    if (!client_ || client_ == p.direction) d.asked = p.us;
  }

  // ---- P9
  static void windows(const ScriptPacket& p, Side& d, const Side& x) {
    d.scaled.push_back(std::uint32_t{p.window} << (d.shift && x.shift ? *d.shift : 0));
    if (p.window == 0 && !d.closed_at) {
      ++d.counted.zero_window_count;
      d.closed_at = p.us;
    } else if (p.window != 0 && d.closed_at) {
      d.closed_for += p.us - *d.closed_at;
      d.closed_at.reset();
    }
  }

  // ---- what headers say of themselves
  void marks(const ScriptPacket& p) {
    Side& d = side_[p.direction];
    const Side& x = side_[1 - p.direction];
    if (p.congestion_experienced) ++d.counted.ecn_ce_count;
    if (!has(p, tcp_flag::kSyn) && has(p, tcp_flag::kEce)) ++d.counted.ecn_ece_count;
    if (!has(p, tcp_flag::kSyn) && has(p, tcp_flag::kCwr)) ++d.counted.ecn_cwr_count;
    if (p.mss != 0) d.kinds.insert(2);
    if (p.window_scale >= 0) d.kinds.insert({1, 3});
    if (p.sack_permitted) d.kinds.insert({1, 4});
    if (p.has_timestamps) d.kinds.insert({1, 8});
    if (!p.sack.empty()) d.kinds.insert({1, 5});
    if (p.payload > (x.mss != 0 ? x.mss : d.mss != 0 ? d.mss : 9000)) d.super_segments = true;
  }
  [[nodiscard]] std::uint16_t quality(unsigned direction) const {
    const Side& d = side_[direction];
    const Side& x = side_[1 - direction];
    const auto ambiguous = [](const Side& side, const Side& other) {
      return !side.handshake && (side.syn_acks > 1 || (side.syn_repeated && other.syn_acks > 0));
    };
    const bool bits[16] = {d.seen && d.midstream,
                           !x.seen,
                           captured_twice_,
                           d.lost,
                           d.forgot,
                           ts_sampled_,
                           ambiguous(d, x) || ambiguous(x, d),
                           reset_by_ == direction,
                           reset_by_ == 1 - direction,
                           d.seen && !d.midstream,
                           d.fin_end.has_value(),
                           x.fin_end.has_value(),
                           d.super_segments,
                           d.sack_offered,
                           d.ts_max.has_value(),
                           client_ == direction};
    std::uint16_t quality = 0;
    for (unsigned i = 0; i < 16; ++i) quality = static_cast<std::uint16_t>(quality | (bits[i] ? 1U << i : 0U));
    return quality;
  }
  void take_round_trips(TcpExtendedFields& e, unsigned direction) {
    Side& timed = side_[direction];
    e.rtt_sample_count = static_cast<std::uint32_t>(timed.samples.size());
    e.smoothed_rtt_us = timed.smoothed.value_or(0);
    e.rtt_variation_us = timed.variation.value_or(0);
    e.handshake_rtt_us = static_cast<std::uint32_t>(timed.handshake.value_or(0));
    e.handshake_total_us = static_cast<std::uint32_t>(full_handshake_.value_or(0));
    if (!timed.echoes.empty())
      e.ts_min_rtt_us = static_cast<std::uint32_t>(*std::min_element(timed.echoes.begin(), timed.echoes.end()));
    timed.echoes.clear();
  }

  // ---- P8
  void acknowledge(const ScriptPacket& p, Side& d, Side& x) {
    if (!x.seen) {
      x.unseen_ack = p.ack;
      one_way(p, d);
      return;
    }
    if (!x.una) x.una = ahead(p.ack, *x.snd_max) <= 0 ? p.ack - 1 : *x.snd_max;
    sacks(p, x);
    const auto progress = ahead(p.ack, *x.una);
    const bool held = x.recover && ahead(*x.una, *x.recover) < 0;
    const auto echo = p.has_timestamps && p.ts_echo != 0 ? take_echo(p, x, progress > 0 && !held) : std::nullopt;
    if (progress > 0) {
      const auto beyond = ahead(p.ack, *x.snd_max);
      if (beyond > 0) {
        if (x.probe_end != p.ack) {
          if (beyond > (1 << 30)) return;
          x.waiting.clear();
          if (!x.resync) unseen(x, static_cast<std::uint32_t>(beyond));
        } else {
          ++x.counted.unique_octets;
        }
        x.snd_max = p.ack;
        x.probe_end.reset();
      }
      if (echo) x.echoes.push_back(std::max<Micros>(1, *echo));
      match(p, x, echo);
      third_packet(p, d, x);
      x.una = p.ack;
      x.acked = p.us;
      x.duplicate_acks = 0;
      if (ahead(p.ack, x.recovery_point) >= 0) x.recovery = Side::Recovery::none;
      if (x.recover && ahead(p.ack, *x.recover) >= 0) x.recover.reset();
      close_gaps(x, p.ack);
    } else if (progress == 0 && length(p) == 0 && d.window == p.window && ahead(*x.snd_max, *x.una) > 0) {
      const bool lone_dsack = p.sack.size() == 1 && ahead(p.sack[0].right, p.ack) <= 0;
      if (!lone_dsack) {
        ++x.duplicate_acks;
        ++d.counted.duplicate_ack_count;
        x.acked = p.us;
        x.waiting.clear();
        hold(x, *x.snd_max);
      }
    }
    if (length(p) == 0) stamp(p, d, true);
  }
  static void unseen(Side& x, std::uint32_t octets) {
    x.counted.unseen_octets += octets;
    if (octets > 0) x.lost = true;
  }
  // What is acknowledged will not come any more.
  static void close_gaps(Side& x, Seq ack) {
    std::vector<Gap> kept, cut;
    for (const Gap& gap : x.gaps) {
      if (ahead(ack, gap.left) <= 0) {
        kept.push_back(gap);
      } else if (ahead(gap.right, ack) < 0) {
        unseen(x, gap.right - gap.left);
      } else {
        unseen(x, ack - gap.left);
        if (gap.right != ack) cut.push_back({ack, gap.right, gap.at});
      }
    }
    kept.insert(kept.end(), cut.begin(), cut.end());
    x.gaps = kept;
  }
  static void sacks(const ScriptPacket& p, Side& x) {
    auto blocks = p.sack;
    if (blocks.empty()) return;
    const bool below = ahead(blocks[0].right, p.ack) <= 0;
    const bool inside =
        blocks.size() > 1 && ahead(blocks[0].left, blocks[1].left) >= 0 && ahead(blocks[0].right, blocks[1].right) <= 0;
    if (below || inside) {
      ++x.counted.dsack_count;
      blocks.erase(blocks.begin());
    }
    for (const auto& block : blocks)
      if (!x.sack_high || ahead(block.right, *x.sack_high) > 0) x.sack_high = block.right;
  }
  void match(const ScriptPacket& p, Side& x, std::optional<Micros> echo) {
    std::optional<Waiting> newest;
    while (!x.waiting.empty() && ahead(x.waiting.front().end, p.ack) <= 0) {
      newest = x.waiting.front();
      x.waiting.erase(x.waiting.begin());
    }
    if (newest && newest->end == p.ack && p.us - newest->at <= 60'000'000) {
      sample(x, p.us - newest->at);
    } else if (echo && set_.ts_rtt) {
      ts_sampled_ = true;
      sample(x, *echo);
    }
  }
  std::optional<Micros> take_echo(const ScriptPacket& p, Side& x, bool usable) {
    std::optional<Micros> echo;
    std::vector<Stamp> kept;
    for (const Stamp& s : x.stamps) {
      if (ahead(s.value, p.ts_echo) > 0 || (s.pure && length(p) == 0)) {
        kept.push_back(s);
      } else if (s.value == p.ts_echo && !s.pure && usable && p.us >= s.at && p.us - s.at <= 60'000'000) {
        echo = p.us - s.at;
      } else if (s.value == p.ts_echo && s.pure && brings_new_ && p.us >= s.at && p.us - s.at <= 60'000'000) {
        x.echoes.push_back(std::max<Micros>(1, p.us - s.at));
      }
    }
    x.stamps = kept;
    return echo;
  }
  void stamp(const ScriptPacket& p, Side& d, bool pure) {
    if (!new_stamp_) return;
    if (d.stamps.size() == 2) d.stamps.pop_back();
    d.stamps.push_back({p.ts_value, p.us, pure});
  }
  void third_packet(const ScriptPacket& p, Side& d, Side& x) {
    if (state_ != TcpState::syn_ack_seen || client_ != p.direction || x.handshake || x.syn_acks != 1) return;
    if (p.ack != *x.isn + 1) return;
    x.handshake = std::max<Micros>(1, p.us - x.syn_ack_at);
    if (d.handshake) full_handshake_ = *d.handshake + *x.handshake;
  }
  void one_way(const ScriptPacket& p, const Side& d) {
    if (!d.sent_syn || full_handshake_ || p.seq != *d.isn + 1) return;
    const auto* syn = cache_.look(p.direction, *d.isn, p.us);
    if (syn != nullptr && !syn->repeated) full_handshake_ = std::max<Micros>(1, p.us - syn->first);
  }
  static void hold(Side& s, Seq point) {
    if (!s.recover || ahead(point, *s.recover) > 0) s.recover = point;
  }
  static void sample(Side& s, Micros time) {
    if (time < 0) return;
    time = std::max<Micros>(1, time);
    s.samples.push_back(static_cast<std::uint32_t>(time));
    s.floor = s.floor ? std::min(*s.floor, time) : time;
    const auto now = static_cast<std::uint32_t>(time);
    if (s.smoothed) {  // RFC 6298 2.3
      const std::uint32_t deviation = *s.smoothed > now ? *s.smoothed - now : now - *s.smoothed;
      s.variation = static_cast<std::uint32_t>((3 * std::uint64_t{*s.variation} + deviation) / 4);
      s.smoothed = static_cast<std::uint32_t>((7 * std::uint64_t{*s.smoothed} + now) / 8);
    } else {
      s.smoothed = now;
      s.variation = now / 2;
    }
  }

  // ---- P10
  void next_state(const ScriptPacket& p, Side& d, Side& x) {
    const bool opening_state = state_ == TcpState::syn_sent || state_ == TcpState::syn_ack_seen;
    const bool third = state_ == TcpState::syn_ack_seen && x.seen && client_ == p.direction;
    if (opening_state && has(p, tcp_flag::kAck) && (third || length(p) > 0)) state_ = TcpState::established;
    if (has(p, tcp_flag::kFin)) {
      d.fin_end = p.seq + length(p);
      if (state_ != TcpState::closed) state_ = TcpState::fin_wait;
    }
    for (Side& s : side_)
      if (s.fin_end && s.una && s.seen && ahead(*s.una, *s.fin_end) >= 0) s.fin_acked = true;
    if (d.fin_acked && x.fin_acked) state_ = TcpState::closed;
  }

  TcpSettings set_;
  ReferenceSynCache cache_;
  Side side_[2];
  TcpState state_ = TcpState::fresh;
  std::optional<unsigned> client_;
  std::optional<ScriptPacket> pending_;
  std::optional<Micros> newest_, full_handshake_;
  std::optional<unsigned> reset_by_;
  bool captured_twice_ = false, new_stamp_ = false, brings_new_ = false, ts_sampled_ = false;
  std::vector<Finished> finished_;
};

}  // namespace whiteowl::test
