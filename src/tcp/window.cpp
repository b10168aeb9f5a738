// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/window.hpp"

namespace whiteowl {

using namespace direction_flag;

namespace {
constexpr std::int64_t kSlack = 65'536, kSmallestLimit = kAlwaysAcceptable - kSlack, kFarBehind = 1 << 30;
constexpr unsigned kLargestShift = 14;  // RFC 7323 2.3
}  // namespace

std::uint32_t offered_window(const TcpDirection& receiver, const TcpDirection& sender) noexcept {
  const std::uint32_t raw = receiver.window;
  if (receiver.window_shift_plus_1 != 0 && sender.window_shift_plus_1 != 0)
    return raw << (receiver.window_shift_plus_1 - 1U);
  return receiver.has(kMidstream) || sender.has(kMidstream) ? raw << kLargestShift : raw;
}

bool acceptable(const Exchange& exchange) noexcept {
  const TcpDirection& sender = exchange.sender();
  const TcpDirection& peer = exchange.peer();
  if (!sender.has(kUnaKnown) || !peer.has(kWindowKnown)) return true;
  const std::int64_t ahead = exchange.segment.seq - sender.una;
  if (exchange.segment.end - sender.una < -kFarBehind) return false;
  if (ahead <= kAlwaysAcceptable) return true;
  return ahead <= std::max(2 * std::int64_t{offered_window(peer, sender)}, kSmallestLimit) + kSlack;
}

}  // namespace whiteowl
