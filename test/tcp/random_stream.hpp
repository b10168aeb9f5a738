// SPDX-License-Identifier: Apache-2.0
// Random TCP conversations for properties: whole ones with accidents, and a small world in which every rule meets every
// other.  A seed gives the same packets everywhere.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "support/tcp_script.hpp"

namespace whiteowl::test {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_{seed * 0x9E3779B97F4A7C15U + 1} {}
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }
  bool chance(unsigned per_mille) { return below(1000) < per_mille; }
  template <typename T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }

 private:
  std::uint64_t state_;
};

inline ScriptPacket wild_packet(Dice& dice, std::size_t place, std::uint32_t (&isn)[2]) {
  constexpr std::uint16_t kAck = tcp_flag::kAck, kSyn = tcp_flag::kSyn, kFin = tcp_flag::kFin, kRst = tcp_flag::kRst;
  ScriptPacket p;
  p.direction = static_cast<unsigned>(dice.below(2));
  p.flags = dice.one_of<std::uint16_t>(
      {kAck, kAck, kAck, kAck, kAck, kAck, kAck, kAck, kAck | kFin, kSyn, kSyn | kAck, kRst, 0, kFin});
  if (dice.chance(700)) p.flags |= kAck;
  if (place < 3 && dice.chance(800)) {
    p.direction = place == 1 ? 1 : 0;
    p.flags = place == 0 ? kSyn : place == 1 ? static_cast<std::uint16_t>(kSyn | kAck) : kAck;
  }
  if (dice.chance(20)) isn[p.direction] = static_cast<std::uint32_t>(dice.next());
  const auto step = [&] { return dice.one_of<std::uint32_t>({0, 1, 1, 1, 1, 2, 11, 101, 102, 201, 301, 401, 1001}); };
  p.seq = isn[p.direction] + ((p.flags & kSyn) != 0 ? 0 : step());
  p.ack = isn[1 - p.direction] + step();
  if ((p.flags & kSyn) == 0 || dice.chance(100))
    p.payload = dice.one_of<std::uint32_t>({0, 0, 0, 1, 1, 10, 100, 100, 200});
  p.window = dice.one_of<std::uint16_t>({65000, 65000, 65000, 60000, 0, 0});
  p.ip_id = dice.one_of<std::uint16_t>(
      {0, 7, static_cast<std::uint16_t>(dice.next()), static_cast<std::uint16_t>(dice.next())});
  if (dice.chance(5)) p.seq += dice.one_of<std::uint32_t>({70'000, 2'000'000, 1U << 30U, 1U << 31U});
  if (dice.chance(5)) p.ack += dice.one_of<std::uint32_t>({70'000, 2'000'000, 1U << 30U, (1U << 30U) + 1, 1U << 31U});
  if ((p.flags & kSyn) != 0 && dice.chance(500)) p.window_scale = static_cast<int>(dice.below(15));
  if (dice.chance(50)) p.sack.push_back({p.ack - 10, p.ack});
  if (dice.chance(50)) p.sack.push_back({p.ack + 100, p.ack + 200});
  if ((p.flags & kSyn) != 0 && dice.chance(500)) {
    p.mss = dice.one_of<unsigned>({100, 536, 1460});
    p.sack_permitted = dice.chance(500);
    p.sack.clear();  // all of them would be more than a header holds
  }
  if (dice.chance(50)) {
    p.congestion_experienced = true;
    p.flags ^= dice.one_of<std::uint16_t>({0, tcp_flag::kEce, tcp_flag::kCwr});
  }
  return p;
}

// A conversation of `count` packets in a small world.
inline std::vector<ScriptPacket> wild_stream(std::uint64_t seed, std::size_t count) {
  Dice dice{seed};
  std::uint32_t isn[2] = {dice.one_of<std::uint32_t>({1000, 0xFFFFFFFC}),
                          dice.one_of<std::uint32_t>({5000, 0xFFFFFFFF})};
  std::uint32_t stamp[2] = {static_cast<std::uint32_t>(dice.next()), static_cast<std::uint32_t>(dice.next())};
  const bool stamps = dice.chance(600);
  std::vector<ScriptPacket> stream;
  for (std::int64_t us = 0; stream.size() < count;) {
    us += dice.chance(970) ? dice.one_of<std::int64_t>({0, 1, 40, 90, 1'000, 2'500, 10'000, 50'000, 200'000, 1'100'000})
                           : dice.one_of<std::int64_t>({31'000'000, 61'000'000, -500, -200'000, 1'800'000'000,
                                                        9'000'000'000, -9'000'000'000});
    ScriptPacket p = wild_packet(dice, stream.size(), isn);
    p.us = us;
    if (stamps && dice.chance(950)) {
      p.has_timestamps = true;
      p.ts_value = stamp[p.direction] += dice.one_of<std::uint32_t>({0, 0, 1, 1, 10, 0xFFFFFFFF});
      p.ts_echo = stamp[1 - p.direction] - dice.one_of<std::uint32_t>({0, 0, 0, 1, 10});
    }
    stream.push_back(p);
    if (dice.chance(50)) {
      us += dice.one_of<std::int64_t>({0, 60, 5'000});
      stream.push_back(p);
      stream.back().us = us;
    }
  }
  return stream;
}

// A transfer with time stamps of a millisecond's tick: long enough for repeats and probes after every kind of pause,
// with ACKs that are thinned and hit segment ends only sometimes.
inline std::vector<ScriptPacket> bulk_stream(std::uint64_t seed, std::size_t count) {
  Dice dice{seed};
  std::uint32_t next[2] = {static_cast<std::uint32_t>(dice.next()), 0xFFFFFF00};
  std::uint32_t echo[2] = {0, 0};
  std::vector<ScriptPacket> stream;
  for (std::int64_t us = 0; stream.size() < count;) {
    us += dice.one_of<std::int64_t>({3, 20, 400, 1'000, 1'500, 7'000, 30'000, 950'000, 1'050'000});
    if (dice.chance(5)) us += dice.one_of<std::int64_t>({59'999'990, 60'000'010, 1'800'000'000, 4'294'000'000});
    ScriptPacket p;
    p.us = us;
    p.direction = dice.chance(400) ? 1 : 0;
    p.flags = tcp_flag::kAck;
    p.ip_id = static_cast<std::uint16_t>(1 + stream.size());
    p.window = dice.chance(30) ? 0 : 500;
    p.has_timestamps = true;
    p.ts_value = static_cast<std::uint32_t>(us / 1000) + (p.direction == 0 ? 5'000'000 : 0);
    p.ts_echo = echo[1 - p.direction];
    p.seq = next[p.direction];
    p.ack = next[1 - p.direction] - dice.one_of<std::uint32_t>({0, 0, 0, 1, 500, 1448});
    if (dice.chance(p.direction == 0 ? 800 : 150)) p.payload = dice.one_of<std::uint32_t>({1, 500, 1448, 1448, 1448});
    if (dice.chance(60)) p.seq -= dice.one_of<std::uint32_t>({1, 1, 500, 1448, 2896});
    if (dice.chance(30)) p.seq += 1448;
    if (static_cast<std::int32_t>(p.seq + p.payload - next[p.direction]) > 0) next[p.direction] = p.seq + p.payload;
    if (dice.chance(800)) echo[p.direction] = p.ts_value;
    if (dice.chance(100)) p.sack.push_back({p.ack + 1448, p.ack + 2896});
    if (dice.chance(20)) p.sack.insert(p.sack.begin(), {p.ack - 500, p.ack});
    stream.push_back(p);
  }
  return stream;
}

// A whole conversation without any accident: opening, segments both ways, each acknowledged, both FINs.
inline std::vector<ScriptPacket> clean_stream(std::uint64_t seed, std::size_t segments) {
  Dice dice{seed};
  std::uint32_t next[2] = {static_cast<std::uint32_t>(dice.next()), static_cast<std::uint32_t>(dice.next())};
  std::vector<ScriptPacket> stream;
  std::int64_t us = 0;
  const auto say = [&](unsigned direction, unsigned flags, std::uint32_t payload) {
    ScriptPacket p;
    p.us = us += dice.one_of<std::int64_t>({20, 300, 5'000, 40'000});
    p.direction = direction;
    p.flags = static_cast<std::uint16_t>(flags);
    p.seq = next[direction];
    p.ack = (flags & tcp_flag::kAck) != 0 ? next[1 - direction] : 0;
    p.payload = payload;
    p.window = 60'000;
    p.ip_id = static_cast<std::uint16_t>(stream.size() + 1);
    next[direction] += payload + ((flags & (tcp_flag::kSyn | tcp_flag::kFin)) != 0 ? 1U : 0U);
    stream.push_back(p);
  };
  say(0, tcp_flag::kSyn, 0);
  say(1, tcp_flag::kSyn | tcp_flag::kAck, 0);
  say(0, tcp_flag::kAck, 0);
  for (std::size_t i = 0; i < segments; ++i) {
    const unsigned side = dice.chance(300) ? 1 : 0;
    const std::size_t burst = 1 + dice.below(6);
    for (std::size_t k = 0; k < burst; ++k) say(side, tcp_flag::kAck, 2 + static_cast<std::uint32_t>(dice.below(1459)));
    say(1 - side, tcp_flag::kAck, 0);
  }
  say(0, tcp_flag::kAck | tcp_flag::kFin, 0);
  say(1, tcp_flag::kAck | tcp_flag::kFin, 0);
  say(0, tcp_flag::kAck, 0);
  return stream;
}

// A given conversation with losses, repeats, copies, reordering and spoilt fields.
inline std::vector<ScriptPacket> mutated_stream(std::vector<ScriptPacket> packets, std::uint64_t seed) {
  Dice dice{seed};
  const auto rate = [&] { return dice.one_of<unsigned>({0, 0, 20, 100, 300}); };
  const unsigned loss = rate(), repeat = rate(), twice = rate(), late = rate(), spoil = rate();
  const bool no_id = dice.chance(150), no_stamps = dice.chance(200);
  std::vector<ScriptPacket> out;
  for (ScriptPacket p : packets) {
    if (dice.chance(loss)) continue;
    if (no_id) p.ip_id = 0;
    if (no_stamps) p.has_timestamps = false;
    if (dice.chance(late)) p.us += dice.one_of<std::int64_t>({10, 500, 2'900, 3'100, 20'000, 60'000, 400'000});
    if (dice.chance(spoil)) {
      switch (dice.below(5)) {
        case 0:
          p.seq += dice.one_of<std::uint32_t>({1, 1000, 70'000, 2'000'000, 0xFFFFFFFF, 0xFFFFFC18});
          break;
        case 1:
          p.ack += dice.one_of<std::uint32_t>({1, 1000, 70'000, 0xFFFFFFFF, 0xFFFFFC18});
          break;
        case 2:
          p.window = dice.one_of<std::uint16_t>({0, 0, 1, 65535});
          break;
        case 3:
          p.flags ^= dice.one_of<std::uint16_t>({tcp_flag::kFin, tcp_flag::kAck, tcp_flag::kPsh, tcp_flag::kSyn});
          break;
        default:
          p.payload = dice.one_of<std::uint32_t>({0, 1, 1, 2, 1460, 60'000});
          break;
      }
    }
    out.push_back(p);
    if (dice.chance(repeat)) {
      ScriptPacket again = p;
      again.us += dice.one_of<std::int64_t>({200, 1'000, 30'000, 179'999, 250'000, 1'000'000});
      if (!no_id) again.ip_id = static_cast<std::uint16_t>(1 + dice.below(65535));
      again.ts_value += static_cast<std::uint32_t>(dice.below(3));
      out.push_back(again);
    }
    if (dice.chance(twice)) {
      out.push_back(p);
      out.back().us += dice.one_of<std::int64_t>({0, 1, 50, 100, 101, 50'000, 100'000, 100'001});
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const ScriptPacket& a, const ScriptPacket& b) { return a.us < b.us; });
  return out;
}

}  // namespace whiteowl::test
