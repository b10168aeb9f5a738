// SPDX-License-Identifier: Apache-2.0
// tcp_vectors_tool [--strict] [--every N] FILE...: the TCP figures of every conversation in classic Ethernet pcap
// files, as JSON lines, for comparison with other implementations.  Its parsing is its own, so that nothing is judged
// by the probe's decoder. tcp_vectors_tool --frames FILE...: the frames that field 4 counts instead, one a line in the
// order of the file:
//   frame number (from 1) <tab> source:port-destination:port <tab> retransmit or reordered
//
// One line per conversation, incarnation of its tuple and direction; direction 0 is that of the conversation's first
// packet.  --every: after every N-th frame also the records of its conversation so far, and a new interval begins.
// Conversations stand in the order of their first packets.  Every file has a meter of its own.
#include <arpa/inet.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "whiteowl/tcp/meter.hpp"

using namespace whiteowl;

namespace {

constexpr std::array<std::string_view, 6> kStates = {"New",         "SynSent", "SynAckSeen",
                                                     "Established", "FinWait", "Closed"};
constexpr std::uint32_t kMaxConversations = 65'536;

using End = std::pair<std::string, std::uint16_t>;  // address octets, port
using Tuple = std::pair<End, End>;

std::uint32_t be(const std::uint8_t* at, unsigned size) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < size; ++i) value = (value << 8U) | at[i];
  return value;
}

// Ethernet, VLAN tags, IPv4 or IPv6 without extension headers, TCP.
std::optional<Packet> parse(const Frame& frame) {
  const std::uint8_t* data = frame.data;
  std::size_t left = frame.captured_octets;
  std::size_t at = 12;
  if (left < 14) return std::nullopt;
  std::uint32_t type = be(data + at, 2);
  while ((type == 0x8100 || type == 0x88A8) && left >= at + 6) type = be(data + (at += 4), 2);
  data += at + 2;
  left -= at + 2;
  Packet packet;
  packet.frame = &frame;
  std::size_t header = 0;
  std::uint32_t behind = 0;
  if (type == 0x0800 && left >= 20 && data[0] >> 4U == 4) {
    header = (data[0] & 15U) * 4U;
    if (header < 20 || data[9] != 6 || (be(data + 6, 2) & 0x3FFFU) != 0 || be(data + 2, 2) < header)
      return std::nullopt;
    packet.ip_version = 4;
    packet.source_address = data + 12;
    packet.destination_address = data + 16;
    packet.ip_id = static_cast<std::uint16_t>(be(data + 4, 2));
    packet.traffic_class = data[1];
    behind = be(data + 2, 2) - static_cast<std::uint32_t>(header);
  } else if (type == 0x86DD && left >= 40 && data[0] >> 4U == 6 && data[6] == 6) {
    header = 40;
    packet.ip_version = 6;
    packet.source_address = data + 8;
    packet.destination_address = data + 24;
    packet.traffic_class = static_cast<std::uint8_t>(be(data, 2) >> 4U);
    behind = be(data + 4, 2);
  } else {
    return std::nullopt;
  }
  if (left < header + sizeof(TcpHeader)) return std::nullopt;
  packet.tcp = reinterpret_cast<const TcpHeader*>(data + header);
  const std::uint32_t tcp_header = packet.tcp->header_octets();
  packet.tcp_header_captured = std::max(20U, std::min(tcp_header, static_cast<std::uint32_t>(left - header)));
  packet.payload_octets = behind > tcp_header ? behind - tcp_header : 0;
  packet.source_port = packet.tcp->source_port;
  packet.destination_port = packet.tcp->destination_port;
  packet.protocol = ip_protocol::kTcp;
  return packet;
}

End end_of(const Packet& packet, const std::uint8_t* address, std::uint16_t port) {
  return {std::string(reinterpret_cast<const char*>(address), packet.ip_version == 4 ? 4 : 16), port};
}
End source_of(const Packet& packet) { return end_of(packet, packet.source_address, packet.source_port); }
End destination_of(const Packet& packet) { return end_of(packet, packet.destination_address, packet.destination_port); }

std::string text(const End& end) {
  std::array<char, INET6_ADDRSTRLEN> address{};
  const bool v6 = end.first.size() == 16;
  inet_ntop(v6 ? AF_INET6 : AF_INET, end.first.data(), address.data(), address.size());
  return (v6 ? '[' + std::string{address.data()} + ']' : address.data()) + ':' + std::to_string(end.second);
}

struct Known {
  std::size_t number = 0;
  unsigned incarnation = 0;
  TcpConversation conversation{};
  std::array<std::uint64_t, 2> packets{};
  std::string lines;
};

// The names are those of the vectors.
template <typename Put>
void put_fields(const TcpFields& f, const Put& put) {
  put("rtt_min", f.min_rtt_us);
  put("rtt_max", f.max_rtt_us);
  put("rtt_avg", f.avg_rtt_us);
  put("retrans", f.retransmit_count);
  put("win_min", f.min_tcp_window);
  put("win_max", f.max_tcp_window);
}
template <typename Put>
void put_extended(const TcpExtendedFields& e, const Put& put) {
  put("rtt_n", e.rtt_sample_count);
  put("srtt", e.smoothed_rtt_us);
  put("rttvar", e.rtt_variation_us);
  put("hs", e.handshake_rtt_us);
  put("hs_total", e.handshake_total_us);
  put("tsmin", e.ts_min_rtt_us);
  put("retrans_octets", e.retransmit_octets);
  put("fast", e.retransmit_fast_count);
  put("timeout", e.retransmit_timeout_count);
  put("spurious", e.retransmit_spurious_count);
  put("dsack", e.dsack_count);
  put("ooo", e.out_of_order_count);
  put("dup", e.duplicate_packet_count);
  put("dupack", e.duplicate_ack_count);
  put("synretx", e.syn_retransmit_count);
  put("keepalive", e.keepalive_count);
  put("zwin", e.zero_window_count);
  put("zwin_us", e.zero_window_us);
  put("zwp", e.zero_window_probe_count);
  put("swin_min", e.min_scaled_window);
  put("swin_max", e.max_scaled_window);
  put("mss", e.tcp_mss);
  put("ws", e.tcp_window_scale);
  put("ce", e.ecn_ce_count);
  put("ece", e.ecn_ece_count);
  put("cwr", e.ecn_cwr_count);
  put("art_n", e.response_count);
  put("art_sum", e.response_sum_us);
  put("art_max", e.response_max_us);
  put("missed", e.unseen_octets);
  put("unique", e.unique_octets);
  put("flight_max", e.max_in_flight_octets);
  put("quality", e.quality);
  put("options", e.tcp_options);
}

class Run {
 public:
  Run(std::string name, const TcpSettings& settings) : name_{std::move(name)}, meter_{settings, 1, kMaxConversations} {}

  void feed(const Packet& packet) {
    const Place place = find(packet);
    Known& known = *place.known;
    if (meter_.observe(known.conversation, place.direction, packet, place.hash) == TcpVerdict::restart) {
      print(known, packet.frame->time);
      ++known.incarnation;
      meter_.restart(known.conversation, place.direction, packet, place.hash);
    }
    ++known.packets[place.direction];
  }
  // One line if field 4 counts the packet.
  void feed_frame(const Packet& packet, std::size_t frame_number) {
    const Place place = find(packet);
    TcpConversation& conversation = place.known->conversation;
    if (meter_.observe(conversation, place.direction, packet, place.hash) == TcpVerdict::restart)
      meter_.restart(conversation, place.direction, packet, place.hash);
    TcpFields fields;
    TcpExtendedFields extended;
    meter_.take(conversation, place.direction, packet.frame->time, fields, extended);
    if (fields.retransmit_count == 0) return;
    std::printf("%zu\t%s-%s\t%s\n", frame_number, text(source_of(packet)).c_str(), text(destination_of(packet)).c_str(),
                extended.out_of_order_count != 0 ? "reordered" : "retransmit");
  }
  // The records so far, as an active timeout would make them.
  void snapshot(const Packet& packet) { print(*find(packet).known, packet.frame->time); }
  void finish(Timestamp cut) {
    std::vector<const Known*> order(known_.size());
    for (auto& [tuple, known] : known_) {
      print(known, cut);
      order[known.number] = &known;
    }
    for (const Known* known : order) std::fputs(known->lines.c_str(), stdout);
  }

 private:
  struct Place {
    Known* known;
    unsigned direction;
    std::uint64_t hash;
  };
  Place find(const Packet& packet) {
    const End from = source_of(packet), to = destination_of(packet);
    const bool back = known_.find({to, from}) != known_.end();
    const Tuple tuple = back ? Tuple{to, from} : Tuple{from, to};
    auto [entry, is_new] = known_.try_emplace(tuple);
    Known& known = entry->second;
    if (is_new) {
      known.number = known_.size() - 1;
      known.conversation.place = static_cast<std::uint32_t>(known_.size());
    }
    const std::uint64_t hash = std::hash<std::string>{}(tuple.first.first + tuple.second.first) * 31 +
                               (std::uint64_t{tuple.first.second} << 16U) + tuple.second.second;
    return {&known, back ? 1U : 0U, hash};
  }
  void print(Known& known, Timestamp cut) {
    for (unsigned d = 0; d < 2; ++d) {
      TcpFields f;
      TcpExtendedFields e;
      meter_.take(known.conversation, d, cut, f, e);
      known.lines += R"({"file":")" + name_ + '"';
      const auto put = [&known](const char* name, std::uint64_t value) {
        known.lines += std::string{",\""} + name + "\":" + std::to_string(value);
      };
      put("conversation", known.number);
      put("incarnation", known.incarnation);
      put("direction", d);
      put("packets", known.packets[d]);
      put_fields(f, put);
      put_extended(e, put);
      known.lines +=
          R"(,"state":")" + std::string{kStates[static_cast<std::size_t>(known.conversation.state)]} + "\"}\n";
    }
    known.packets = {};
  }

  std::string name_;
  TcpMeter meter_;
  std::map<Tuple, Known> known_;
};

struct Options {
  TcpSettings settings;
  bool list_frames = false;
  std::size_t every = 0;
};

// Classic pcap in little-endian order, micro- or nanoseconds, link type Ethernet.
bool read_file(const char* path, const Options& options) {
  std::ifstream file{path, std::ios::binary};
  const std::vector<char> bytes{std::istreambuf_iterator<char>{file}, {}};
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const auto le = [&](std::size_t at) { return from_network(be(data + at, 4)); };
  if (bytes.size() < 24 || (le(0) != 0xA1B2C3D4 && le(0) != 0xA1B23C4D) || (le(20) != 1 && le(20) != 101)) {
    std::fprintf(stderr, "%s: not a little-endian pcap file of Ethernet or raw IP frames\n", path);
    return false;
  }
  const std::int64_t unit = le(0) == 0xA1B2C3D4 ? 1000 : 1;
  const bool raw = le(20) == 101;
  Run run{std::string{path}.substr(std::string_view{path}.rfind('/') + 1), options.settings};
  std::vector<std::uint8_t> wrapped;
  std::size_t frame_number = 0;
  Timestamp newest{};
  for (std::size_t at = 24; at + 16 <= bytes.size();) {
    ++frame_number;
    Frame frame;
    frame.captured_octets = le(at + 8);
    frame.wire_octets = le(at + 12);
    frame.time = Timestamp{std::chrono::seconds{le(at)} + std::chrono::nanoseconds{le(at + 4) * unit}};
    if (frame.captured_octets > bytes.size() - at - 16) break;
    frame.data = data + at + 16;
    at += 16 + frame.captured_octets;
    if (raw && frame.captured_octets > 0) {  // an Ethernet header in front lets one parser do
      wrapped.assign(14, 0);
      const bool v6 = frame.data[0] >> 4U == 6;
      wrapped[12] = v6 ? 0x86 : 0x08;
      wrapped[13] = v6 ? 0xDD : 0x00;
      wrapped.insert(wrapped.end(), frame.data, frame.data + frame.captured_octets);
      frame.data = wrapped.data();
      frame.captured_octets += 14;
    }
    const auto packet = parse(frame);
    if (!packet) continue;
    newest = frame.time;
    if (options.list_frames) {
      run.feed_frame(*packet, frame_number);
      continue;
    }
    run.feed(*packet);
    if (options.every != 0 && frame_number % options.every == 0) run.snapshot(*packet);
  }
  if (!options.list_frames) run.finish(newest);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.settings.extended = true;
  bool good = argc > 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word{argv[i]};
    if (word == "--strict") {
      options.settings.retransmit_mode = RetransmitMode::strict;
    } else if (word == "--frames") {
      options.list_frames = true;
    } else if (word == "--every" && i + 1 < argc) {
      options.every = std::strtoul(argv[++i], nullptr, 10);
    } else {
      good = read_file(argv[i], options) && good;
    }
  }
  return good ? 0 : 1;
}
