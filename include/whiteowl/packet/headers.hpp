// SPDX-License-Identifier: Apache-2.0
// Headers as they stand on the wire.  The declaration is the format: nothing is swapped or masked outside the accessors.
#pragma once

#include <array>
#include <cstdint>

#include "whiteowl/base/wire.hpp"

namespace whiteowl {

struct TcpHeader {  // RFC 9293 3.1
  be16 source_port, destination_port;
  be32 sequence_number, acknowledgment_number;
  be16 offset_and_flags;  // 4 bits data offset, 3 reserved, AE (RFC 7560 bis), CWR .. FIN
  be16 window, checksum, urgent_pointer;

  [[nodiscard]] std::uint32_t header_octets() const noexcept { return (offset_and_flags.value() >> 12U) * 4U; }
  // The low nine bits; tcpControlBits (IE 6) exports the low eight in one octet.
  [[nodiscard]] std::uint16_t flags() const noexcept { return offset_and_flags.value() & 0x1FFU; }
};
static_assert(WireStruct<TcpHeader> && sizeof(TcpHeader) == 20);

namespace tcp_flag {  // RFC 9293 3.1, RFC 3168
inline constexpr std::uint16_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10, kUrg = 0x20, kEce = 0x40, kCwr = 0x80;
}  // namespace tcp_flag

}  // namespace whiteowl
