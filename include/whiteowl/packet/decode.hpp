// SPDX-License-Identifier: Apache-2.0
// Frame to Packet, or the reason why not: the only reader of packet bytes besides the TCP options.
// Promise: any bytes are safe; nothing outside captured_octets is read; no allocation, no exception.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "whiteowl/packet/discard.hpp"
#include "whiteowl/packet/packet.hpp"

namespace whiteowl {

struct DecodeSettings {
  bool inner = false;                      // decode.tunnels: inner descends into tunnels, outer stops at the first IP header
  std::uint32_t max_tunnel_depth = 4;      // headers descended into at most
  std::uint32_t fragment_cache_max = 1024;  // fragmented datagrams whose ports are remembered at once
};

// One per worker: the fragment cache lends the first fragment's ports to those that follow.
class Decoder {
 public:
  explicit Decoder(const DecodeSettings& settings);
  Decoder(Decoder&&) noexcept;
  ~Decoder();
  // Fills `packet` and returns Discard::none, or returns the reason and leaves `packet` unspecified.
  // A packet whose IP header is readable is never refused: what cannot be read behind it counts as ports 0.
  [[nodiscard]] Discard decode(const Frame& frame, Packet& packet) noexcept;

 private:
  struct FragmentCache;
  DecodeSettings settings_;
  std::unique_ptr<FragmentCache> fragments_;
};

}  // namespace whiteowl
