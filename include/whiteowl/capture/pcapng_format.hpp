// SPDX-License-Identifier: Apache-2.0
// The block format of Wireshark (draft-ietf-opsawg-pcapng): sections, each with its own byte order and interfaces; each
// interface with its own link type and unit of time.  Blocks that carry no packet are stepped over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "whiteowl/capture/capture_format.hpp"
#include "whiteowl/capture/filter.hpp"
#include "whiteowl/capture/time_scale.hpp"

namespace whiteowl {

class PcapngFormat {
 public:
  static constexpr std::size_t kMaxInterfaces = 65'536;                   // of a section; more is damage
  static constexpr std::size_t kMaxBlockOctets = std::size_t{16} << 20U;  // Wireshark's and libpcap's limit

  [[nodiscard]] static bool recognises(const std::uint8_t* magic) noexcept;
  PcapngFormat(std::shared_ptr<FilterPrograms> filter, const FilterPatience& patience)
      : filter_{std::move(filter)}, patience_{patience} {}
  // From now on this descriptor ends the compiling of a filter.
  void interrupted_by(int fd) noexcept { patience_.cancel_fd = fd; }

  // Appends frames of the window to the batch until it holds `limit`, and moves the window's beginning behind what was
  // used up.  With `limit` 0 it stops in front of the first packet.  Throws StartError for a filter that does not
  // compile for an interface's link type.
  [[nodiscard]] FillResult fill(OctetWindow& window, FrameBatch& batch, FileTally& tally, std::size_t limit);

  [[nodiscard]] bool has_interface() const noexcept { return !interfaces_.empty(); }
  // The section has interfaces, and not one of a link type that is decoded.
  [[nodiscard]] bool nothing_decoded() const noexcept;
  // LINKTYPE_ number of the section's first interface; there is one.
  [[nodiscard]] std::uint32_t first_link_type() const noexcept { return interfaces_.front().link_type; }
  // LINKTYPE_ number of the first packet left out for it; meaningful if the tally counted one.
  [[nodiscard]] std::uint32_t unsupported_link_type() const noexcept { return unsupported_link_type_; }

 private:
  static constexpr std::size_t kNoFilter = static_cast<std::size_t>(-1);
  struct Interface {
    std::uint32_t link_type = 0;  // LINKTYPE_ number
    LinkType link = LinkType::ethernet;
    bool supported = false;
    std::uint32_t snap_len = 0;  // 0 = not limited
    TimeScale time;
    std::size_t filter = kNoFilter;  // in filters_
  };
  struct FilterForLink {
    std::uint32_t link_type;
    bool swapped;
    CompiledFilter filter;
  };
  // Where in a block the packet lies, and what is said of it.
  struct PacketBlock {
    std::uint32_t interface = 0;
    std::uint32_t captured = 0, wire = 0;
    std::uint64_t ticks = 0;
    const std::uint8_t* data = nullptr;
    const std::uint8_t* options = nullptr;  // up to options_end
    const std::uint8_t* options_end = nullptr;
    bool has_time = true;
  };

  // `block` .. `block + octets` is a whole block.  The result is null, or what is wrong with it.
  [[nodiscard]] const char* begin_section(const std::uint8_t* block, std::size_t octets);
  [[nodiscard]] const char* add_interface(const std::uint8_t* block, std::size_t octets);
  [[nodiscard]] const char* read_packet(std::uint32_t type, const std::uint8_t* block, std::size_t octets,
                                        PacketBlock& packet) const noexcept;
  void deliver(const PacketBlock& packet, FrameBatch& batch, FileTally& tally) noexcept;
  [[nodiscard]] std::size_t filter_for(std::uint32_t link_type);
  [[nodiscard]] bool outgoing(const PacketBlock& packet) const noexcept;

  std::shared_ptr<FilterPrograms> filter_;
  FilterPatience patience_;
  ByteOrder order_;
  bool in_section_ = false;
  std::vector<Interface> interfaces_;   // of the section
  std::vector<FilterForLink> filters_;  // of the file: one for each link type and byte order
  Timestamp latest_{};                  // stamp of the packet before, lent to packets that have none
  std::uint32_t unsupported_link_type_ = 0;
};

}  // namespace whiteowl
