// SPDX-License-Identifier: Apache-2.0
// The transports of IPFIX: UDP and TCP (RFC 7011 10.3, 10.4) and files (RFC 5655), made from a collector's text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/exporter/collector.hpp"
#include "whiteowl/exporter/episode.hpp"
#include "whiteowl/exporter/output_file.hpp"
#include "whiteowl/exporter/resolver.hpp"
#include "whiteowl/exporter/settings.hpp"
#include "whiteowl/exporter/transport.hpp"

namespace whiteowl {

// Throws StartError: 78 for a text that check_collector refuses, 1 for a host that does not exist or a file that
// cannot be written.
[[nodiscard]] std::unique_ptr<Transport> make_transport(const std::string& collector, const ExporterSettings& settings);
// The same for several, in their order: their names are looked up side by side, with one patience for all.
// `cancel_fd`: when it is readable, names are waited for no longer, and StartError says so.
[[nodiscard]] std::vector<std::unique_ptr<Transport>> make_transports(const std::vector<std::string>& collectors,
                                                                      const ExporterSettings& settings,
                                                                      std::shared_ptr<LookUps> look_ups,
                                                                      int cancel_fd = -1);

// A connected socket, so that the kernel reports closed ports and hosts that are not there, and knows the path MTU.
// Names are looked up again every five minutes and when nothing gets through; another address is a new session.
class UdpTransport final : public Transport {
 public:
  // `mtu` as in ExporterSettings.
  UdpTransport(const Collector& collector, std::uint32_t mtu, Resolver resolver);
  [[nodiscard]] SendResult send(std::span<const std::uint8_t> message, Timestamp now) noexcept override;
  void step(Timestamp now) noexcept override;
  [[nodiscard]] std::uint64_t session() const noexcept override { return session_; }
  [[nodiscard]] std::size_t max_message() const noexcept override { return max_message_; }
  [[nodiscard]] bool reliable() const noexcept override { return false; }
  [[nodiscard]] bool take_refusal() noexcept override;
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }

 private:
  void open(Timestamp now) noexcept;
  void adopt(std::vector<SocketAddress> addresses, Timestamp now) noexcept;
  void learn_path_mtu() noexcept;
  void look_for_errors(Timestamp now) noexcept;
  void note_refusal(int error, Timestamp now) noexcept;

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
  Timestamp resolved_at_{}, opened_at_{};
  Episode trouble_;
};

// Connects and reconnects without waiting, after 1 s, 2 s, 4 s ... at most 30 s; anew from 1 s when a connection has
// lasted.  What does not fit into the socket at once is kept and goes first.
class TcpTransport final : public Transport {
 public:
  static constexpr std::size_t kMaxMessage = 16'384;  // a broken connection loses little with it

  TcpTransport(const Collector& collector, Resolver resolver);
  [[nodiscard]] SendResult send(std::span<const std::uint8_t> message, Timestamp now) noexcept override;
  void step(Timestamp now) noexcept override;
  [[nodiscard]] std::uint64_t session() const noexcept override { return session_; }
  [[nodiscard]] std::size_t max_message() const noexcept override { return kMaxMessage; }
  [[nodiscard]] bool reliable() const noexcept override { return true; }
  [[nodiscard]] Outstanding outstanding() noexcept override;
  [[nodiscard]] bool end(Timestamp now) noexcept override;
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }

 private:
  enum class State : std::uint8_t { apart, connecting, connected };
  void connect(Timestamp now) noexcept;
  void look_whether_connected(Timestamp now) noexcept;
  void look_whether_closed(Timestamp now) noexcept;
  void part(int error, Timestamp now) noexcept;
  [[nodiscard]] bool send_rest(Timestamp now) noexcept;
  [[nodiscard]] std::uint64_t acknowledged() const noexcept;

  std::string name_;
  Resolver resolver_;
  std::vector<SocketAddress> addresses_;
  std::size_t next_address_ = 0;
  UniqueFd socket_;
  State state_ = State::apart;
  std::vector<std::uint8_t> rest_;  // of a message that was taken in part
  std::uint64_t taken_ = 0;         // octets, by send() in this session
  std::uint64_t arrived_ = 0;       // of them, known at the end of the session
  std::uint64_t not_ours_ = 0;      // what the kernel counts as acknowledged before the first octet: the SYN
  bool ended_ = false;              // the collector knows that no more comes
  std::uint64_t session_ = 0;
  Duration back_off_{};
  Timestamp try_at_{}, connecting_since_{}, connected_since_{};
  Episode trouble_;
};

// Created or emptied at start, or a FIFO or device.  A message that a disk does not take whole is taken back and lost.
// A pipe gets messages of a size that it takes whole or not at all, so whoever reads it never has the half of one.
class FileTransport final : public Transport {
 public:
  static constexpr std::size_t kMaxMessage = 16'384;  // readers with small buffers exist

  explicit FileTransport(const Collector& collector);
  FileTransport(const Collector& collector, OutputFile file);  // opened before
  [[nodiscard]] SendResult send(std::span<const std::uint8_t> message, Timestamp now) noexcept override;
  void step(Timestamp now) noexcept override;
  [[nodiscard]] std::uint64_t session() const noexcept override { return session_; }
  [[nodiscard]] std::size_t max_message() const noexcept override;
  [[nodiscard]] bool reliable() const noexcept override { return true; }
  [[nodiscard]] Outstanding outstanding() noexcept override { return {rest_.size(), broken_}; }
  [[nodiscard]] bool end(Timestamp now) noexcept override;
  [[nodiscard]] bool gone() const noexcept override { return gone_; }
  [[nodiscard]] bool failed() const noexcept override { return failed_; }
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }

 private:
  [[nodiscard]] bool send_rest(Timestamp now) noexcept;
  void fail(int error, Timestamp now) noexcept;

  std::string name_;
  OutputFile file_;
  std::vector<std::uint8_t> rest_;  // of a message of which a terminal or socket has the begin
  std::uint64_t session_ = 1;
  bool gone_ = false;    // nobody reads; who comes next begins a session
  bool broken_ = false;  // the reader has half a message: nothing can follow
  bool failed_ = false;
  Timestamp failed_at_{};
  Episode trouble_;
};

}  // namespace whiteowl
