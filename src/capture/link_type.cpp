// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/link_type.hpp"

#include "whiteowl/base/wire.hpp"
#include "whiteowl/capture/filter.hpp"

namespace whiteowl {

namespace {

// The two cooked headers as far as the packet type, which is PACKET_OUTGOING of packet(7) for sent frames.
struct SllHead {
  be16 packet_type;
};
struct Sll2Head {
  be16 protocol;
  be16 reserved;
  be32 interface_index;
  be16 hardware_type;
  be8 packet_type;
};
constexpr unsigned kOutgoing = 4;

}  // namespace

std::optional<LinkType> link_type_of(std::uint32_t number) noexcept {
  switch (number) {
    case 1:
      return LinkType::ethernet;
    case 12:  // what DLT_RAW is on most systems, and on OpenBSD: written by programs that confuse the two registries
    case 14:
    case 101:
    case 228:
    case 229:
      return LinkType::raw_ip;
    case 0:
    case 108:
      return LinkType::bsd_loopback;
    case 113:
      return LinkType::linux_sll;
    case 276:
      return LinkType::linux_sll2;
    default:
      return std::nullopt;
  }
}

std::string link_type_title(std::uint32_t number) {
  const std::string name = registered_link_type_name(number);
  return "LINKTYPE " + std::to_string(number) + (name.empty() ? "" : " (" + name + ")");
}

bool sent_by_host(LinkType link, const std::uint8_t* data, std::uint32_t captured_octets) noexcept {
  Cursor cursor{data, captured_octets};
  if (link == LinkType::linux_sll) {
    const auto* head = cursor.peek<SllHead>();
    return head != nullptr && head->packet_type == kOutgoing;
  }
  if (link == LinkType::linux_sll2) {
    const auto* head = cursor.peek<Sll2Head>();
    return head != nullptr && head->packet_type == kOutgoing;
  }
  return false;
}

}  // namespace whiteowl
