// SPDX-License-Identifier: Apache-2.0
// The transports of IPFIX: UDP and TCP (RFC 7011 10.3, 10.4) and files (RFC 5655), made from a collector's text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/exporter/collector.hpp"
#include "whiteowl/exporter/resolver.hpp"
#include "whiteowl/exporter/settings.hpp"
#include "whiteowl/exporter/transport.hpp"

namespace whiteowl {

// Throws StartError: 78 for a text that check_collector refuses, 1 for a host that does not exist or a file that
// cannot be written.
[[nodiscard]] std::unique_ptr<Transport> make_transport(const std::string& collector, const ExporterSettings& settings);

// A connected socket, so that the kernel reports closed ports and knows the path MTU.
// Names are looked up again every five minutes and when nothing gets through; another address is a new session.
class UdpTransport final : public Transport {
 public:
  // `mtu` as in ExporterSettings.
  UdpTransport(const Collector& collector, std::uint32_t mtu);
  [[nodiscard]] SendResult send(std::span<const std::uint8_t> message, Timestamp now) noexcept override;
  void step(Timestamp now) noexcept override;
  [[nodiscard]] std::uint64_t session() const noexcept override { return session_; }
  [[nodiscard]] std::size_t max_message() const noexcept override { return max_message_; }
  [[nodiscard]] bool reliable() const noexcept override { return false; }
  [[nodiscard]] bool take_refusal() noexcept override;
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }

 private:
  void open() noexcept;
  void adopt(std::vector<SocketAddress> addresses) noexcept;
  void learn_path_mtu() noexcept;
  void note_refusal() noexcept;

  std::string name_;
  Resolver resolver_;
  std::vector<SocketAddress> addresses_;  // in the order of preference
  SocketAddress peer_{};
  UniqueFd socket_;
  const std::uint32_t mtu_;
  std::size_t max_message_;
  std::uint64_t session_ = 0;
  std::uint32_t lost_ = 0;   // messages in a row that the kernel did not take
  std::uint32_t clean_ = 0;  // messages in a row that were taken without a refusal of others
  bool refusal_ = false;     // not yet taken by the output
  bool reported_ = false;    // a line about the failing collector was logged
  Timestamp resolved_at_{}, opened_at_{};
};

// Connects and reconnects without waiting, after 1 s, 2 s, 4 s ... at most 30 s.  What does not fit into the socket at
// once is kept and goes first.  What the kernel took is "sent": a connection that breaks may still lose it.
class TcpTransport final : public Transport {
 public:
  static constexpr std::size_t kMaxMessage = 16'384;  // a broken connection loses little with it

  explicit TcpTransport(const Collector& collector);
  [[nodiscard]] SendResult send(std::span<const std::uint8_t> message, Timestamp now) noexcept override;
  void step(Timestamp now) noexcept override;
  [[nodiscard]] std::uint64_t session() const noexcept override { return session_; }
  [[nodiscard]] std::size_t max_message() const noexcept override { return kMaxMessage; }
  [[nodiscard]] bool reliable() const noexcept override { return true; }
  [[nodiscard]] bool drained() const noexcept override { return rest_.empty(); }
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }

 private:
  enum class State : std::uint8_t { apart, connecting, connected };
  void connect(Timestamp now) noexcept;
  void look_whether_connected(Timestamp now) noexcept;
  void look_whether_closed(Timestamp now) noexcept;
  void part(int error, Timestamp now) noexcept;
  [[nodiscard]] bool send_rest(Timestamp now) noexcept;

  std::string name_;
  Resolver resolver_;
  std::vector<SocketAddress> addresses_;
  std::size_t next_address_ = 0;
  UniqueFd socket_;
  State state_ = State::apart;
  std::vector<std::uint8_t> rest_;  // of a message that was taken in part
  std::uint64_t session_ = 0;
  Duration back_off_{};
  Timestamp try_at_{}, connecting_since_{};
  bool reported_ = false;
};

// Created or emptied at start.  A message that the disk does not take whole is taken back and lost.
class FileTransport final : public Transport {
 public:
  static constexpr std::size_t kMaxMessage = 16'384;  // readers with small buffers exist

  explicit FileTransport(const Collector& collector);
  FileTransport(const Collector& collector, UniqueFd file);  // opened before
  [[nodiscard]] SendResult send(std::span<const std::uint8_t> message, Timestamp now) noexcept override;
  void step(Timestamp) noexcept override {}
  [[nodiscard]] std::uint64_t session() const noexcept override { return 1; }
  [[nodiscard]] std::size_t max_message() const noexcept override { return kMaxMessage; }
  [[nodiscard]] bool reliable() const noexcept override { return true; }
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }

 private:
  std::string name_;
  UniqueFd file_;
  bool reported_ = false;
};

}  // namespace whiteowl
