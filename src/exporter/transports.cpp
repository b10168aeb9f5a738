// SPDX-License-Identifier: Apache-2.0
// UDP, TCP and files.
#include "whiteowl/exporter/transports.hpp"

#include <linux/errqueue.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

#include "whiteowl/base/error.hpp"
#include "whiteowl/exporter/opened_files.hpp"
#include "whiteowl/ipfix/message.hpp"

namespace whiteowl {

namespace {

using namespace std::chrono_literals;

constexpr Duration kStartPatience = 5s;  // for name servers
constexpr Duration kResolveInterval = 300s;
constexpr Duration kResolveWhenFailing = 30s;
constexpr Duration kReopenWhenFailing = 5s;
constexpr std::uint32_t kManyLost = 8;   // messages in a row: the socket may be beyond help
constexpr std::uint32_t kManyClean = 3;  // messages in a row: the collector is back
constexpr int kErrorsAtOnce = 64;
constexpr std::uint32_t kOrdinaryMtu = 1500;  // also where the kernel offers more: collectors read into small buffers
constexpr std::size_t kMaxUdpPayload = 65'507;
constexpr Duration kConnectPatience = 10s;
constexpr Duration kFirstBackOff = 1s, kLongestBackOff = 30s;
constexpr Duration kFilePause = 1s;     // after a failure
constexpr Duration kFileWorks = 10s;    // without a failure
constexpr Duration kLasting = 30s;      // a connection that lived so long is no sign of trouble when it ends
constexpr int kUserTimeoutMs = 30'000;  // RFC 5482: a peer that acknowledges nothing for this long is gone

std::string reason(int error) { return std::generic_category().message(error); }

int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

// The error of the oldest datagram for which something came back; 0 for what says nothing of the collector, less than 0
// when there is none.
int queued_error(int fd) {
  std::array<std::uint8_t, 512> control{};
  msghdr header{};
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  if (::recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return -1;
  for (cmsghdr* one = CMSG_FIRSTHDR(&header); one != nullptr; one = CMSG_NXTHDR(&header, one)) {
    const bool ours = (one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_RECVERR) ||
                      (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_RECVERR);
    sock_extended_err error{};
    if (!ours || one->cmsg_len < CMSG_LEN(sizeof error)) continue;
    std::memcpy(&error, CMSG_DATA(one), sizeof error);
    return error.ee_origin == SO_EE_ORIGIN_LOCAL ? 0 : static_cast<int>(error.ee_errno);
  }
  return 0;
}

std::string unreachable(int error) {
  const std::string text = reason(error);
  return error == EACCES ? text + " (a broadcast address, or forbidden by a route)" : text;
}

void set_option(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

// Since the connection began, the SYN included; 0 when the kernel does not say.
std::uint64_t octets_acknowledged(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  constexpr std::size_t kNeeded = offsetof(tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked;
  return size < kNeeded ? 0 : info.tcpi_bytes_acked;
}

std::string subject_of(const Collector& collector) { return "collector " + collector.text; }

int type_of(const Collector& collector) { return collector.kind == CollectorKind::tcp ? SOCK_STREAM : SOCK_DGRAM; }

std::unique_ptr<Transport> make_one(const Collector& collector, const ExporterSettings& settings, Resolver* resolver) {
  switch (collector.kind) {
    case CollectorKind::udp:
      return std::make_unique<UdpTransport>(collector, settings.mtu, std::move(*resolver));
    case CollectorKind::tcp:
      return std::make_unique<TcpTransport>(collector, std::move(*resolver));
    case CollectorKind::file:
      return std::make_unique<FileTransport>(
          collector, settings.opened ? settings.opened->take(collector.path) : OutputFile{collector.path});
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<Transport> make_transport(const std::string& collector, const ExporterSettings& settings) {
  return std::move(make_transports({collector}, settings, make_look_ups()).front());
}

std::vector<std::unique_ptr<Transport>> make_transports(const std::vector<std::string>& collectors,
                                                        const ExporterSettings& settings,
                                                        std::shared_ptr<LookUps> look_ups, int cancel_fd) {
  std::vector<Collector> parsed;
  std::vector<Resolver> resolvers;
  for (const std::string& text : collectors) {
    const Collector& one = parsed.emplace_back(parse_collector(text, settings.default_port));
    if (one.kind != CollectorKind::file)
      resolvers.emplace_back(one.host, one.port, type_of(one), subject_of(one), look_ups);
  }
  Resolver::resolve_at_start(resolvers, kStartPatience, cancel_fd);
  std::vector<std::unique_ptr<Transport>> made;
  std::size_t next = 0;
  for (const Collector& one : parsed) {
    const bool named = one.kind != CollectorKind::file;
    made.push_back(make_one(one, settings, named ? &resolvers[next++] : nullptr));
  }
  return made;
}

// --- UDP
// ---------------------------------------------------------------------------------------------------------------

UdpTransport::UdpTransport(const Collector& collector, std::uint32_t mtu, Resolver resolver)
    : name_{collector.text},
      resolver_{std::move(resolver)},
      mtu_{mtu},
      max_message_{MessageWriter::kMinLimit},
      trouble_{subject_of(collector)} {
  adopt(resolver_.take(), Timestamp{});
}

// Keeps the socket when the address in use is still among the name's.
void UdpTransport::adopt(std::vector<SocketAddress> addresses, Timestamp now) noexcept {
  if (addresses.empty()) return;
  addresses_ = std::move(addresses);
  const auto in_use = [this](const SocketAddress& address) { return address.equals(peer_); };
  if (!socket_ || std::none_of(addresses_.begin(), addresses_.end(), in_use)) open(now);
}

void UdpTransport::open(Timestamp now) noexcept {
  int error = 0;
  for (const SocketAddress& address : addresses_) {
    UniqueFd socket{::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    // Fails where the host has no route of this family: the name's next address may do.
    if (!socket || ::connect(socket.get(), address.data(), address.size) != 0) {
      error = errno;
      continue;
    }
    // Else the kernel keeps to itself that a host or network cannot be reached.
    const bool ipv6 = address.family() == AF_INET6;
    set_option(socket.get(), ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, ipv6 ? IPV6_RECVERR : IP_RECVERR, 1);
    socket_ = std::move(socket);
    peer_ = address;
    lost_ = clean_ = 0;
    ++session_;
    learn_path_mtu();
    return;
  }
  trouble_.begin(now, "cannot be reached: " + unreachable(error) + "; trying on");
}

void UdpTransport::learn_path_mtu() noexcept {
  const bool ipv6 = peer_.family() == AF_INET6;
  const std::size_t headers = ipv6 ? 48 : 28;
  std::size_t mtu = mtu_;
  if (mtu == 0) {
    int known = 0;
    socklen_t size = sizeof known;
    const int got = ipv6 ? ::getsockopt(socket_.get(), IPPROTO_IPV6, IPV6_MTU, &known, &size)
                         : ::getsockopt(socket_.get(), IPPROTO_IP, IP_MTU, &known, &size);
    mtu = got == 0 && known > 0 ? std::min(static_cast<std::uint32_t>(known), kOrdinaryMtu) : kOrdinaryMtu;
  }
  max_message_ = std::clamp(mtu - std::min(mtu, headers), MessageWriter::kMinLimit, kMaxUdpPayload);
}

void UdpTransport::note_refusal(int error, Timestamp now) noexcept {
  refusal_ = true;
  clean_ = 0;
  if (error == ECONNREFUSED) return trouble_.begin(now, "nobody listens there, sending on");
  trouble_.begin(now, "cannot be reached: " + unreachable(error) + "; sending on");
}

bool UdpTransport::take_refusal() noexcept { return std::exchange(refusal_, false); }

// What came back for datagrams that were sent.
void UdpTransport::look_for_errors(Timestamp now) noexcept {
  int error = pending_error(socket_.get());
  for (int i = 0; i < kErrorsAtOnce; ++i) {
    const int queued = queued_error(socket_.get());
    if (queued < 0) break;
    if (queued > 0) error = queued;
  }
  if (error != 0) note_refusal(error, now);
}

SendResult UdpTransport::send(std::span<const std::uint8_t> message, Timestamp now) noexcept {
  if (!socket_) return SendResult::busy;
  // An error of an earlier datagram is reported instead of sending this one, and only once: so this one gets another
  // try.
  constexpr int kTries = 3;
  int error = 0;
  for (int i = 0; i < kTries; ++i) {
    if (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
      lost_ = 0;
      if (error != 0)
        note_refusal(error, now);
      else if (++clean_ == kManyClean)
        trouble_.end("messages get through again");
      return SendResult::sent;
    }
    error = errno;
    if (error == EAGAIN || error == ENOBUFS || error == EINTR) return SendResult::busy;
  }
  ++lost_;
  if (error == ECONNREFUSED) note_refusal(error, now);
  clean_ = 0;
  trouble_.begin(now, "cannot send: " + unreachable(error) + "; sending on");
  return SendResult::lost;
}

void UdpTransport::step(Timestamp now) noexcept {
  if (resolved_at_ == Timestamp{} || now < resolved_at_ || now < opened_at_) resolved_at_ = opened_at_ = now;
  trouble_.step(now);
  resolver_.step(now);
  if (socket_) {
    look_for_errors(now);
    learn_path_mtu();
  }
  adopt(resolver_.take(), now);
  const bool away = !socket_ || trouble_.bad();
  if (!resolver_.numeric() && now - resolved_at_ >= (away ? kResolveWhenFailing : kResolveInterval)) {
    resolved_at_ = now;
    resolver_.begin(now);
  }
  if (addresses_.empty()) return resolver_.begin(now);
  // No route at start, or a source address that this host has no more: both need another connect().
  if ((!socket_ || lost_ >= kManyLost) && now - opened_at_ >= kReopenWhenFailing) {
    opened_at_ = now;
    open(now);
  }
}

// --- TCP
// ---------------------------------------------------------------------------------------------------------------

TcpTransport::TcpTransport(const Collector& collector, Resolver resolver)
    : name_{collector.text}, resolver_{std::move(resolver)}, trouble_{subject_of(collector)} {
  addresses_ = resolver_.take();
}

void TcpTransport::connect(Timestamp now) noexcept {
  if (addresses_.empty()) {
    addresses_ = resolver_.take();
    next_address_ = 0;
  }
  if (addresses_.empty()) return resolver_.begin(now);
  const SocketAddress address = addresses_[next_address_];
  if (++next_address_ == addresses_.size()) {
    next_address_ = 0;
    if (!resolver_.numeric()) addresses_.clear();  // all tried: look the name up again before the next round
  }
  socket_ = UniqueFd{::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket_) return part(errno, now);
  set_option(socket_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
  set_option(socket_.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  state_ = State::connecting;
  connecting_since_ = now;
  if (::connect(socket_.get(), address.data(), address.size) != 0 && errno != EINPROGRESS) return part(errno, now);
  look_whether_connected(now);
}

void TcpTransport::look_whether_connected(Timestamp now) noexcept {
  pollfd wait{socket_.get(), POLLOUT, 0};
  if (::poll(&wait, 1, 0) <= 0) {
    if (now - connecting_since_ >= kConnectPatience || now < connecting_since_) part(ETIMEDOUT, now);
    return;
  }
  if (const int error = pending_error(socket_.get()); error != 0) return part(error, now);
  state_ = State::connected;
  connected_since_ = now;
  taken_ = arrived_ = 0;
  ended_ = false;
  not_ours_ = octets_acknowledged(socket_.get());
  ++session_;
  trouble_.end("connected again");
}

// A collector that accepts and resets is no better than one that refuses: the pauses go on growing.
void TcpTransport::part(int error, Timestamp now) noexcept {
  if (state_ == State::connected) {
    arrived_ = acknowledged();
    if (now - connected_since_ >= kLasting) back_off_ = Duration{};
  }
  socket_ = UniqueFd{};
  state_ = State::apart;
  rest_.clear();
  back_off_ = std::clamp<Duration>(back_off_ * 2, kFirstBackOff, kLongestBackOff);
  try_at_ = now + back_off_;
  // After our end a collector that has everything may go as it likes.
  if (ended_ && arrived_ == taken_) return;
  trouble_.begin(now, reason(error) + "; connecting again");
}

// RFC 4898's ThruOctetsAcked, unlike the length of the queue, outlives a reset.
std::uint64_t TcpTransport::acknowledged() const noexcept {
  const std::uint64_t all = octets_acknowledged(socket_.get());
  return std::min(taken_ - rest_.size(), all - std::min(all, not_ours_));
}

Transport::Outstanding TcpTransport::outstanding() noexcept {
  if (state_ == State::connected) return {taken_ - acknowledged(), false};
  return {taken_ - arrived_, true};
}

bool TcpTransport::send_rest(Timestamp now) noexcept {
  if (rest_.empty()) return true;
  const ssize_t took = ::send(socket_.get(), rest_.data(), rest_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (took < 0) {
    if (errno != EAGAIN && errno != EINTR) part(errno, now);
    return false;
  }
  rest_.erase(rest_.begin(), rest_.begin() + took);
  return rest_.empty();
}

SendResult TcpTransport::send(std::span<const std::uint8_t> message, Timestamp now) noexcept {
  if (state_ != State::connected) {
    step(now);
    return SendResult::busy;  // the message belongs to the next session: its numbers have to be set anew
  }
  if (!send_rest(now)) return SendResult::busy;
  const ssize_t took = ::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (took < 0) {
    if (errno != EAGAIN && errno != EINTR) part(errno, now);
    return SendResult::busy;
  }
  taken_ += message.size();
  const auto rest = message.subspan(static_cast<std::size_t>(took));
  rest_.assign(rest.begin(), rest.end());
  return SendResult::sent;
}

// A collector says nothing; the end of what it says is the end of the session.
void TcpTransport::look_whether_closed(Timestamp now) noexcept {
  std::array<std::uint8_t, 256> ignored{};
  for (int i = 0; i < 4; ++i) {
    const ssize_t got = ::recv(socket_.get(), ignored.data(), ignored.size(), MSG_DONTWAIT);
    if (got == 0) return part(ECONNRESET, now);
    if (got < 0) {
      if (errno != EAGAIN && errno != EINTR) part(errno, now);
      return;
    }
  }
}

void TcpTransport::step(Timestamp now) noexcept {
  trouble_.step(now);
  resolver_.step(now);
  switch (state_) {
    case State::connected:
      look_whether_closed(now);
      if (state_ == State::connected) static_cast<void>(send_rest(now));
      return;
    case State::connecting:
      return look_whether_connected(now);
    case State::apart:
      if (now >= try_at_ || try_at_ - now > kLongestBackOff) connect(now);
  }
}

bool TcpTransport::end(Timestamp now) noexcept {
  if (state_ != State::connected) return true;
  if (!send_rest(now)) return state_ != State::connected;
  if (!std::exchange(ended_, true)) ::shutdown(socket_.get(), SHUT_WR);
  if (acknowledged() != taken_) look_whether_closed(now);
  return state_ != State::connected || acknowledged() == taken_;
}

// --- file
// --------------------------------------------------------------------------------------------------------------

FileTransport::FileTransport(const Collector& collector, OutputFile file)
    : name_{collector.text}, file_{std::move(file)}, trouble_{subject_of(collector)} {}
FileTransport::FileTransport(const Collector& collector) : FileTransport{collector, OutputFile{collector.path}} {}

std::size_t FileTransport::max_message() const noexcept {
  const std::size_t whole = file_.whole();
  return whole == 0 ? kMaxMessage : std::min(whole, kMaxMessage);
}

bool FileTransport::send_rest(Timestamp now) noexcept {
  if (rest_.empty()) return true;
  const auto taken = file_.write(rest_);
  rest_.erase(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(taken.octets));
  if (taken.error != 0 && taken.error != EAGAIN) {
    broken_ = true;
    fail(taken.error, now);
  }
  return rest_.empty();
}

void FileTransport::fail(int error, Timestamp now) noexcept {
  if (error == EPIPE) {
    if (!std::exchange(gone_, true)) ++session_;
    return;
  }
  failed_ = true;
  failed_at_ = now;
  trouble_.begin(now, reason(error) + "; records are lost");
}

SendResult FileTransport::send(std::span<const std::uint8_t> message, Timestamp now) noexcept {
  // A disk that was full a moment ago is not asked for each record; for a short message there may even be room.
  const Duration since_failure = now < failed_at_ ? kFilePause : now - failed_at_;
  if (broken_ || (trouble_.bad() && since_failure < kFilePause)) return SendResult::lost;
  if (!send_rest(now)) return broken_ ? SendResult::lost : SendResult::busy;
  const auto taken = file_.write(message);
  if (taken.octets == message.size()) {
    gone_ = false;
    if (since_failure >= kFileWorks) trouble_.end("written again");
    return SendResult::sent;
  }
  const bool whole = taken.octets == 0 || file_.take_back(taken.octets);
  if (taken.error == EAGAIN && whole) return SendResult::busy;
  if (taken.error == EAGAIN) {
    const auto rest = message.subspan(taken.octets);
    rest_.assign(rest.begin(), rest.end());
    return SendResult::sent;
  }
  broken_ = !whole;
  fail(taken.error, now);
  return SendResult::lost;
}

void FileTransport::step(Timestamp now) noexcept {
  trouble_.step(now);
  static_cast<void>(send_rest(now));
}

bool FileTransport::end(Timestamp now) noexcept {
  if (!broken_ && !send_rest(now)) return broken_;
  if (const int error = file_.close(); error != 0) fail(error, now);
  return true;
}

}  // namespace whiteowl
