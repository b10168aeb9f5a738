// SPDX-License-Identifier: Apache-2.0
// A captured frame and a batch of them: what every packet source delivers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "whiteowl/base/time.hpp"

namespace whiteowl {

// What the first octet of a frame belongs to.  Numbers in files: the LINKTYPE_ registry of tcpdump.org.
enum class LinkType : std::uint8_t {
  ethernet,      // 1
  raw_ip,        // 101, 12, 14; 228 (IPv4) and 229 (IPv6) too: the version nibble decides
  bsd_loopback,  // 0 (NULL: host order of the capturing machine) and 108 (LOOP: network order)
  linux_sll,     // 113
  linux_sll2,    // 276
};

// Captured bytes, when and where.  The bytes belong to the source and are valid until its next read().
struct Frame {
  const std::uint8_t* data = nullptr;
  Timestamp time{};
  std::uint32_t captured_octets = 0;  // readable at data
  std::uint32_t wire_octets = 0;      // as it was on the wire, >= captured_octets in a sane capture
  std::uint16_t vlan_tci = 0;         // tag that the kernel stripped, host order (802.1Q TCI)
  std::uint16_t vlan_tpid = 0;        // its TPID, host order; 0 = nothing was stripped
  LinkType link = LinkType::ethernet;
  std::uint8_t interface = 0;  // position in capture.interface
  bool outgoing = false;       // sent by this host (PACKET_OUTGOING, SLL packet type 4)
};

struct FrameBatch {
  static constexpr std::size_t kCapacity = 64;
  std::array<Frame, kCapacity> frames;
  std::size_t size = 0;
  // Every packet stamped before this has been delivered by the source.  Meaningful if has_watermark.
  Timestamp watermark{};
  bool has_watermark = false;
  bool end = false;  // nothing will follow this batch: end of file, or the source was told to stop
};

}  // namespace whiteowl
