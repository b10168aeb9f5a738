// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/pcapng_format.hpp"

#include <algorithm>

#include "whiteowl/capture/link_type.hpp"

namespace whiteowl {

namespace {

// Block types and option codes of the draft.
constexpr std::uint32_t kSectionHeader = 0x0A0D0D0A, kInterface = 1, kObsoletePacket = 2, kSimplePacket = 3,
                        kEnhancedPacket = 6;
constexpr std::uint32_t kByteOrderMagic = 0x1A2B3C4D;
constexpr std::uint16_t kEndOfOptions = 0, kFlags = 2, kTimeResolution = 9, kTimeOffset = 14;

constexpr std::size_t kBlockHead = 8;    // type, total length
constexpr std::size_t kBlockFrame = 12;  // and the length again at the end

bool carries_packet(std::uint32_t type) noexcept {
  return type == kEnhancedPacket || type == kSimplePacket || type == kObsoletePacket;
}

constexpr std::size_t padded(std::size_t octets) noexcept { return (octets + 3) & ~std::size_t{3}; }

// Calls visit(code, value, octets) for each option; false if one reaches beyond the end.
template <typename Visit>
bool each_option(ByteOrder order, const std::uint8_t* next, const std::uint8_t* end, Visit visit) {
  while (end - next >= 4) {
    const auto code = order.load<std::uint16_t>(next);
    const auto octets = order.load<std::uint16_t>(next + 2);
    if (code == kEndOfOptions) return true;
    next += 4;
    if (static_cast<std::size_t>(end - next) < padded(octets)) return false;
    visit(code, next, std::size_t{octets});
    next += padded(octets);
  }
  return true;
}

}  // namespace

bool PcapngFormat::recognises(const std::uint8_t* magic) noexcept {
  return ByteOrder{}.load<std::uint32_t>(magic) == kSectionHeader;  // the number reads the same in both orders
}

bool PcapngFormat::nothing_decoded() const noexcept {
  return has_interface() &&
         std::none_of(interfaces_.begin(), interfaces_.end(), [](const Interface& i) { return i.supported; });
}

FillResult PcapngFormat::fill(OctetWindow& window, FrameBatch& batch, FileTally& tally, std::size_t limit) {
  for (std::uint32_t looks = 0; looks < FillResult::kMostLooks; ++looks) {
    if (window.size() == 0) return FillResult::more(1, "a block");
    if (window.size() < kBlockFrame) return FillResult::more(kBlockFrame, "a block");
    const std::uint8_t* const block = window.next;
    if (recognises(block)) {
      // A new section may be of the other byte order; its length can only be read knowing that.
      order_.swapped = ByteOrder{}.load<std::uint32_t>(block + 8) != kByteOrderMagic;
      if (order_.load<std::uint32_t>(block + 8) != kByteOrderMagic)
        return FillResult::damaged("a section's byte-order magic is wrong");
    } else if (!in_section_) {
      return FillResult::damaged("no section header");
    }
    const auto type = order_.load<std::uint32_t>(block);
    const std::size_t octets = order_.load<std::uint32_t>(block + 4);
    if (carries_packet(type) && batch.size >= limit) return FillResult::full();
    if (octets < kBlockFrame || octets % 4 != 0 || octets > kMaxBlockOctets)
      return FillResult::damaged("a block's length is absurd");
    if (window.size() < octets) return FillResult::more(octets, "a block");
    if (order_.load<std::uint32_t>(block + octets - 4) != octets)
      return FillResult::damaged("a block's two lengths differ");

    const char* damage = nullptr;
    if (carries_packet(type)) {
      PacketBlock packet;
      damage = read_packet(type, block, octets, packet);
      if (damage == nullptr) deliver(packet, batch, tally);
    } else if (type == kSectionHeader) {
      damage = begin_section(block, octets);
    } else if (type == kInterface) {
      damage = add_interface(block, octets);
    }
    if (damage != nullptr) return FillResult::damaged(damage);
    window.next += octets;
  }
  return FillResult::paused();
}

const char* PcapngFormat::begin_section(const std::uint8_t* block, std::size_t octets) {
  if (octets < 28) return "a section header is too short";
  if (order_.load<std::uint16_t>(block + 12) != 1) return "a section's major version is not 1";
  if (!each_option(order_, block + 24, block + octets - 4, [](std::uint16_t, const std::uint8_t*, std::size_t) {}))
    return "a section's option is too long";
  interfaces_.clear();
  in_section_ = true;
  return nullptr;
}

const char* PcapngFormat::add_interface(const std::uint8_t* block, std::size_t octets) {
  if (octets < 20) return "an interface description is too short";
  if (interfaces_.size() >= kMaxInterfaces) return "too many interfaces";
  Interface interface;
  interface.link_type = order_.load<std::uint16_t>(block + 8);
  interface.snap_len = order_.load<std::uint32_t>(block + 12);
  std::uint8_t resolution = 6;
  std::uint64_t offset = 0;
  const bool sound = each_option(order_, block + 16, block + octets - 4,
                                 [&](std::uint16_t code, const std::uint8_t* value, std::size_t size) {
                                   if (code == kTimeResolution && size == 1) resolution = *value;
                                   if (code == kTimeOffset && size == 8) offset = order_.load<std::uint64_t>(value);
                                 });
  if (!sound) return "an interface's option is too long";
  interface.time = TimeScale{resolution, static_cast<std::int64_t>(offset)};
  if (const auto link = link_type_of(interface.link_type); link) {
    interface.link = *link;
    interface.supported = true;
    interface.filter = filter_for(interface.link_type);
  }
  interfaces_.push_back(interface);
  return nullptr;
}

std::size_t PcapngFormat::filter_for(std::uint32_t link_type) {
  if (filter_->empty()) return kNoFilter;
  for (std::size_t i = 0; i < filters_.size(); ++i) {
    if (filters_[i].link_type == link_type && filters_[i].swapped == order_.swapped) return i;
  }
  filters_.push_back({link_type, order_.swapped, filter_->for_file(link_type, order_.swapped, patience_)});
  return filters_.size() - 1;
}

const char* PcapngFormat::read_packet(std::uint32_t type, const std::uint8_t* block, std::size_t octets,
                                      PacketBlock& packet) const noexcept {
  const std::uint8_t* const body = block + kBlockHead;
  const std::size_t body_octets = octets - kBlockFrame;
  const std::size_t fixed = type == kSimplePacket ? 4 : 20;
  if (body_octets < fixed) return "a packet block is too short";
  if (type == kSimplePacket) {
    packet.wire = order_.load<std::uint32_t>(body);
    packet.has_time = false;
  } else {
    packet.interface = type == kEnhancedPacket ? order_.load<std::uint32_t>(body) : order_.load<std::uint16_t>(body);
    packet.ticks = (std::uint64_t{order_.load<std::uint32_t>(body + 4)} << 32U) | order_.load<std::uint32_t>(body + 8);
    packet.captured = order_.load<std::uint32_t>(body + 12);
    packet.wire = order_.load<std::uint32_t>(body + 16);
  }
  if (packet.interface >= interfaces_.size()) return "a packet's interface was not described";
  if (type == kSimplePacket) {
    // Its captured length is not written: the wire length, cut at the interface's snap length.
    const std::uint32_t snap_len = interfaces_[0].snap_len;
    packet.captured = snap_len == 0 ? packet.wire : std::min(packet.wire, snap_len);
  }
  if (packet.captured > kMaxCapturedOctets || packet.captured > body_octets - fixed)
    return "a packet's length is absurd";
  packet.data = body + fixed;
  packet.options_end = body + body_octets;
  packet.options = packet.data + std::min(padded(packet.captured), body_octets - fixed);
  return nullptr;
}

bool PcapngFormat::outgoing(const PacketBlock& packet) const noexcept {
  bool sent = false;
  // Flags: the lowest two bits are 1 for inbound, 2 for outbound.  A packet whose options are damaged is still whole.
  (void)each_option(order_, packet.options, packet.options_end,
                    [&](std::uint16_t code, const std::uint8_t* value, std::size_t size) {
                      if (code == kFlags && size == 4) sent = (order_.load<std::uint32_t>(value) & 3U) == 2;
                    });
  return sent;
}

void PcapngFormat::deliver(const PacketBlock& packet, FrameBatch& batch, FileTally& tally) noexcept {
  const Interface& interface = interfaces_[packet.interface];
  if (packet.has_time) latest_ = interface.time.stamp(packet.ticks);
  Frame& frame = batch.frames[batch.size];
  frame = Frame{};
  frame.data = packet.data;
  frame.time = latest_;
  frame.captured_octets = packet.captured;
  frame.wire_octets = packet.wire;
  frame.link = interface.link;
  tally.count(frame);
  if (!interface.supported) {
    if (unsupported_link_type_ == 0) unsupported_link_type_ = interface.link_type;
    ++tally.unsupported;
    return;
  }
  frame.outgoing = outgoing(packet) || sent_by_host(frame.link, frame.data, packet.captured);
  if (interface.filter != kNoFilter && !filters_[interface.filter].filter.matches(frame)) {
    ++tally.filtered;
    return;
  }
  ++batch.size;
}

}  // namespace whiteowl
