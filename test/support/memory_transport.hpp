// SPDX-License-Identifier: Apache-2.0
// A transport that keeps what it is given and fails as told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "whiteowl/exporter/transport.hpp"

namespace whiteowl {

// Shared with the test, which outlives the transport.
struct MemoryNetwork {
  std::vector<std::vector<std::uint8_t>> messages;  // that arrived
  SendResult answer = SendResult::sent;
  bool refuse = false;  // messages vanish, and each is reported as refused with the next
  bool refusal_pending = false;
  std::uint64_t session = 1;
  std::size_t max_message = 1472;
  bool reliable = false;
  Transport::Outstanding outstanding{};
};

class MemoryTransport final : public Transport {
 public:
  explicit MemoryTransport(MemoryNetwork& network) : network_{network} {}
  [[nodiscard]] SendResult send(std::span<const std::uint8_t> message, Timestamp) noexcept override {
    if (network_.answer != SendResult::sent) return network_.answer;
    refusal_ = network_.refusal_pending;
    network_.refusal_pending = network_.refuse;
    if (!network_.refuse) network_.messages.emplace_back(message.begin(), message.end());
    return SendResult::sent;
  }
  void step(Timestamp) noexcept override {
    refusal_ = refusal_ || network_.refusal_pending;
    network_.refusal_pending = false;
  }
  [[nodiscard]] bool take_refusal() noexcept override { return std::exchange(refusal_, false); }
  [[nodiscard]] std::uint64_t session() const noexcept override { return network_.session; }
  [[nodiscard]] std::size_t max_message() const noexcept override { return network_.max_message; }
  [[nodiscard]] bool reliable() const noexcept override { return network_.reliable; }
  [[nodiscard]] Outstanding outstanding() noexcept override { return network_.outstanding; }
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }

 private:
  MemoryNetwork& network_;
  bool refusal_ = false;
  std::string name_ = "memory";
};

}  // namespace whiteowl
