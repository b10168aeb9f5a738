// SPDX-License-Identifier: Apache-2.0
// TCP metering the slow and obvious way: the oracle for the fast meter.
// Times are whole 64-bit microseconds, everything that may be unknown is optional, everything remembered is a vector,
// and each rule of the definition is one function.  Shares no code and no data layout with the meter that it judges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <optional>
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
      return TcpVerdict::duplicate;
    }
    d.last = p.us;
    new_stamp_ = p.has_timestamps && (!d.ts_max || ahead(p.ts_value, *d.ts_max) > 0);
    if (has(p, tcp_flag::kRst)) return reset(), TcpVerdict::counted;
    if (has(p, tcp_flag::kSyn)) return syn(p);
    segment(p);
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
  [[nodiscard]] TcpState state() const { return state_; }
  struct Finished {
    TcpFields fields[2];
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
      begin_anew();
      adopt(opened, p.us);
      opening(p);
      return TcpVerdict::restart;
    }
    const bool other_isn = d.seen && (d.midstream || d.isn != p.seq);
    if (other_isn && live) {
      if (!ack) {
        pending_ = p;
        if (!has(p, tcp_flag::kFin)) cache_.insert(p.direction, p);
      }
      return TcpVerdict::counted;
    }
    if (other_isn) {
      begin_anew();
      opening(p);
      return TcpVerdict::restart;
    }
    opening(p);
    return TcpVerdict::counted;
  }
  void begin_anew() {
    Finished old{{take(0), take(1)}, state_};
    finished_.push_back(old);
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
    } else if (ack && !d.syn_had_ack) {
      d.syn_had_ack = true;
    } else {
      ++d.repeats;
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
          (!x.una || ahead(p.ack, *x.una) > 0))
        x.una = p.ack;
      d.waiting.clear();
      if (++d.syn_acks == 1) d.waiting.push_back({*d.snd_max, p.us});
      d.syn_ack_at = p.us;
      if (state_ == TcpState::fresh || state_ == TcpState::syn_sent) state_ = TcpState::syn_ack_seen;
    }
    d.windows.push_back(p.window);
    d.window = p.window;
  }

  // ---- P3
  void reset() {
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
    if (!probe(p, d, x)) ahead(p.seq, *d.snd_max) >= 0 ? newer(p, d) : below(p, d, x);
    return Kind::normal;
  }
  bool probe(const ScriptPacket& p, Side& d, const Side& x) {
    if (p.payload != 1 || has(p, tcp_flag::kFin)) return false;
    const auto gap = ahead(p.seq, *d.snd_max);
    const bool closed = x.window == std::uint16_t{0};
    const bool nothing_outstanding = d.una ? d.una == d.snd_max : d.sent && p.us - *d.sent >= 1'000'000;
    if (gap == -1 && nothing_outstanding) return true;
    if (!closed || !d.una || (p.seq != *d.una && gap != 0)) return false;
    if (gap == 0) d.probe_end = p.seq + 1;
    return true;
  }
  void newer(const ScriptPacket& p, Side& d) {
    const Seq end = p.seq + length(p);
    if (p.seq != *d.snd_max) {
      d.gaps.push_back({*d.snd_max, p.seq, p.us});
      if (d.gaps.size() > 3) d.gaps.erase(d.gaps.begin());
      hold(d, end);
    }
    d.snd_max = end;
    d.sent = p.us;
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
    fill(d, p.seq, end);
    if (!reordered || set_.retransmit_mode == RetransmitMode::seed) ++d.repeats;
    if (clock >= 0) {
      d.sent = p.us;
      stamp(p, d, false);
    }
    if (ahead(end, *d.snd_max) > 0) d.snd_max = end;
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
  static void fill(Side& d, Seq from, Seq to) {
    std::vector<Gap> rests;
    for (auto gap = d.gaps.begin(); gap != d.gaps.end();) {
      if (ahead(to, gap->left) <= 0 || ahead(gap->right, from) <= 0) {
        ++gap;
        continue;
      }
      if (ahead(from, gap->left) > 0) rests.push_back({gap->left, from, gap->at});
      if (ahead(gap->right, to) > 0) rests.push_back({to, gap->right, gap->at});
      gap = d.gaps.erase(gap);
    }
    d.gaps.insert(d.gaps.end(), rests.begin(), rests.end());
    while (d.gaps.size() > 3) d.gaps.erase(d.gaps.begin());
  }

  // ---- P8
  void acknowledge(const ScriptPacket& p, Side& d, Side& x) {
    if (!x.seen) {
      x.unseen_ack = p.ack;
      one_way(p, d);
      return;
    }
    if (!x.una) x.una = ahead(p.ack, *x.snd_max) <= 0 ? p.ack - 1 : *x.snd_max;
    const auto progress = ahead(p.ack, *x.una);
    const bool held = x.recover && ahead(*x.una, *x.recover) < 0;
    const auto echo = p.has_timestamps && p.ts_echo != 0 ? take_echo(p, x, progress > 0 && !held) : std::nullopt;
    if (progress > 0) {
      const auto beyond = ahead(p.ack, *x.snd_max);
      if (beyond > 0) {
        if (x.probe_end != p.ack) {
          if (beyond > (1 << 30)) return;
          x.waiting.clear();
        }
        x.snd_max = p.ack;
        x.probe_end.reset();
      }
      match(p, x, echo);
      third_packet(p, d, x);
      x.una = p.ack;
      x.duplicate_acks = 0;
      if (x.recover && ahead(p.ack, *x.recover) >= 0) x.recover.reset();
      fill(x, p.ack - 0x40000000, p.ack);
    } else if (progress == 0 && length(p) == 0 && d.window == p.window && ahead(*x.snd_max, *x.una) > 0) {
      const bool lone_dsack = p.sack.size() == 1 && ahead(p.sack[0].right, p.ack) <= 0;
      if (!lone_dsack) {
        ++x.duplicate_acks;
        x.waiting.clear();
        hold(x, *x.snd_max);
      }
    }
    if (length(p) == 0) stamp(p, d, true);
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
  bool captured_twice_ = false, new_stamp_ = false;
  std::vector<Finished> finished_;
};

}  // namespace whiteowl::test
