// SPDX-License-Identifier: Apache-2.0
// Writes capture files to measure with.  A file is a pure function of its kind, numbers and seed.
//   few       UDP, 1,000 flows, the flow of each packet by chance
//   many      the same with 1,000,000 flows
//   tcp       200,000 whole connections: handshake, requests and answers, an ACK for every second segment, timestamps,
//             1 % of the data sent again, FIN.  Round trips are constant on either side of the tap, every sample exact
//   imix      7:4:1 short, middle and long frames, 70 % IPv4, UDP, TCP and ICMP, both directions of 100,000 pairs
//   synflood  SYNs, each from a new source
// Prints what is in the file as a line of JSON: packets, octets, conversations, and the records that a meter must make
// of it which never ends a flow early.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "frame.hpp"

namespace whiteowl::bench {
namespace {

constexpr std::uint64_t kBeginUs = 1'700'000'000'000'000;  // November 2023

struct Numbers {
  std::uint64_t packets = 0, flows = 0, seed = 1;
  std::uint64_t stop = UINT64_MAX;  // write so many packets of the file, and no more
  std::uint32_t snap = BuiltFrame::kKept;
  std::string truth;
};

// Chance that is the same with every library: the engine's output is standardised, the distributions' is not.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_{seed} {}
  [[nodiscard]] std::uint32_t below(std::uint64_t limit) {
    return static_cast<std::uint32_t>(((engine_() >> 32U) * limit) >> 32U);
  }
  [[nodiscard]] std::uint32_t bits() { return static_cast<std::uint32_t>(engine_() >> 32U); }

 private:
  std::mt19937_64 engine_;
};

// A pcap file, microseconds, order of the machine.
class CaptureWriter {
 public:
  CaptureWriter(const std::string& path, const Numbers& numbers)
      : file_{path, std::ios::binary}, snap_{numbers.snap}, stop_{numbers.stop} {
    if (!file_) throw std::runtime_error{path + ": cannot be written"};
    buffer_.reserve(kBuffer + 4096);
    for (const std::uint32_t word : {0xA1B2C3D4U, 4U << 16U | 2U, 0U, 0U, snap_, 1U}) put(&word, sizeof(word));
  }

  void put(std::uint64_t at_us, const BuiltFrame& frame) {
    const std::uint64_t stamp = kBeginUs + at_us;
    const std::uint32_t wire = frame.wire_octets();
    const std::uint32_t kept = std::min({wire, snap_, BuiltFrame::kKept});
    const std::uint32_t header[4] = {static_cast<std::uint32_t>(stamp / 1'000'000),
                                     static_cast<std::uint32_t>(stamp % 1'000'000), kept, wire};
    put(header, sizeof(header));
    put(frame.data(), kept);
    ++packets_;
    ip_octets_ += frame.ip_octets();
    wire_octets_ += wire;
  }
  void finish() {
    flush();
    file_.close();
    if (!file_) throw std::runtime_error{"the capture file could not be written: no room?"};
  }
  [[nodiscard]] bool full() const noexcept { return packets_ >= stop_; }
  [[nodiscard]] std::uint64_t packets() const noexcept { return packets_; }
  [[nodiscard]] std::uint64_t ip_octets() const noexcept { return ip_octets_; }
  [[nodiscard]] std::uint64_t wire_octets() const noexcept { return wire_octets_; }

 private:
  static constexpr std::size_t kBuffer = std::size_t{1} << 20U;

  void put(const void* from, std::size_t octets) {
    const char* begin = static_cast<const char*>(from);
    buffer_.insert(buffer_.end(), begin, begin + octets);
    if (buffer_.size() >= kBuffer) flush();
  }
  void flush() {
    file_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    buffer_.clear();
  }

  std::ofstream file_;
  std::vector<char> buffer_;
  std::uint32_t snap_;
  std::uint64_t stop_, packets_ = 0, ip_octets_ = 0, wire_octets_ = 0;
};

// Which directions of which conversations occurred: each becomes one record.
class Seen {
 public:
  explicit Seen(std::uint64_t flows) : seen_(flows) {}
  void note(std::uint64_t flow, unsigned direction) { seen_[flow] |= static_cast<std::uint8_t>(1U << direction); }
  [[nodiscard]] std::uint64_t conversations() const {
    return static_cast<std::uint64_t>(seen_.size()) -
           static_cast<std::uint64_t>(std::count(seen_.begin(), seen_.end(), 0));
  }
  [[nodiscard]] std::uint64_t records() const {
    return conversations() + static_cast<std::uint64_t>(std::count(seen_.begin(), seen_.end(), 3));
  }

 private:
  std::vector<std::uint8_t> seen_;
};

struct Facts {
  std::uint64_t conversations = 0, records = 0;
};

Facts of(const Seen& seen) { return {seen.conversations(), seen.records()}; }

// ---- few, many

Facts write_udp(CaptureWriter& out, const Numbers& numbers) {
  Dice dice{numbers.seed};
  Seen seen{numbers.flows};
  BuiltFrame frame;
  for (std::uint64_t i = 0; i < numbers.packets && !out.full(); ++i) {
    const std::uint64_t flow = dice.below(numbers.flows);
    const std::uint64_t bits = scatter(flow + 1);
    const Endpoints ends{false, 0x0A000000U + flow, 0xAC100000U | (bits & 0xFFFFU),
                         static_cast<std::uint16_t>(2000 + (bits >> 20U) % 50'000),
                         static_cast<std::uint16_t>((bits >> 63U) != 0 ? 443 : 53)};
    frame.udp(ends, static_cast<std::uint16_t>(i), 18);
    seen.note(flow, 0);
    out.put(i, frame);
  }
  return of(seen);
}

// ---- synflood

Facts write_synflood(CaptureWriter& out, const Numbers& numbers) {
  Dice dice{numbers.seed};
  BuiltFrame frame;
  std::uint64_t i = 0;
  for (; i < numbers.packets && !out.full(); ++i) {
    // An odd factor permutes the 27 bits: no address comes twice.
    const std::uint64_t source = 0x0B000000U + ((i * 0x5A1E5EEDU) & 0x7FFFFFFU);
    const Endpoints ends{false, source, 0xC6336401U, static_cast<std::uint16_t>(1024 + dice.below(60'000)), 80};
    TcpPart part;
    part.seq = dice.bits();
    part.ts_value = static_cast<std::uint32_t>(i / 1000);
    part.flags = kSyn;
    frame.tcp(ends, static_cast<std::uint16_t>(part.seq), part, 0);
    out.put(i, frame);
  }
  return {i, i};
}

// ---- imix

struct Pair {  // an imix conversation, from its number
  Endpoints ends;
  std::uint8_t protocol = 0;
};

Pair imix_pair(std::uint64_t flow) {
  const std::uint64_t bits = scatter(flow + 77);
  const std::uint64_t dice = bits % 10;
  Pair pair;
  pair.protocol = dice < 5 ? kUdp : dice < 9 ? kTcp : kIcmp;
  pair.ends.v6 = (bits >> 32U) % 10 < 3;
  pair.ends.source = pair.ends.v6 ? 0x100000000U + flow : 0x0A000000U + flow;
  pair.ends.destination =
      pair.ends.v6 ? 0x200000000U + ((bits >> 8U) & 0xFFFFU) : 0xAC100000U | ((bits >> 8U) & 0xFFFFU);
  pair.ends.source_port = static_cast<std::uint16_t>(2000 + (bits >> 24U) % 50'000);
  pair.ends.destination_port = (bits >> 62U) == 0 ? 53 : 443;
  return pair;
}

Facts write_imix(CaptureWriter& out, const Numbers& numbers) {
  constexpr std::array<std::uint32_t, 12> kSizes{60, 60, 60, 60, 60, 60, 60, 590, 590, 590, 590, 1514};
  Dice dice{numbers.seed};
  Seen seen{numbers.flows};
  std::vector<std::uint32_t> next(numbers.flows * 2);  // sequence number of each direction
  BuiltFrame frame;
  for (std::uint64_t i = 0; i < numbers.packets && !out.full(); ++i) {
    const std::uint64_t flow = dice.below(numbers.flows);
    const unsigned back = dice.below(2);
    const Pair pair = imix_pair(flow);
    const Endpoints ends = back != 0 ? pair.ends.reversed() : pair.ends;
    const std::uint32_t overhead = BuiltFrame::overhead(ends.v6, pair.protocol);
    const std::uint32_t payload = std::max(kSizes[dice.below(kSizes.size())], overhead) - overhead;
    const auto ip_id = static_cast<std::uint16_t>(i);
    if (pair.protocol == kUdp) {
      frame.udp(ends, ip_id, payload);
    } else if (pair.protocol == kTcp) {
      const auto ms = static_cast<std::uint32_t>(i / 1000);
      TcpPart part{next[flow * 2 + back], next[flow * 2 + 1 - back], ms + 1, ms};
      part.flags = kAck;
      next[flow * 2 + back] += payload;
      frame.tcp(ends, ip_id, part, payload);
    } else {
      frame.echo(ends, ip_id, back != 0, static_cast<std::uint16_t>(flow), static_cast<std::uint16_t>(i), payload);
    }
    seen.note(flow, back);
    out.put(i, frame);
  }
  return of(seen);
}

// ---- tcp

struct Segment {
  std::uint64_t at_us;
  std::uint32_t connection, order;  // order of sending: packets of one microsecond keep it
  std::uint32_t seq, ack, ts_value, ts_echo;
  std::uint16_t payload, ip_id;
  std::uint8_t flags, from_server;
};

struct Truth {  // [0]: client to server, [1]: back
  std::array<std::uint32_t, 2> packets{}, payload{}, retransmits{};
  std::array<std::uint32_t, 2> round_trip_us{};  // between the tap and the server [0], the client [1]
};

constexpr unsigned kClient = 0, kServer = 1;

// Two hosts and the tap between them.  Times are those at the tap.  What a host sends in answer passes the tap one
// round trip of its side after what it answers; TCP timestamps follow RFC 7323 4.3, repeats follow RFC 6298 and 5681.
class Connection {
 public:
  Connection(std::uint32_t number, std::uint64_t begin_us, Dice& dice, std::vector<Segment>& out)
      : number_{number}, now_{begin_us}, dice_{dice}, out_{out} {
    truth_.round_trip_us = {2 * (200 + dice_.below(30'000)), 2 * (200 + dice_.below(15'000))};
    for (auto& host : hosts_) {
      host.next = dice_.bits();
      host.ts_base = dice_.bits() >> 2U | 1U;
      host.ip_id = static_cast<std::uint16_t>(dice_.bits());
    }
  }

  Truth run(std::uint32_t packets) {
    send(kClient, kSyn, 0);
    answer(kServer, kSyn | kAck, 0);
    answer(kClient, kAck, 0);
    while (truth_.packets[0] + truth_.packets[1] + 3 < packets) exchange();
    now_ += 100 + dice_.below(5000);
    send(kClient, kFin | kAck, 0);
    answer(kServer, kFin | kAck, 0);
    answer(kClient, kAck, 0);
    return truth_;
  }

 private:
  struct Host {
    std::uint32_t next = 0;                        // to send
    std::uint32_t expected = 0, acknowledged = 0;  // of the other: next in order, and what the last ACK said
    std::uint32_t highest = 0;                     // of the other: end of what arrived out of order
    std::uint32_t ts_base = 0, ts_recent = 0;
    std::uint16_t ip_id = 0;
  };

  // Passes the tap now_.  `resend` repeats from that sequence number.
  void send(unsigned from, std::uint8_t flags, std::uint32_t payload, bool lost = false,
            const std::uint32_t* resend = nullptr) {
    Host& host = hosts_[from];
    if (++host.ip_id == 0) ++host.ip_id;
    Segment segment{};
    segment.at_us = now_;
    segment.connection = number_;
    segment.order = static_cast<std::uint32_t>(out_.size());
    segment.seq = resend != nullptr ? *resend : host.next;
    segment.ack = (flags & kAck) != 0 ? host.expected : 0;
    segment.ts_value = host.ts_base + static_cast<std::uint32_t>((now_ - truth_.round_trip_us[1 - from] / 2) / 1000);
    segment.ts_echo = (flags & kAck) != 0 ? host.ts_recent : 0;
    segment.payload = static_cast<std::uint16_t>(payload);
    segment.ip_id = host.ip_id;
    segment.flags = flags;
    segment.from_server = static_cast<std::uint8_t>(from);
    out_.push_back(segment);
    host.acknowledged = segment.ack;
    ++truth_.packets[from];
    truth_.payload[from] += payload;
    if (resend != nullptr) ++truth_.retransmits[from];
    const std::uint32_t length = payload + ((flags & (kSyn | kFin)) != 0 ? 1U : 0U);
    if (resend == nullptr) host.next += length;
    if (!lost && !hold_arrivals_) arrive(1 - from, segment, length);
  }
  void answer(unsigned from, std::uint8_t flags, std::uint32_t payload) {
    now_ += truth_.round_trip_us[1 - from];
    send(from, flags, payload);
  }
  void arrive(unsigned at, const Segment& segment, std::uint32_t length) {
    Host& host = hosts_[at];
    if ((segment.flags & kSyn) != 0) host.expected = host.acknowledged = host.highest = segment.seq;
    // RFC 7323 4.3: the stamp of the segment that the last ACK asked for is the one to echo.
    if (static_cast<std::int32_t>(segment.seq - host.acknowledged) <= 0) host.ts_recent = segment.ts_value;
    const std::uint32_t end = segment.seq + length;
    if (static_cast<std::int32_t>(end - host.highest) > 0) host.highest = end;
    if (segment.seq == host.expected) host.expected = in_order_ ? end : host.highest;
  }

  // A request, an answer of some segments in bursts of four at most.
  void exchange() {
    now_ += 50 + dice_.below(2000);
    const std::uint32_t request = 60 + dice_.below(600);
    const bool lost = chance(100);
    const std::uint32_t seq = hosts_[kClient].next;
    send(kClient, kAck | kPush, request, lost);
    if (lost) {  // behind the tap: the client waits for its timer
      now_ += round_trip() + 200'000;
      send(kClient, kAck | kPush, request, false, &seq);
    }
    now_ += truth_.round_trip_us[0];
    if (chance(3)) {  // the server has to think, and says that it got the request
      send(kServer, kAck, 0);
      now_ += 40'000 + dice_.below(20'000);
    }
    for (std::uint32_t left = 1 + dice_.below(12); left > 0;) {
      const std::uint32_t segments = std::min(left, 4U);
      burst(segments, left == segments);
      left -= segments;
      if (left > 0) now_ += truth_.round_trip_us[0];
    }
  }

  // Segments 12 us apart, the client's ACKs one round trip after every second and after the last.  One may be lost
  // behind the tap: one in front of which nothing waits for its ACK, so that no ACK is late.
  void burst(std::uint32_t segments, bool last_burst) {
    const std::uint64_t begin = now_;
    std::uint32_t lost = segments;
    for (std::uint32_t i = 0; i < segments && lost == segments; i += 2) {
      if (chance(60)) lost = i;
    }
    in_order_ = lost == segments;
    std::uint32_t lost_seq = 0, lost_payload = 0, duplicates = 0;
    acks_.clear();
    for (std::uint32_t i = 0; i < segments; ++i) {
      const bool last = last_burst && i + 1 == segments;
      const std::uint32_t payload = last ? 40 + dice_.below(1400) : 1448;
      if (i == lost) {
        lost_seq = hosts_[kServer].next;
        lost_payload = payload;
      }
      now_ = begin + std::uint64_t{i} * 12;
      send(kServer, last ? kAck | kPush : kAck, payload, i == lost);
      if (i == lost) continue;
      const bool behind_hole = i > lost;
      if (behind_hole) ++duplicates;
      if (behind_hole || i % 2 == 1 || i + 1 == segments) acknowledge();
    }
    deliver_acks();
    if (lost == segments) return;
    // Three duplicates tell the server (RFC 5681 3.2), otherwise its timer does (RFC 6298).
    const bool fast = duplicates >= 3;
    now_ = fast ? acks_.back().at_us + truth_.round_trip_us[0] : begin + round_trip() + 200'000;
    acks_.clear();
    send(kServer, kAck, lost_payload, false, &lost_seq);
    in_order_ = true;
    acknowledge();
    deliver_acks();
  }
  // The client's ACK of what it has now; it reaches the server when the burst is over.
  void acknowledge() {
    const std::uint64_t sent = now_;
    now_ += truth_.round_trip_us[1];
    hold_arrivals_ = true;
    send(kClient, kAck, 0);
    hold_arrivals_ = false;
    acks_.push_back(out_.back());
    now_ = sent;
  }
  void deliver_acks() {
    for (const Segment& ack : acks_) arrive(kServer, ack, 0);
    if (!acks_.empty()) now_ = acks_.back().at_us;
  }

  [[nodiscard]] bool chance(std::uint32_t one_in) { return dice_.below(one_in) == 0; }
  [[nodiscard]] std::uint64_t round_trip() const { return truth_.round_trip_us[0] + truth_.round_trip_us[1]; }

  std::uint32_t number_;
  std::uint64_t now_;
  Dice& dice_;
  std::vector<Segment>& out_;
  std::array<Host, 2> hosts_{};
  std::vector<Segment> acks_;
  Truth truth_;
  bool in_order_ = true;
  bool hold_arrivals_ = false;
};

Endpoints tcp_ends(std::uint32_t connection) {
  const std::uint64_t bits = scatter(connection + 3);
  return {false, 0x0A000000U + connection, 0xC6120000U | (bits & 0x3FFU),
          static_cast<std::uint16_t>(2000 + (bits >> 16U) % 50'000),
          static_cast<std::uint16_t>((bits >> 63U) != 0 ? 443 : 80)};
}

std::string dotted(std::uint64_t address) {
  return std::to_string(address >> 24U) + '.' + std::to_string(address >> 16U & 255U) + '.' +
         std::to_string(address >> 8U & 255U) + '.' + std::to_string(address & 255U);
}

void write_truth(const std::string& path, const std::vector<Truth>& truths) {
  std::ofstream file{path};
  file << "client,server,client_port,server_port,packets,packets_back,payload,payload_back,retransmits,"
          "retransmits_back,rtt_server_us,rtt_client_us\n";
  for (std::uint32_t i = 0; i < truths.size(); ++i) {
    const Truth& t = truths[i];
    const Endpoints ends = tcp_ends(i);
    file << dotted(ends.source) << ',' << dotted(ends.destination) << ',' << ends.source_port << ','
         << ends.destination_port << ',' << t.packets[0] << ',' << t.packets[1] << ',' << t.payload[0] << ','
         << t.payload[1] << ',' << t.retransmits[0] << ',' << t.retransmits[1] << ',' << t.round_trip_us[0] << ','
         << t.round_trip_us[1] << '\n';
  }
  file.close();
  if (!file) throw std::runtime_error{path + ": cannot be written"};
}

Facts write_tcp(CaptureWriter& out, const Numbers& numbers) {
  Dice dice{numbers.seed};
  std::vector<Segment> segments;
  segments.reserve(numbers.packets + numbers.packets / 4);
  std::vector<Truth> truths;
  const std::uint64_t each = numbers.packets / numbers.flows;
  // Connections begin so fast that 100,000 packets pass in a second.
  for (std::uint32_t i = 0; i < numbers.flows; ++i) {
    const std::uint64_t begin = std::uint64_t{dice.bits()} * (numbers.packets * 10) >> 32U;
    const auto packets = static_cast<std::uint32_t>(each * 4 / 10 + dice.below(each * 8 / 10));
    truths.push_back(Connection{i, begin + 1'000'000, dice, segments}.run(packets));
  }
  std::sort(segments.begin(), segments.end(), [](const Segment& a, const Segment& b) {
    return a.at_us != b.at_us ? a.at_us < b.at_us : a.order < b.order;
  });
  Seen seen{numbers.flows};
  BuiltFrame frame;
  for (const Segment& segment : segments) {
    if (out.full()) break;
    Endpoints ends = tcp_ends(segment.connection);
    if (segment.from_server != 0) ends = ends.reversed();
    TcpPart part{segment.seq, segment.ack, segment.ts_value, segment.ts_echo};
    part.flags = segment.flags;
    frame.tcp(ends, segment.ip_id, part, segment.payload);
    seen.note(segment.connection, segment.from_server);
    out.put(segment.at_us, frame);
  }
  if (!numbers.truth.empty()) write_truth(numbers.truth, truths);
  return of(seen);
}

// ---- command line

struct Kind {
  std::string_view name;
  std::uint64_t packets, flows;
  Facts (*write)(CaptureWriter&, const Numbers&);
};
constexpr std::array kKinds{
    Kind{"few", 10'000'000, 1000, write_udp},       Kind{"many", 10'000'000, 1'000'000, write_udp},
    Kind{"tcp", 6'000'000, 200'000, write_tcp},     Kind{"imix", 5'000'000, 100'000, write_imix},
    Kind{"synflood", 5'000'000, 0, write_synflood},
};

Numbers numbers_of(const Kind& kind, const std::vector<std::string>& words) {
  Numbers numbers;
  numbers.packets = kind.packets;
  numbers.flows = kind.flows;
  for (std::size_t i = 2; i < words.size(); i += 2) {
    if (i + 1 == words.size()) throw std::invalid_argument{words[i] + " needs a value"};
    const std::string& value = words[i + 1];
    if (words[i] == "--packets")
      numbers.packets = std::stoull(value);
    else if (words[i] == "--flows")
      numbers.flows = std::stoull(value);
    else if (words[i] == "--seed")
      numbers.seed = std::stoull(value);
    else if (words[i] == "--stop")
      numbers.stop = std::stoull(value);
    else if (words[i] == "--snap")
      numbers.snap = static_cast<std::uint32_t>(std::stoul(value));
    else if (words[i] == "--truth")
      numbers.truth = value;
    else
      throw std::invalid_argument{"no such option: " + words[i]};
  }
  if (kind.flows != 0 && (numbers.flows == 0 || numbers.flows > 0xFFFFFF))
    throw std::invalid_argument{"--flows: 1 to 16777215"};
  if (kind.name == "tcp" && numbers.packets < numbers.flows * 10)
    throw std::invalid_argument{"tcp needs ten packets a connection at least"};
  return numbers;
}

void run(const std::vector<std::string>& words) {
  if (words.size() < 2) throw std::invalid_argument{"KIND FILE [--packets N] [--flows N] [--seed N] [--stop N] ..."};
  const auto* kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& one) { return one.name == words[0]; });
  if (kind == kKinds.end()) throw std::invalid_argument{"no such workload: " + words[0]};
  const Numbers numbers = numbers_of(*kind, words);
  CaptureWriter out{words[1], numbers};
  const Facts facts = kind->write(out, numbers);
  out.finish();
  std::printf(
      "{\"packets\": %llu, \"ip_octets\": %llu, \"wire_octets\": %llu, \"conversations\": %llu, "
      "\"records\": %llu}\n",
      static_cast<unsigned long long>(out.packets()), static_cast<unsigned long long>(out.ip_octets()),
      static_cast<unsigned long long>(out.wire_octets()), static_cast<unsigned long long>(facts.conversations),
      static_cast<unsigned long long>(facts.records));
}

}  // namespace
}  // namespace whiteowl::bench

int main(int count, char** words) {
  try {
    whiteowl::bench::run({words + std::min(count, 1), words + count});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_workload: %s\n", error.what());
    return 1;
  }
  return 0;
}
