// SPDX-License-Identifier: Apache-2.0
// Any bytes through the decoder, and what decode.hpp promises about every answer.  libFuzzer's entry; the ordinary test
// run calls the same function with generated frames.
// Input: one octet chooses link type, level, a stripped tag and how much longer the frame was on the wire; the rest is
// the frame.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "whiteowl/packet/decode.hpp"
#include "whiteowl/packet/tcp_options.hpp"

namespace {

using namespace whiteowl;

void require(bool holds) {
  if (!holds) std::abort();
}

bool inside(const Frame& frame, const void* at, std::size_t octets) {
  const auto* first = static_cast<const std::uint8_t*>(at);
  return first >= frame.data && first + octets <= frame.data + frame.captured_octets;
}

void check_options(const Packet& packet) {
  const TcpOptions options = read_tcp_options(packet);
  require(options.window_scale <= 14);
  require(options.sack_count <= options.sack.size());
  require(!options.has_timestamps || (options.kinds & (1U << 8U)) != 0);
}

void check_packet(const Frame& frame, const Packet& packet) {
  const std::size_t address_octets = packet.ip_version == 4 ? 4 : 16;
  require(packet.frame == &frame);
  require(packet.ip_version == 4 || packet.ip_version == 6);
  require(inside(frame, packet.source_address, address_octets) &&
          inside(frame, packet.destination_address, address_octets));
  require(packet.source_mac == nullptr || inside(frame, packet.source_mac, 6));
  require(packet.destination_mac == nullptr || inside(frame, packet.destination_mac, 6));
  require(packet.ip_octets >= (packet.ip_version == 4 ? 20U : 40U));
  require(packet.vlan_id < 4096 && packet.customer_vlan_id < 4096);
  if (packet.tcp == nullptr) {
    require(packet.tcp_header_captured == 0 && packet.payload_octets == 0);
    return;
  }
  require(packet.protocol == ip_protocol::kTcp && !packet.fragment);
  require(packet.tcp_header_captured >= sizeof(TcpHeader) && packet.tcp_header_captured <= packet.tcp->header_octets());
  require(inside(frame, packet.tcp, packet.tcp_header_captured));
  require(packet.payload_octets < packet.ip_octets);
  require(packet.source_port == packet.tcp->source_port && packet.destination_port == packet.tcp->destination_port);
  check_options(packet);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  const std::vector<std::uint8_t> exact(data + 1, data + size);  // so that a read past the end is seen
  Frame frame;
  frame.data = exact.data();
  frame.captured_octets = static_cast<std::uint32_t>(exact.size());
  frame.wire_octets = frame.captured_octets + (choice >> 5U) * 100U;
  frame.link = static_cast<LinkType>(choice % 5U);
  frame.vlan_tpid = (choice & 0x08U) != 0 ? 0x8100 : 0;
  frame.vlan_tci = 0xFFFF;
  static Decoder outer{DecodeSettings{.inner = false, .fragment_cache_max = 16}};
  static Decoder inner{DecodeSettings{.inner = true, .fragment_cache_max = 16}};
  Packet packet;
  const Discard outer_reason = outer.decode(frame, packet);
  require(outer_reason < Discard::kCount);
  if (outer_reason == Discard::none) check_packet(frame, packet);
  // Descending loses nothing that counted without it, and finds nothing in a frame that did not.
  const Discard inner_reason = inner.decode(frame, packet);
  require(inner_reason == outer_reason);
  if (inner_reason == Discard::none) check_packet(frame, packet);
  return 0;
}
