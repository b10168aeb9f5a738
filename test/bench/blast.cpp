// SPDX-License-Identifier: Apache-2.0
// Sends packets at a rate: frames built beforehand, sendmmsg on a packet socket, no queueing discipline.
//   bench_blast INTERFACE [--rate PPS] [--seconds S] [--octets N] [--flows N] [--kind udp|tcp|syn] [--cpu K]
// --rate 0 sends as fast as it goes.  --octets is the frame with its FCS, which a veth does not carry.  tcp: data that
// goes on in both directions of each flow and acknowledges what was sent before; syn: every packet from a new source.
// Prints one line of JSON.
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "frame.hpp"

namespace whiteowl::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 64;
constexpr std::uint32_t kFcs = 4;
constexpr double kLongestSeconds = 120;

struct Settings {
  std::string interface;
  double rate = 0, seconds = 5;
  std::uint32_t octets = 64;
  std::uint64_t flows = 1000;
  std::string kind = "udp";
  int cpu = -1;
};

[[noreturn]] void fail(const std::string& what) { throw std::system_error{errno, std::generic_category(), what}; }

// The frames to send, in an order without pattern.
class Load {
 public:
  explicit Load(const Settings& settings)
      : octets_{settings.octets - kFcs}, tcp_{settings.kind == "tcp"}, syn_{settings.kind == "syn"} {
    const std::uint64_t frames = tcp_ ? settings.flows * 2 : settings.flows;
    const std::uint8_t protocol = tcp_ || syn_ ? kTcp : kUdp;
    const std::uint32_t overhead = BuiltFrame::overhead(false, protocol) + (syn_ ? 8U : 0U);
    payload_ = std::max(octets_, overhead) - overhead;
    octets_ = std::max(octets_, overhead);
    store_.assign(frames * octets_, kFiller);
    order_.resize(frames);
    std::iota(order_.begin(), order_.end(), std::uint64_t{0});
    std::shuffle(order_.begin(), order_.end(), std::mt19937_64{1});
    std::vector<std::uint64_t> turn(frames);  // of each frame
    for (std::uint64_t i = 0; i < frames; ++i) turn[order_[i]] = i;
    for (std::uint64_t i = 0; i < frames; ++i) build(i, tcp_ && turn[i ^ 1U] < turn[i]);
  }
  [[nodiscard]] std::uint32_t octets() const { return octets_; }
  // The next frame; each has changed since it was sent the last time, where its kind asks for that.
  std::uint8_t* next() {
    std::uint8_t* frame = at(order_[place_]);
    if (++place_ == order_.size()) place_ = 0;
    go_on(frame, 1);
    return frame;
  }
  // The last `frames` were not sent.
  void back(std::size_t frames) {
    for (; frames > 0; --frames) {
      place_ = (place_ == 0 ? order_.size() : place_) - 1;
      go_on(at(order_[place_]), ~std::uint32_t{0});
    }
  }

 private:
  static constexpr std::size_t kSourceAt = kEthernetOctets + 12, kSeqAt = kEthernetOctets + 20 + 4, kAckAt = kSeqAt + 4;

  std::uint8_t* at(std::uint64_t frame) { return store_.data() + frame * octets_; }
  void go_on(std::uint8_t* frame, std::uint32_t times) {
    if (tcp_) add32(frame + kSeqAt, times * payload_);
    if (tcp_) add32(frame + kAckAt, times * payload_);
    if (syn_) add32(frame + kSourceAt, times * static_cast<std::uint32_t>(order_.size()));
  }
  // `answers`: the other direction's turn is before this one's.
  void build(std::uint64_t number, bool answers) {
    const std::uint64_t flow = tcp_ ? number / 2 : number;
    const std::uint64_t bits = scatter(flow + 1);
    Endpoints ends{false, 0x0A000000U + flow, 0xAC100000U | (bits & 0xFFFFU),
                   static_cast<std::uint16_t>(2000 + (bits >> 20U) % 50'000), 443};
    if (tcp_ && number % 2 != 0) ends = ends.reversed();
    BuiltFrame frame;
    TcpPart part{1, answers ? 1 + payload_ : 1, 1, 1};
    part.flags = syn_ ? kSyn : kAck;
    if (tcp_ || syn_)
      frame.tcp(ends, static_cast<std::uint16_t>(number), part, payload_);
    else
      frame.udp(ends, static_cast<std::uint16_t>(number), payload_);
    std::memcpy(at(number), frame.data(), std::min(octets_, BuiltFrame::kKept));
  }
  static void add32(std::uint8_t* at, std::uint32_t step) {
    std::uint32_t value = 0;
    std::memcpy(&value, at, sizeof(value));
    value = __builtin_bswap32(__builtin_bswap32(value) + step);
    std::memcpy(at, &value, sizeof(value));
  }

  std::uint32_t octets_, payload_ = 0;
  bool tcp_, syn_;
  std::vector<std::uint8_t> store_;
  std::vector<std::uint64_t> order_;
  std::size_t place_ = 0;
};

int open_socket(const std::string& interface) {
  const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);  // protocol 0: receives nothing
  if (fd < 0) fail("packet socket");
  const int yes = 1;
  if (::setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes)) != 0) fail("PACKET_QDISC_BYPASS");
  const int room = 16 << 20;
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  if (address.sll_ifindex == 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    fail(interface);
  return fd;
}

struct Sent {
  std::uint64_t packets = 0, refused = 0;
  double seconds = 0;
};

class Sender {
 public:
  Sender(int fd, Load& load) : fd_{fd}, load_{load} {
    for (std::size_t i = 0; i < kBatch; ++i) {
      messages_[i].msg_hdr.msg_iov = &pieces_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
      pieces_[i].iov_len = load_.octets();
    }
  }

  Sent run(double rate, double seconds) {
    const auto begin = Clock::now();
    for (;;) {
      sent_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      if (sent_.seconds >= seconds) return sent_;
      const double due = rate > 0 ? sent_.seconds * rate - static_cast<double>(sent_.packets) : kBatch;
      if (due < 1) {
        const timespec pause{0, 50'000};
        ::ppoll(nullptr, 0, &pause, nullptr);
        continue;
      }
      send(std::min(kBatch, static_cast<std::size_t>(due)));
    }
  }

 private:
  void send(std::size_t wanted) {
    for (std::size_t i = 0; i < wanted; ++i) pieces_[i].iov_base = load_.next();
    const int took = ::sendmmsg(fd_, messages_.data(), static_cast<unsigned>(wanted), 0);
    const auto done = static_cast<std::size_t>(std::max(took, 0));
    if (done < wanted) {
      ++sent_.refused;
      load_.back(wanted - done);
    }
    sent_.packets += done;
  }

  int fd_;
  Load& load_;
  std::array<mmsghdr, kBatch> messages_{};
  std::array<iovec, kBatch> pieces_{};
  Sent sent_;
};

Settings settings_of(std::span<char* const> words) {
  if (words.empty()) throw std::invalid_argument{"INTERFACE [--rate PPS] [--seconds S] [--octets N] [--flows N] ..."};
  Settings settings;
  settings.interface = words[0];
  for (std::size_t i = 1; i < words.size(); i += 2) {
    const std::string_view name = words[i];
    if (i + 1 == words.size()) throw std::invalid_argument{std::string{name} + " needs a value"};
    const std::string value = words[i + 1];
    if (name == "--rate")
      settings.rate = std::stod(value);
    else if (name == "--seconds")
      settings.seconds = std::clamp(std::stod(value), 0.0, kLongestSeconds);
    else if (name == "--octets")
      settings.octets = static_cast<std::uint32_t>(std::clamp(std::stoul(value), 64UL, 1518UL));
    else if (name == "--flows")
      settings.flows = std::clamp<std::uint64_t>(std::stoull(value), 1, 0xFFFFFF);
    else if (name == "--kind" && (value == "udp" || value == "tcp" || value == "syn"))
      settings.kind = value;
    else if (name == "--cpu")
      settings.cpu = std::stoi(value);
    else
      throw std::invalid_argument{"no such option: " + std::string{name} + " " + value};
  }
  return settings;
}

void run(const Settings& settings) {
  if (settings.cpu >= 0) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(settings.cpu), &one);
    if (::sched_setaffinity(0, sizeof(one), &one) != 0) fail("sched_setaffinity");
  }
  Load load{settings};
  const int fd = open_socket(settings.interface);
  const Sent sent = Sender{fd, load}.run(settings.rate, settings.seconds);
  ::close(fd);
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const double system = static_cast<double>(used.ru_stime.tv_sec) + static_cast<double>(used.ru_stime.tv_usec) * 1e-6;
  std::printf("{\"sent\": %llu, \"refused\": %llu, \"seconds\": %.3f, \"system_s\": %.3f, \"frame_octets\": %u}\n",
              static_cast<unsigned long long>(sent.packets), static_cast<unsigned long long>(sent.refused),
              sent.seconds, system, load.octets());
}

}  // namespace
}  // namespace whiteowl::bench

int main(int count, char** words) {
  try {
    using namespace whiteowl::bench;
    run(settings_of(std::span{words, static_cast<std::size_t>(count)}.subspan(count > 0 ? 1 : 0)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_blast: %s\n", error.what());
    return 1;
  }
  return 0;
}
