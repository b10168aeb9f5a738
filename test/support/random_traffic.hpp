// SPDX-License-Identifier: Apache-2.0
// Frames by chance, from a seed: a few hosts that talk TCP, UDP and ICMP over IPv4 and IPv6, with handshakes, repeats,
// closings, reused ports, gaps longer than the timeouts and stamps that step back.  Plain octets, no help from the
// decoder's headers.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "support/memory.hpp"

namespace whiteowl::test {

class RandomTraffic {
 public:
  explicit RandomTraffic(std::uint32_t seed, unsigned hosts = 6) : random_{seed}, hosts_{hosts} {}

  // Whether stamps may go back, and whether gaps may exceed the timeouts.
  bool steps_back = true;
  bool long_gaps = true;

  [[nodiscard]] std::vector<StoredFrame> frames(std::size_t count) {
    std::vector<StoredFrame> result;
    for (std::size_t i = 0; i < count; ++i) result.push_back(next());
    return result;
  }

 private:
  using Bytes = std::vector<std::uint8_t>;

  [[nodiscard]] unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  static void put16(Bytes& b, unsigned v) {
    b.push_back(static_cast<std::uint8_t>(v >> 8U));
    b.push_back(static_cast<std::uint8_t>(v));
  }
  static void put32(Bytes& b, std::uint32_t v) {
    put16(b, v >> 16U);
    put16(b, v & 0xFFFFU);
  }

  StoredFrame next() {
    advance();
    const bool v6 = below(4) == 0;
    unsigned from = below(hosts_);
    unsigned to = (from + 1 + below(hosts_ - 1)) % hosts_;
    const unsigned kind = below(10);
    const std::uint8_t protocol = kind < 6 ? 6 : kind < 9 ? 17 : v6 ? 58 : 1;
    Bytes payload = protocol == 6 ? tcp(from, to) : protocol == 17 ? udp(from, to) : icmp();
    StoredFrame frame;
    frame.time = now_;
    frame.bytes = ethernet(from, to, v6 ? 0x86DD : 0x0800);
    const Bytes ip = v6 ? ipv6(from, to, protocol, payload.size()) : ipv4(from, to, protocol, payload.size());
    frame.bytes.insert(frame.bytes.end(), ip.begin(), ip.end());
    frame.bytes.insert(frame.bytes.end(), payload.begin(), payload.end());
    if (below(50) == 0) frame.bytes.resize(below(static_cast<unsigned>(frame.bytes.size())));  // cut off somewhere
    return frame;
  }
  void advance() {
    const unsigned dice = below(1000);
    if (dice < 900)
      now_ += std::chrono::microseconds{below(2000)};
    else if (dice < 980)
      now_ += std::chrono::milliseconds{below(900)};
    else if (dice < 990)
      now_ += long_gaps ? std::chrono::milliseconds{below(30'000)} : std::chrono::milliseconds{below(1000)};
    else if (steps_back && dice < 998)
      now_ -= std::chrono::milliseconds{below(300)};
    else if (steps_back)
      now_ -= std::chrono::seconds{below(40)};
  }
  Bytes ethernet(unsigned from, unsigned to, unsigned type) {
    Bytes b{2, 0, 0, 0, 0, static_cast<std::uint8_t>(to), 2, 0, 0, 0, 0, static_cast<std::uint8_t>(from)};
    if (below(5) == 0) {
      put16(b, 0x8100);
      put16(b, 100 + below(2));
    }
    put16(b, type);
    return b;
  }
  Bytes ipv4(unsigned from, unsigned to, std::uint8_t protocol, std::size_t payload) {
    Bytes b{0x45, static_cast<std::uint8_t>(below(3) << 3U)};
    put16(b, static_cast<unsigned>(20 + payload));
    put16(b, below(3) == 0 ? 0 : ++ip_id_);
    put16(b, 0x4000);
    b.push_back(static_cast<std::uint8_t>(60 + below(5)));
    b.push_back(protocol);
    put16(b, 0);
    put32(b, 0x0A000000U + from);
    put32(b, 0x0A000000U + to);
    return b;
  }
  Bytes ipv6(unsigned from, unsigned to, std::uint8_t protocol, std::size_t payload) {
    Bytes b{0x60, 0, 0, 0};
    put16(b, static_cast<unsigned>(payload));
    b.push_back(protocol);
    b.push_back(static_cast<std::uint8_t>(60 + below(5)));
    for (const unsigned host : {from, to}) {
      put32(b, 0x20010DB8U);
      put32(b, 0);
      put32(b, 0);
      put32(b, host + 1);
    }
    return b;
  }
  // Few ports and small steps of the sequence numbers, so that connections meet, repeat and are reused.
  Bytes tcp(unsigned from, unsigned to) {
    static constexpr std::uint8_t kFlags[] = {0x02, 0x12, 0x10, 0x18, 0x10, 0x18, 0x11, 0x14};
    const bool client = from < to;
    Bytes b;
    put16(b, client ? 40'000 + below(2) : 80);
    put16(b, client ? 80 : 40'000 + below(2));
    put32(b, 1000 + below(40) * 100);
    put32(b, 1000 + below(40) * 100);
    b.push_back(0x50);
    b.push_back(kFlags[below(8)]);
    put16(b, below(8) == 0 ? 0 : 500 + below(1000));
    put32(b, 0);
    b.resize(b.size() + (below(2) == 0 ? 0 : 100));
    return b;
  }
  Bytes udp(unsigned from, unsigned to) {
    Bytes b;
    put16(b, 1000 + from);
    put16(b, 1000 + to);
    put16(b, 8);
    put16(b, 0);
    b.resize(b.size() + below(200));
    return b;
  }
  Bytes icmp() {
    Bytes b{static_cast<std::uint8_t>(below(2) == 0 ? 8 : 0), 0, 0, 0, 0, 0, 0, 0};
    b.resize(b.size() + below(60));
    return b;
  }

  std::mt19937 random_;
  unsigned hosts_;
  unsigned ip_id_ = 0;
  Timestamp now_{std::chrono::seconds{1'700'000'000}};
};

}  // namespace whiteowl::test
