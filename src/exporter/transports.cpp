// SPDX-License-Identifier: Apache-2.0
// UDP, TCP and files.
#include "whiteowl/exporter/transports.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

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
constexpr std::uint32_t kManyLost = 8;        // messages in a row: the socket may be beyond help
constexpr std::uint32_t kManyClean = 3;       // messages in a row: the collector is back
constexpr std::uint32_t kOrdinaryMtu = 1500;  // also where the kernel offers more: collectors read into small buffers
constexpr std::size_t kMaxUdpPayload = 65'507;
constexpr Duration kConnectPatience = 10s;
constexpr Duration kFirstBackOff = 1s, kLongestBackOff = 30s;
constexpr int kUserTimeoutMs = 30'000;  // RFC 5482: a peer that acknowledges nothing for this long is gone

std::string reason(int error) { return std::generic_category().message(error); }

int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void set_option(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

// Logging must never end the export.
template <typename... Args>
void say(spdlog::level::level_enum level, const char* format, const Args&... args) noexcept {
  try {
    spdlog::log(level, fmt::runtime(format), args...);
  } catch (const std::exception&) {
  }
}

}  // namespace

std::unique_ptr<Transport> make_transport(const std::string& collector, const ExporterSettings& settings) {
  const Collector parsed = parse_collector(collector, settings.default_port);
  switch (parsed.kind) {
    case CollectorKind::udp:
      return std::make_unique<UdpTransport>(parsed, settings.mtu);
    case CollectorKind::tcp:
      return std::make_unique<TcpTransport>(parsed);
    case CollectorKind::file:
      return std::make_unique<FileTransport>(
          parsed, settings.opened ? settings.opened->take(parsed.path) : open_output_file(parsed.path));
  }
  return nullptr;
}

// --- UDP
// ---------------------------------------------------------------------------------------------------------------

UdpTransport::UdpTransport(const Collector& collector, std::uint32_t mtu)
    : name_{collector.text},
      resolver_{collector.host, collector.port, SOCK_DGRAM},
      mtu_{mtu},
      max_message_{MessageWriter::kMinLimit} {
  adopt(resolver_.resolve_at_start(kStartPatience, collector.text));
  if (addresses_.empty()) say(spdlog::level::warn, "collector {}: its name is not resolved yet, trying on", name_);
}

// Keeps the socket when the address in use is still among the name's.
void UdpTransport::adopt(std::vector<SocketAddress> addresses) noexcept {
  if (addresses.empty()) return;
  addresses_ = std::move(addresses);
  const auto in_use = [this](const SocketAddress& address) { return address.equals(peer_); };
  if (!socket_ || std::none_of(addresses_.begin(), addresses_.end(), in_use)) open();
}

void UdpTransport::open() noexcept {
  for (const SocketAddress& address : addresses_) {
    UniqueFd socket{::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    // Fails where the host has no route of this family: the name's next address may do.
    if (!socket || ::connect(socket.get(), address.data(), address.size) != 0) continue;
    socket_ = std::move(socket);
    peer_ = address;
    lost_ = 0;
    ++session_;
    learn_path_mtu();
    return;
  }
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

void UdpTransport::note_refusal() noexcept {
  refusal_ = true;
  clean_ = 0;
  if (!std::exchange(reported_, true))
    say(spdlog::level::warn, "collector {}: nobody listens there, sending on", name_);
}

bool UdpTransport::take_refusal() noexcept { return std::exchange(refusal_, false); }

SendResult UdpTransport::send(std::span<const std::uint8_t> message, Timestamp /*now*/) noexcept {
  if (!socket_) return SendResult::busy;
  // An error of an earlier datagram is reported instead of sending this one, and only once: so this one gets another
  // try.
  constexpr int kTries = 3;
  int error = 0;
  for (int i = 0; i < kTries; ++i) {
    if (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
      lost_ = 0;
      if (error == 0 && ++clean_ == kManyClean && std::exchange(reported_, false)) {
        say(spdlog::level::info, "collector {}: messages get through again", name_);
      }
      return SendResult::sent;
    }
    error = errno;
    if (error == EAGAIN || error == ENOBUFS || error == EINTR) return SendResult::busy;
    if (error == ECONNREFUSED) note_refusal();
  }
  ++lost_;
  clean_ = 0;
  if (!std::exchange(reported_, true))
    say(spdlog::level::warn, "collector {}: cannot send: {}; sending on", name_, reason(error));
  return SendResult::lost;
}

void UdpTransport::step(Timestamp now) noexcept {
  if (resolved_at_ == Timestamp{} || now < resolved_at_ || now < opened_at_) resolved_at_ = opened_at_ = now;
  if (socket_) {
    if (pending_error(socket_.get()) == ECONNREFUSED) note_refusal();
    learn_path_mtu();
  }
  adopt(resolver_.take());
  const bool away = !socket_ || reported_;
  if (!resolver_.numeric() && now - resolved_at_ >= (away ? kResolveWhenFailing : kResolveInterval)) {
    resolved_at_ = now;
    resolver_.begin();
  }
  // No route at start, or a source address that this host has no more: both need another connect().
  if ((!socket_ || lost_ >= kManyLost) && now - opened_at_ >= kReopenWhenFailing) {
    opened_at_ = now;
    if (addresses_.empty())
      resolver_.begin();
    else
      open();
  }
}

// --- TCP
// ---------------------------------------------------------------------------------------------------------------

TcpTransport::TcpTransport(const Collector& collector)
    : name_{collector.text}, resolver_{collector.host, collector.port, SOCK_STREAM} {
  addresses_ = resolver_.resolve_at_start(kStartPatience, collector.text);
}

void TcpTransport::connect(Timestamp now) noexcept {
  if (addresses_.empty()) {
    addresses_ = resolver_.take();
    if (addresses_.empty()) {
      resolver_.begin();
      return;
    }
    next_address_ = 0;
  }
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
  back_off_ = Duration{};
  ++session_;
  if (std::exchange(reported_, false)) say(spdlog::level::info, "collector {}: connected again", name_);
}

void TcpTransport::part(int error, Timestamp now) noexcept {
  socket_ = UniqueFd{};
  state_ = State::apart;
  rest_.clear();
  back_off_ = std::clamp<Duration>(back_off_ * 2, kFirstBackOff, kLongestBackOff);
  try_at_ = now + back_off_;
  if (!std::exchange(reported_, true))
    say(spdlog::level::warn, "collector {}: {}; connecting again", name_, reason(error));
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

// --- file
// --------------------------------------------------------------------------------------------------------------

FileTransport::FileTransport(const Collector& collector) : FileTransport{collector, open_output_file(collector.path)} {}

FileTransport::FileTransport(const Collector& collector, UniqueFd file)
    : name_{collector.text}, file_{std::move(file)} {}

SendResult FileTransport::send(std::span<const std::uint8_t> message, Timestamp /*now*/) noexcept {
  std::size_t written = 0;
  while (written < message.size()) {
    const ssize_t took = ::write(file_.get(), message.data() + written, message.size() - written);
    if (took < 0 && errno == EINTR) continue;
    if (took <= 0) break;
    written += static_cast<std::size_t>(took);
  }
  if (written == message.size()) return SendResult::sent;
  if (!std::exchange(reported_, true)) say(spdlog::level::err, "{}: {}; records are lost", name_, reason(errno));
  if (written != 0) {
    const off_t end = ::lseek(file_.get(), -static_cast<off_t>(written), SEEK_CUR);
    if (end >= 0 && ::ftruncate(file_.get(), end) != 0) return SendResult::lost;
  }
  return SendResult::lost;
}

}  // namespace whiteowl
