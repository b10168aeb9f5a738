// SPDX-License-Identifier: Apache-2.0
// getaddrinfo(3) in processes of its own.
#include "whiteowl/exporter/resolver.hpp"

#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <exception>
#include <system_error>
#include <utility>

#include "whiteowl/base/error.hpp"

namespace whiteowl {

namespace {

using namespace std::chrono_literals;

constexpr int kMostLookUps = 8;
constexpr Duration kLongestLookUp = 60s;  // the resolver's own patience is 30 s as it comes (resolv.conf(5))
constexpr std::size_t kLookUpMemory = std::size_t{256} << 20U;
constexpr Duration kFirstBackOff = 1s, kLongestBackOff = 60s;
constexpr std::size_t kMostAddresses = 64;
constexpr Timestamp kStart{};  // before the first moment that the exporter knows
constexpr const char* kTryingOn = "; trying on";

// Both sides are the same program, so the octets are as they lie in memory.
std::string as_text(const std::vector<SocketAddress>& addresses) {
  std::string text(addresses.size() * sizeof(SocketAddress), '\0');
  if (!addresses.empty()) std::memcpy(text.data(), addresses.data(), text.size());
  return text;
}

std::vector<SocketAddress> from_text(const std::string& text) {
  std::vector<SocketAddress> addresses(text.size() / sizeof(SocketAddress));
  if (!addresses.empty()) std::memcpy(addresses.data(), text.data(), addresses.size() * sizeof(SocketAddress));
  return addresses;
}

int look_up(const std::string& host, std::uint16_t port, int socket_type, int flags,
            std::vector<SocketAddress>& addresses) {
  addrinfo hints{};
  hints.ai_socktype = socket_type;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return error;
  for (const addrinfo* one = found; one != nullptr && addresses.size() < kMostAddresses; one = one->ai_next) {
    SocketAddress address;
    address.size = one->ai_addrlen;
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    addresses.push_back(address);
  }
  ::freeaddrinfo(found);
  return 0;
}

bool does_not_exist(int error) { return error == EAI_NONAME || error == EAI_NODATA || error == EAI_FAIL; }

std::string reason_of(int error, const std::string& host) {
  const auto scope = host.find('%');
  if (does_not_exist(error) && scope != std::string::npos)
    return "this host has no interface \"" + host.substr(scope + 1) + "\"";
  return ::gai_strerror(error);
}

Duration steady_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace

class LookUps {
 public:
  [[nodiscard]] bool enter() noexcept {
    if (running_.fetch_add(1) < kMostLookUps) return true;
    leave();
    return false;
  }
  void leave() noexcept { running_.fetch_sub(1); }

 private:
  std::atomic<int> running_{0};
};

std::shared_ptr<LookUps> make_look_ups() { return std::make_shared<LookUps>(); }

// A look-up under way, and its place among those that may be.
class Resolver::Slot {
 public:
  Slot(std::shared_ptr<LookUps> look_ups, const std::function<std::string()>& work)
      : task{work, {.time = kLongestLookUp, .memory_octets = kLookUpMemory}}, look_ups_{std::move(look_ups)} {}
  ~Slot() { look_ups_->leave(); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  ChildTask task;

 private:
  std::shared_ptr<LookUps> look_ups_;
};

bool SocketAddress::equals(const SocketAddress& other) const noexcept {
  return size == other.size && std::memcmp(&storage, &other.storage, size) == 0;
}

Resolver::Resolver(std::string host, std::uint16_t port, int socket_type, const std::string& subject,
                   std::shared_ptr<LookUps> look_ups)
    : subject_{subject},
      host_{std::move(host)},
      port_{port},
      socket_type_{socket_type},
      look_ups_{std::move(look_ups)},
      trouble_{subject} {
  numeric_ = look_up(host_, port_, socket_type_, AI_NUMERICHOST, found_) == 0;
}

Resolver::~Resolver() = default;
Resolver::Resolver(Resolver&&) noexcept = default;

void Resolver::begin(Timestamp now) noexcept {
  if (numeric_) {
    found_.clear();
    static_cast<void>(look_up(host_, port_, socket_type_, AI_NUMERICHOST, found_));
    return;
  }
  const bool too_soon = now < try_at_ && try_at_ - now <= kLongestBackOff;
  if (slot_ != nullptr || too_soon || !look_ups_->enter()) return;
  try {
    slot_ = std::make_unique<Slot>(look_ups_, [host = host_, port = port_, type = socket_type_] {
      std::vector<SocketAddress> addresses;
      const int error = look_up(host, port, type, 0, addresses);
      return error == 0 ? 'a' + as_text(addresses) : 'e' + std::to_string(error);
    });
  } catch (const std::exception& error) {
    look_ups_->leave();
    fail(error.what(), now);
  }
}

void Resolver::step(Timestamp now) noexcept {
  trouble_.step(now);
  if (slot_ == nullptr) return;
  try {
    const auto outcome = slot_->task.poll();
    if (!outcome) return;
    take_result(*outcome, now);
  } catch (const std::exception& error) {
    fail(error.what(), now);
  }
  slot_.reset();
}

void Resolver::take_result(const ChildTask::Outcome& outcome, Timestamp now) {
  if (outcome.state != ChildTask::State::done || outcome.text.empty()) return fail("the look-up " + outcome.text, now);
  const std::string rest = outcome.text.substr(1);
  if (outcome.text.front() == 'e') {
    int error = EAI_AGAIN;
    std::from_chars(rest.data(), rest.data() + rest.size(), error);
    does_not_exist_ = does_not_exist(error);
    return fail(reason_of(error, host_), now);
  }
  found_ = from_text(rest);
  failure_.clear();
  does_not_exist_ = false;
  back_off_ = Duration{};
  try_at_ = Timestamp{};
  trouble_.end("the name \"" + host_ + "\" is found again");
}

void Resolver::fail(const std::string& reason, Timestamp now) noexcept {
  failure_ = "cannot find the host \"" + host_ + "\": " + reason;
  back_off_ = std::clamp<Duration>(back_off_ * 2, kFirstBackOff, kLongestBackOff);
  try_at_ = now + back_off_;
  if (started_) trouble_.begin(now, failure_ + kTryingOn);
}

std::vector<SocketAddress> Resolver::take() noexcept { return std::exchange(found_, {}); }

void Resolver::resolve_at_start(std::span<Resolver> resolvers, Duration patience, int cancel_fd) {
  const Duration end = steady_now() + patience;
  for (;;) {
    std::vector<pollfd> watched{{cancel_fd, POLLIN, 0}};
    bool waiting = false;
    for (Resolver& one : resolvers) {
      if (one.numeric_ || !one.found_.empty() || !one.failure_.empty()) continue;
      one.begin(kStart);
      one.step(kStart);
      if (one.does_not_exist_) throw StartError{ExitStatus::failure, one.subject_ + ": " + one.failure_};
      if (one.slot_ != nullptr) watched.push_back({one.slot_->task.fd(), POLLIN, 0});
      waiting = waiting || (one.found_.empty() && one.failure_.empty());
    }
    const Duration left = end - steady_now();
    if (!waiting || left <= Duration::zero()) break;
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(std::min<Duration>(left, 1s)).count();
    ::poll(watched.data(), watched.size(), static_cast<int>(milliseconds));
    if (watched.front().revents != 0) throw StartError{ExitStatus::failure, "cancelled while names were looked up"};
  }
  for (Resolver& one : resolvers) {
    one.started_ = true;
    if (!one.found_.empty()) continue;
    const std::string why =
        one.failure_.empty() ? "no name server has answered yet for \"" + one.host_ + '"' : one.failure_;
    one.trouble_.begin(kStart, why + kTryingOn);
  }
}

}  // namespace whiteowl
