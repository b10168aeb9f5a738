// SPDX-License-Identifier: Apache-2.0
// Living TCP conversations beside a flood, as a capture file of so many seconds.
//   faults_flood KIND N SECONDS FILE
// 1,000 conversations (10.1.0.0/16 to 10.2.0.0/16) open in the first second and exchange a request and an answer about
// every second, some requests repeated; 100 more (from 10.3.0.0/16) open later.  From 1.5 s on N events of KIND come
// from sources that were not seen before: none, syn, syn2, synack, ack, ack2, rst, data, udp1, udp2, both (a datagram
// and an answer to it), icmp, frag.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "packets.hpp"

namespace whiteowl::faults {
namespace {

constexpr std::uint64_t kBegin = 1'700'000'000'000'000;  // us
constexpr std::uint64_t kQuiet = 1'500'000;              // us before the flood
constexpr std::uint32_t kEarly = 1000, kLate = 100;

struct Event {
  std::uint64_t time = 0;  // us
  std::uint32_t conversation = 0;
  bool answer = false;
  Segment segment;
};

Ends ends_of(const Event& event) {
  const std::uint32_t number = event.conversation, network = number < kEarly ? 0x0A010000U : 0x0A030000U;
  Ends ends{Address::v4(network + number), Address::v4(0x0A020000U + number % 50),
            static_cast<std::uint16_t>(20'000 + number), 443};
  if (event.answer) return {ends.destination, ends.source, ends.destination_port, ends.source_port};
  return ends;
}

// A handshake, then a request and its answer about each second, until the end.
void converse(std::uint32_t number, std::uint64_t time, std::uint64_t end, Numbers& numbers,
              std::vector<Event>& events) {
  const std::uint64_t far = 2000 + numbers.below(80'000), near = 300 + numbers.below(2000);
  auto seq = static_cast<std::uint32_t>(numbers.next()), ack = static_cast<std::uint32_t>(numbers.next());
  const auto say = [&](std::uint64_t at, bool answer, Segment segment) {
    events.push_back({at, number, answer, segment});
  };
  say(time, false, {seq++, 0, 0, kSyn});
  say(time + far, true, {ack, seq, 0, kSyn | kAck});
  say(time + far + near, false, {seq, ++ack, 0, kAck});
  time += far + near + 1000;
  while (time < end) {
    const std::uint32_t request = 100 + numbers.below(1000), reply = 200 + numbers.below(1200);
    say(time, false, {seq, ack, request, kPush | kAck});
    if (numbers.below(10) == 0) say(time += 250'000, false, {seq, ack, request, kPush | kAck});
    seq += request;
    const std::uint64_t answered = time + far + numbers.below(5000);
    say(answered, true, {ack, seq, reply, kPush | kAck});
    ack += reply;
    say(answered + near, false, {seq, ack, 0, kAck});
    time += 900'000 + numbers.below(200'000);
  }
}

std::vector<Event> conversations(std::uint64_t length) {
  Numbers numbers{7};
  std::vector<Event> events;
  for (std::uint32_t i = 0; i < kEarly + kLate; ++i) {
    const std::uint64_t late = i < kEarly ? 0 : kQuiet + numbers.below(static_cast<std::uint32_t>(length / 2));
    converse(i, kBegin + late + numbers.below(900'000), kBegin + length - 500'000, numbers, events);
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.time < b.time; });
  return events;
}

class Flood {
 public:
  explicit Flood(const std::string& kind) : kind_{kind} {
    static const std::map<std::string, std::uint8_t> kSegments{
        {"syn", kSyn},  {"syn2", kSyn}, {"synack", kSyn | kAck}, {"ack", kAck},
        {"ack2", kAck}, {"rst", kRst},  {"data", kPush | kAck}};
    const auto found = kSegments.find(kind);
    tcp_ = found != kSegments.end();
    if (tcp_) segment_ = {0, 77, kind == "data" ? 100U : 0U, found->second};
    if (kind == "syn" || kind == "syn2") segment_.ack = 0;
    times_ = kind == "syn2" || kind == "udp2" || kind == "ack2" || kind == "both" ? 2 : 1;
    if (!tcp_ && kind != "udp1" && kind != "udp2" && kind != "both" && kind != "icmp" && kind != "frag")
      throw std::invalid_argument{"no such kind: " + kind};
  }
  void put(std::uint32_t number, std::uint64_t time, CaptureFile& file) {
    const std::uint64_t bits = numbers_.next();
    // A permutation of the numbers: no source comes twice.
    const std::uint32_t source = 0x14000000U + (number * 0x9E3779B1U & 0x3FFFFFFFU);
    Ends ends{Address::v4(source), Address::v4(0x0A020000U + static_cast<std::uint32_t>(bits >> 40U) % 50),
              static_cast<std::uint16_t>(bits >> 48U | 1U), static_cast<std::uint16_t>(tcp_ ? 443 : 53)};
    const auto ip_id = static_cast<std::uint16_t>(bits);
    segment_.seq = static_cast<std::uint32_t>(bits >> 20U);
    for (int i = 0; i < times_; ++i) {
      if (kind_ == "both" && i == 1) ends = {ends.destination, ends.source, ends.destination_port, ends.source_port};
      if (tcp_)
        packet_.tcp(ends, ip_id, segment_);
      else if (kind_ == "icmp")
        packet_.echo_request(ends, ip_id);
      else
        packet_.udp(ends, ip_id, static_cast<std::uint16_t>(kind_ != "frag" ? 0 : number % 2 == 0 ? 0x2000 : 0x0010));
      file.put(time + static_cast<std::uint64_t>(i), packet_);
    }
  }

 private:
  std::string kind_;
  bool tcp_ = false;
  int times_ = 1;
  Segment segment_;
  Numbers numbers_{99};
  Packet packet_;
};

void run(std::span<char* const> words) {
  if (words.size() != 4) throw std::invalid_argument{"KIND N SECONDS FILE"};
  const std::string kind = words[0];
  const std::uint64_t length = std::strtoull(words[2], nullptr, 10) * 1'000'000;
  const auto count = static_cast<std::uint32_t>(std::strtoul(words[1], nullptr, 10));
  if (length < 2 * kQuiet) throw std::invalid_argument{"3 seconds or more"};
  CaptureFile file{words[3]};
  const std::vector<Event> events = conversations(length);
  Packet packet;
  std::size_t next = 0;
  const auto converse_until = [&](std::uint64_t time) {
    for (; next < events.size() && events[next].time <= time; ++next) {
      packet.tcp(ends_of(events[next]), static_cast<std::uint16_t>(next), events[next].segment);
      file.put(events[next].time, packet);
    }
  };
  if (kind != "none") {
    Flood flood{kind};
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t time = kBegin + kQuiet + (length - kQuiet) * i / count;
      converse_until(time);
      flood.put(i, time, file);
    }
  }
  converse_until(~std::uint64_t{0});
  // The same last moments in every file, so that the same timeouts have passed.
  const Ends last{Address::v4(0x0A090001U), Address::v4(0x0A090002U), 9, 9};
  for (std::uint64_t i = 0; i < 200; ++i) {
    packet.udp(last, static_cast<std::uint16_t>(i));
    file.put(kBegin + length + i, packet);
  }
}

}  // namespace
}  // namespace whiteowl::faults

int main(int count, char** words) {
  try {
    whiteowl::faults::run(std::span{words, static_cast<std::size_t>(count)}.subspan(1));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "faults_flood: %s\n", error.what());
    return 1;
  }
  return 0;
}
