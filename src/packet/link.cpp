// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/packet/link.hpp"

namespace whiteowl {
namespace {

constexpr unsigned kMaxTags = 8;
constexpr unsigned kKeptTags = 2;
constexpr unsigned kMaxLabels = 32;

constexpr bool is_tag(std::uint16_t type) noexcept {
  return type == ethertype::kVlan || type == ethertype::kProviderVlan || type == ethertype::kOldProviderVlan;
}

// `position` counts from the outermost tag; further ones than the customer's are not kept.
void keep_tag(Packet& packet, unsigned position, std::uint16_t id) noexcept {
  if (position == 0) packet.vlan_id = id;
  if (position == 1) packet.customer_vlan_id = id;
}

// IPv6 has a number of its own everywhere, IPv4's numbers mean IP of the version that the header itself says.
Discard require_ipv6(const Walk& walk) noexcept {
  if (walk.captured_octets() == 0) return Discard::truncated_ip;
  return walk.version() == 6 ? Discard::none : Discard::bad_ip_version;
}

Discard read_type(Walk& walk, std::uint16_t type, Packet& packet, unsigned tags, bool in_pseudowire) noexcept;

// RFC 4448 4.6: Ethernet behind a control word.  The MAC addresses and tags stay those of the frame itself; another
// label stack inside is not followed.
Discard read_pseudowire(Walk& walk, Packet& packet) noexcept {
  const auto* control_word = walk.take<be32>();
  const auto* ethernet = walk.take<EthernetHeader>();
  if (control_word == nullptr || ethernet == nullptr) return Discard::not_ip;
  return read_type(walk, ethernet->type, packet, kKeptTags, true);
}

// Nothing says what is under the labels.  RFC 4928 3: only IP may begin with 4 or 6; a pseudowire's control word begins
// with 0, its associated channel with 1 (RFC 4385 3, 5).
Discard read_mpls(Walk& walk, Packet& packet) noexcept {
  for (unsigned labels = 0; labels < kMaxLabels; ++labels) {
    const auto* label = walk.take<MplsEntry>();
    if (label == nullptr) return Discard::truncated_link;
    if (labels == 0) packet.mpls_label = label->label_class_bottom();
    if (!label->bottom()) continue;
    if (walk.captured_octets() == 0) return Discard::truncated_link;
    if (walk.version() == 0) return read_pseudowire(walk, packet);
    return walk.version() == 4 || walk.version() == 6 ? Discard::none : Discard::not_ip;
  }
  return Discard::too_many_tags;
}

// RFC 2516 4, RFC 1661 2: the protocol is one octet if that octet is odd.
Discard read_pppoe(Walk& walk) noexcept {
  constexpr std::uint16_t kIp = 0x0021, kIpv6 = 0x0057;
  const auto* pppoe = walk.take<PppoeHeader>();
  if (pppoe == nullptr) return Discard::truncated_link;
  if (pppoe->code != 0) return Discard::not_ip;
  walk.limit(pppoe->length);
  const auto* first = walk.take<be8>();
  if (first == nullptr) return Discard::truncated_link;
  std::uint16_t protocol = *first;
  if ((*first & 1U) == 0) {
    const auto* second = walk.take<be8>();
    if (second == nullptr) return Discard::truncated_link;
    protocol = static_cast<std::uint16_t>(*first << 8U | *second);
  }
  if (protocol == kIp) return Discard::none;
  return protocol == kIpv6 ? require_ipv6(walk) : Discard::not_ip;
}

// The EtherType in a SNAP header, which stands where 802.3 has no room for one; 0 if something else is there.
std::uint16_t snap_type(Walk& walk) noexcept {
  const auto* snap = walk.take<SnapHeader>();
  return snap != nullptr && snap->carries_ethertype() ? snap->type.value() : std::uint16_t{0};
}

Discard read_type(Walk& walk, std::uint16_t type, Packet& packet, unsigned tags, bool in_pseudowire) noexcept {
  for (; is_tag(type); ++tags) {
    if (tags == kMaxTags) return Discard::too_many_tags;
    const auto* tag = walk.take<VlanTag>();
    if (tag == nullptr) return Discard::truncated_link;
    keep_tag(packet, tags, tag->id());
    type = tag->type;
  }
  if (type <= ethertype::kMaxLength) {
    walk.limit(type);
    type = snap_type(walk);
  }
  switch (type) {
    case ethertype::kIpv4:
      return Discard::none;
    case ethertype::kIpv6:
      return require_ipv6(walk);
    case ethertype::kMpls:
    case ethertype::kMplsUpstream:
      return in_pseudowire ? Discard::not_ip : read_mpls(walk, packet);
    case ethertype::kPppoeSession:
      return read_pppoe(walk);
    default:
      return Discard::not_ip;
  }
}

Discard read_ethernet(Walk& walk, Packet& packet, unsigned tags) noexcept {
  const auto* ethernet = walk.take<EthernetHeader>();
  if (ethernet == nullptr) return Discard::truncated_link;
  packet.source_mac = ethernet->source;
  packet.destination_mac = ethernet->destination;
  return read_type(walk, ethernet->type, packet, tags, false);
}

// Both versions of the cooked header: only the sender's address, and only if it is a MAC address.
template <typename Header>
Discard read_cooked(Walk& walk, Packet& packet, unsigned tags) noexcept {
  constexpr std::uint16_t kLlc = 4;
  const auto* cooked = walk.take<Header>();
  if (cooked == nullptr) return Discard::truncated_link;
  if (cooked->address_length == 6) packet.source_mac = cooked->address;
  std::uint16_t type = cooked->protocol;
  if (type == kLlc) type = snap_type(walk);
  return type <= ethertype::kMaxLength ? Discard::not_ip : read_type(walk, type, packet, tags, false);
}

// AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS.
Discard read_loopback(Walk& walk) noexcept {
  const auto* loopback = walk.take<LoopbackHeader>();
  if (loopback == nullptr) return Discard::truncated_link;
  switch (loopback->family()) {
    case 2:
      return Discard::none;
    case 10:
    case 24:
    case 28:
    case 30:
      return require_ipv6(walk);
    default:
      return Discard::not_ip;
  }
}

}  // namespace

Discard read_type(Walk& walk, std::uint16_t type, Packet& packet) noexcept {
  return read_type(walk, type, packet, 0, false);
}

Discard read_ethernet(Walk& walk, Packet& packet) noexcept { return read_ethernet(walk, packet, 0); }

Discard read_link(Walk& walk, Packet& packet) noexcept {
  const Frame& frame = *packet.frame;
  unsigned tags = 0;
  if (frame.vlan_tpid != 0) keep_tag(packet, tags++, frame.vlan_tci & 0x0FFFU);
  switch (frame.link) {
    case LinkType::ethernet:
      return read_ethernet(walk, packet, tags);
    case LinkType::raw_ip:
      return Discard::none;
    case LinkType::bsd_loopback:
      return read_loopback(walk);
    case LinkType::linux_sll:
      return read_cooked<SllHeader>(walk, packet, tags);
    case LinkType::linux_sll2:
      return read_cooked<Sll2Header>(walk, packet, tags);
  }
  return Discard::unsupported_link;
}

}  // namespace whiteowl
