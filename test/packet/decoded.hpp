// SPDX-License-Identifier: Apache-2.0
// Decoding in one call, for tests: the bytes, their frame and what came of it, kept together.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "support/packet_builder.hpp"
#include "whiteowl/base/address.hpp"
#include "whiteowl/packet/decode.hpp"

namespace whiteowl::test {

struct Decoded {
  // On the heap at its exact size: a read past the end is one that the sanitizer sees.
  std::unique_ptr<std::uint8_t[]> octets;
  std::unique_ptr<Frame> frame;
  Packet packet;
  Discard reason = Discard::none;

  [[nodiscard]] std::string source() const { return text(packet.source_address); }
  [[nodiscard]] std::string destination() const { return text(packet.destination_address); }
  // "10.0.0.1:1111 > 10.0.0.2:80 6", or the reason of the discard.
  [[nodiscard]] std::string flow() const {
    if (reason != Discard::none) return std::string{kDiscardNames[static_cast<std::size_t>(reason)]};
    return source() + ":" + std::to_string(packet.source_port) + " > " + destination() + ":" +
           std::to_string(packet.destination_port) + " " + std::to_string(packet.protocol);
  }

 private:
  [[nodiscard]] std::string text(const std::uint8_t* address) const {
    if (packet.ip_version == 4) {
      Ipv4Address value;
      std::copy_n(address, 4, value.octets.begin());
      return to_string(value);
    }
    Ipv6Address value;
    std::copy_n(address, 16, value.octets.begin());
    return to_string(value);
  }
};

inline Decoded decode_frame(Decoder& decoder, const Bytes& bytes, Frame like = {}) {
  Decoded result;
  result.octets = std::make_unique<std::uint8_t[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), result.octets.get());
  result.frame = std::make_unique<Frame>(like);
  result.frame->data = result.octets.get();
  result.frame->captured_octets = static_cast<std::uint32_t>(bytes.size());
  if (like.wire_octets == 0) result.frame->wire_octets = result.frame->captured_octets;
  result.reason = decoder.decode(*result.frame, result.packet);
  return result;
}
inline Decoded decode(const Bytes& bytes, const Frame& like = {}) {
  Decoder decoder{DecodeSettings{}};
  return decode_frame(decoder, bytes, like);
}
inline Decoded decode(const Bytes& bytes, LinkType link) {
  Frame like;
  like.link = link;
  return decode(bytes, like);
}
inline Decoded decode_inner(const Bytes& bytes, std::uint32_t max_depth = 4) {
  Decoder decoder{DecodeSettings{.inner = true, .max_tunnel_depth = max_depth}};
  return decode_frame(decoder, bytes);
}

}  // namespace whiteowl::test
