// SPDX-License-Identifier: Apache-2.0
// What is remembered of a TCP conversation: two cache lines a direction and half a line for both.
// All octets zero is a conversation of which nothing was seen yet.
#pragma once

#include <cstdint>
#include <type_traits>

namespace whiteowl {

enum class TcpState : std::uint8_t { fresh, syn_sent, syn_ack_seen, established, fin_wait, closed };  // New .. Closed

struct TcpDirection {
  std::uint32_t words[32];  // laid out by the TCP meter
};
static_assert(sizeof(TcpDirection) == 128);

struct TcpConversation {
  TcpDirection direction[2];
  TcpState state;
  std::uint8_t client;  // direction that opened it, + 1; 0 = not known
  std::uint8_t flags[6];
  std::uint32_t words[6];
};
static_assert(sizeof(TcpConversation) == 288 && std::is_trivially_copyable_v<TcpConversation>);

}  // namespace whiteowl
