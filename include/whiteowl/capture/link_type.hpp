// SPDX-License-Identifier: Apache-2.0
// Link types of capture files: numbers of the LINKTYPE_ registry (tcpdump.org/linktypes.html) and what they are to us.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "whiteowl/packet/frame.hpp"

namespace whiteowl {

// What a LINKTYPE_ number is decoded as; empty if it is not.
[[nodiscard]] std::optional<LinkType> link_type_of(std::uint32_t number) noexcept;

// For messages: "LINKTYPE 105 (IEEE802_11)".
[[nodiscard]] std::string link_type_title(std::uint32_t number);

// Whether the capturing host sent the frame, where the link header says so (SLL and SLL2: packet type 4).
[[nodiscard]] bool sent_by_host(LinkType link, const std::uint8_t* data, std::uint32_t captured_octets) noexcept;

}  // namespace whiteowl
