// SPDX-License-Identifier: Apache-2.0
// Frame to Packet, or the reason why not: the only reader of packet bytes besides the TCP options.
// Promise: any bytes are safe; nothing outside captured_octets is read; no allocation, no exception.
// Descending into tunnels, the innermost IP header that can be read is the packet's; MAC addresses, tags and label stay
// those of the frame itself.
#pragma once

#include <cstdint>

#include "whiteowl/packet/discard.hpp"
#include "whiteowl/packet/fragment_cache.hpp"
#include "whiteowl/packet/packet.hpp"

namespace whiteowl {

struct DecodeSettings {
  bool inner = false;  // decode.tunnels: inner descends into tunnels, outer stops at the first IP header
  std::uint32_t max_tunnel_depth = 4;       // IP headers descended into behind the first, at most
  std::uint32_t fragment_cache_max = 1024;  // fragmented datagrams whose ports are remembered at once
};

// One per worker: the fragment cache lends the first fragment's ports to those that follow.
class Decoder {
 public:
  // Takes all memory: throws std::bad_alloc.
  explicit Decoder(const DecodeSettings& settings);
  // Fills `packet` and returns Discard::none, or returns the reason and leaves `packet` unspecified.
  // A packet whose IP header is readable is never refused: what cannot be read behind it counts as ports 0.
  [[nodiscard]] Discard decode(const Frame& frame, Packet& packet) noexcept;

 private:
  // Its own function, so that decode() has nothing to keep on the stack.
  [[nodiscard, gnu::noinline]] Discard decode_any(const Frame& frame, Packet& packet) noexcept;

  DecodeSettings settings_;
  FragmentCache fragments_;
};

}  // namespace whiteowl
