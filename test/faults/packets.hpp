// SPDX-License-Identifier: Apache-2.0
// Packets of any two addresses, and where they go: a capture file, or an interface at a rate.  Checksums are left 0: a
// probe does not look at them.  Knows the wire, nothing of the product.
#pragma once

#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace whiteowl::faults {

inline constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17;
inline constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kPush = 8, kAck = 16;

// Every number is a function of its place: the same file at each run.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_{seed} {}
  std::uint64_t next() {
    std::uint64_t mixed = state_ += 0x9E3779B97F4A7C15U;
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31U);
  }
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>((next() >> 32U) * limit >> 32U); }

 private:
  std::uint64_t state_;
};

struct Address {
  bool v6 = false;
  std::array<std::uint8_t, 16> octets{};

  static Address v4(std::uint32_t number) {
    Address made;
    for (std::size_t i = 0; i < 4; ++i) made.octets[i] = static_cast<std::uint8_t>(number >> (24 - 8 * i));
    return made;
  }
  // The words as they stand in this machine's memory.
  static Address v6_of(std::uint64_t upper, std::uint64_t lower) {
    Address made{.v6 = true, .octets = {}};
    std::memcpy(made.octets.data(), &upper, 8);
    std::memcpy(made.octets.data() + 8, &lower, 8);
    return made;
  }
};

struct Ends {
  Address source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
};

struct Segment {
  std::uint32_t seq = 0, ack = 0, payload = 0;
  std::uint8_t flags = 0;
};

class Packet {
 public:
  void tcp(const Ends& ends, std::uint16_t ip_id, const Segment& segment) {
    begin(ends, kTcp, 20 + segment.payload, ip_id, 0x4000);
    ports(ends);
    put32(segment.seq);
    put32(segment.ack);
    put16(0x5000U | segment.flags);
    put16(8192);
    put32(0);
    finish(segment.payload);
  }
  void udp(const Ends& ends, std::uint16_t ip_id, std::uint16_t fragment = 0) {
    begin(ends, kUdp, 8, ip_id, fragment);
    ports(ends);
    put32(8U << 16U);
    finish(0);
  }
  void echo_request(const Ends& ends, std::uint16_t ip_id) {
    begin(ends, kIcmp, 8, ip_id, 0);
    put32(8U << 24U);
    put32(std::uint32_t{ends.source_port} << 16U);
    finish(0);
  }
  [[nodiscard]] const std::uint8_t* data() const { return octets_.data(); }
  [[nodiscard]] std::uint32_t kept() const { return kept_; }
  [[nodiscard]] std::uint32_t on_wire() const { return wire_; }

 private:
  static constexpr std::uint32_t kRoom = 128;

  void begin(const Ends& ends, std::uint8_t protocol, std::uint32_t length, std::uint16_t ip_id,
             std::uint16_t fragment) {
    octets_.fill(0);
    at_ = 0;
    put32(0x02000000U);
    put32(0x00020200U);
    put32(0x00000001U);
    put16(ends.source.v6 ? 0x86DDU : 0x0800U);
    if (ends.source.v6) {
      put32(0x60000000U);
      put32(length << 16U | std::uint32_t{protocol} << 8U | 64U);
    } else {
      put32(0x45000000U | (20 + length));
      put32(std::uint32_t{ip_id} << 16U | fragment);
      put32(64U << 24U | std::uint32_t{protocol} << 16U);
    }
    for (const Address* address : {&ends.source, &ends.destination}) {
      const std::uint32_t size = address->v6 ? 16 : 4;
      std::memcpy(octets_.data() + at_, address->octets.data(), size);
      at_ += size;
    }
  }
  void ports(const Ends& ends) {
    put16(ends.source_port);
    put16(ends.destination_port);
  }
  void finish(std::uint32_t payload) {
    wire_ = at_ + payload;
    kept_ = std::min(wire_, kRoom);
  }
  void put16(std::uint32_t value) {
    octets_[at_++] = static_cast<std::uint8_t>(value >> 8U);
    octets_[at_++] = static_cast<std::uint8_t>(value);
  }
  void put32(std::uint32_t value) {
    put16(value >> 16U);
    put16(value & 0xFFFFU);
  }

  std::array<std::uint8_t, kRoom> octets_{};
  std::uint32_t at_ = 0, kept_ = 0, wire_ = 0;
};

[[noreturn]] inline void fail(const std::string& what) {
  throw std::system_error{errno, std::generic_category(), what};
}

class CaptureFile {
 public:
  explicit CaptureFile(const std::string& path) : file_{std::fopen(path.c_str(), "wb"), &std::fclose} {
    if (!file_) fail(path);
    const std::array<std::uint32_t, 6> head{0xA1B2C3D4U, 0x00040002U, 0, 0, 65535, 1};
    std::fwrite(head.data(), sizeof(head), 1, file_.get());
  }
  void put(std::uint64_t microseconds, const Packet& packet) {
    const std::array<std::uint32_t, 4> head{static_cast<std::uint32_t>(microseconds / 1'000'000),
                                            static_cast<std::uint32_t>(microseconds % 1'000'000), packet.kept(),
                                            packet.on_wire()};
    std::fwrite(head.data(), sizeof(head), 1, file_.get());
    if (std::fwrite(packet.data(), 1, packet.kept(), file_.get()) != packet.kept()) fail("capture file");
  }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

// Sends one packet after the other at a rate; what the interface refuses is tried again.
class Wire {
 public:
  Wire(const std::string& interface, double rate) : fd_{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)}, rate_{rate} {
    if (fd_ < 0) fail("packet socket");
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    if (address.sll_ifindex == 0 || ::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
      fail(interface);
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() { ::close(fd_); }

  void put(const Packet& packet) {
    const timespec pause{0, 200'000};
    while (std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count() * rate_ <
           static_cast<double>(sent_))
      ::ppoll(nullptr, 0, &pause, nullptr);
    while (::send(fd_, packet.data(), packet.kept(), 0) < 0) {
      if (errno != ENOBUFS && errno != EAGAIN) fail("send");
      ::ppoll(nullptr, 0, &pause, nullptr);
    }
    ++sent_;
  }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  int fd_;
  double rate_;
  std::uint64_t sent_ = 0;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace whiteowl::faults
