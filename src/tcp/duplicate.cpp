// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/duplicate.hpp"

#include "whiteowl/tcp/fingerprint.hpp"

namespace whiteowl {

namespace {

bool within_window(const Exchange& exchange, const Packet& packet, std::int32_t age_us) noexcept {
  const TcpRules& rules = exchange.rules;
  if (packet.ip_id != 0) return age_us <= rules.duplicate_id_us;
  const bool judged =
      exchange.segment.length > 0 || (exchange.conversation.flags & conversation_flag::kCapturedTwice) != 0;
  return judged && rules.duplicate_us > 0 && age_us <= rules.duplicate_us;
}

}  // namespace

bool is_captured_copy(const Exchange& exchange, const Packet& packet) noexcept {
  TcpDirection& sender = exchange.sender();
  const std::uint32_t print = fingerprint(packet);
  if (knows_fingerprint(sender, print)) {
    if (within_window(exchange, packet, exchange.segment.now - sender.last_at)) {
      exchange.conversation.flags |= conversation_flag::kCapturedTwice;
      return true;
    }
  }
  remember_fingerprint(sender, print);
  return false;
}

}  // namespace whiteowl
