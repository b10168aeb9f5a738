// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/response.hpp"

#include <algorithm>

namespace whiteowl {

using namespace cold_flag;

namespace {

void note_answer(TcpColdDirection& asking, std::int64_t now_us) noexcept {
  Int48 passed = asking.requested_at;
  passed.set(now_us - passed.get());
  const std::int64_t us = std::max<std::int64_t>(passed.get(), 1);
  count(asking.response_count);
  asking.response_sum_us.count(static_cast<std::uint64_t>(us));
  asking.response_max_us =
      std::max(asking.response_max_us, static_cast<std::uint32_t>(std::min<std::int64_t>(us, 0xFFFFFFFF)));
  asking.clear(kRequested);
}

}  // namespace

void observe_exchange(const Observed& observed) noexcept {
  const std::int64_t now_us = observed.segment().time_us;
  if (observed.peer_cold().has(kRequested)) note_answer(observed.peer_cold(), now_us);
  const std::uint8_t client = observed.exchange.conversation.client;
  if (client != 0 && client != observed.exchange.direction + 1U) return;
  observed.sender_cold().requested_at.set(now_us);
  observed.sender_cold().mark(kRequested);
}

}  // namespace whiteowl
