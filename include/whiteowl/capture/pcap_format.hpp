// SPDX-License-Identifier: Apache-2.0
// The classic capture format (draft-ietf-opsawg-pcap): one header, then packets, each behind its own short header.
// Both byte orders; micro- and nanoseconds; Kuznetzov's variant with longer packet headers (patched libpcap 0.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "whiteowl/capture/capture_format.hpp"
#include "whiteowl/capture/filter.hpp"

namespace whiteowl {

class PcapFormat {
 public:
  static constexpr std::size_t kHeaderOctets = 24;

  // Whether a file that begins with these 4 octets is of this format.
  [[nodiscard]] static bool recognises(const std::uint8_t* magic) noexcept;
  // From a header of kHeaderOctets that recognises() took; `name` is the file's, for messages.  Throws StartError.
  PcapFormat(const std::uint8_t* header, const std::string& name, FilterPrograms& filter,
             const FilterPatience& patience);

  // Appends frames of the window to the batch and moves the window's beginning behind what was used up.
  [[nodiscard]] FillResult fill(OctetWindow& window, FrameBatch& batch, FileTally& tally) const noexcept;

 private:
  enum class Lengths : std::uint8_t { captured_first, wire_first, smaller_is_captured };
  static constexpr std::size_t kPlainRecordOctets = 16;
  [[nodiscard]] FillResult fill_plain(OctetWindow& window, FrameBatch& batch, FileTally& tally) const noexcept;
  // Both fields are unsigned: the sum stays below 2^62 whatever they say.  A fraction of a second or more is carried.
  [[nodiscard]] Timestamp time_of(std::uint32_t seconds, std::uint32_t fraction) const noexcept {
    return Timestamp{Duration{seconds * kNanosecondsPerSecond + fraction * fraction_nanoseconds_}};
  }
  [[nodiscard]] bool in_order(std::uint32_t captured, std::uint32_t wire) const noexcept;

  ByteOrder order_;
  LinkType link_ = LinkType::ethernet;
  Lengths lengths_ = Lengths::captured_first;
  bool kuznetzov_ = false;
  bool plain_ = false;  // fill_plain() reads it
  std::size_t record_octets_ = 16;
  std::int64_t fraction_nanoseconds_ = 1000;
  std::optional<CompiledFilter> filter_;
};

}  // namespace whiteowl
