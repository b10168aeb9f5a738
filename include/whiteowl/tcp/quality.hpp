// SPDX-License-Identifier: Apache-2.0

// How far a record's figures can be trusted, and what was seen of the conversation: the bits of tcp_quality.
#pragma once

#include <cstdint>

#include "whiteowl/tcp/cold.hpp"
#include "whiteowl/tcp/conversation.hpp"

namespace whiteowl {

[[nodiscard]] std::uint16_t quality_of(const TcpConversation& conversation, const TcpDirections& directions,
                                       const TcpCold& cold, unsigned direction) noexcept;

}  // namespace whiteowl
