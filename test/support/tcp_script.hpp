// SPDX-License-Identifier: Apache-2.0
// A TCP conversation as text, near to what tcpdump prints, made into frames and packets.
//
//   t_ms dir seq ack payload flags window [ts=TSval/TSecr] [sack=l-r,...] [id=IP-ID] [mss=] [ws=] [sok=1] [ce=1]
//
// `>` from A (192.0.2.1:40000) to B (198.51.100.2:80), `<` back.  Numbers may be hexadecimal.  The IP identification
// rises by one a packet and direction unless given; `id==` repeats the previous packet's.  `#` begins a comment; a line
// `HS` stands for a handshake with initial sequence numbers 1000 and 5000, 20 ms to B and 10 ms to A.
// Frames are Ethernet with headers only: the payload exists in the IP length, as in a capture with a short snap length.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "whiteowl/packet/packet.hpp"

namespace whiteowl::test {

// One line of a script, in host order: the form in which tests change packets.
struct ScriptPacket {
  std::int64_t us = 0;
  unsigned direction = 0;  // 0: A to B
  std::uint32_t seq = 0, ack = 0, payload = 0;
  std::uint16_t flags = 0, window = 0, ip_id = 0;
  bool has_timestamps = false;
  std::uint32_t ts_value = 0, ts_echo = 0;
  struct Block {
    std::uint32_t left, right;
  };
  std::vector<Block> sack;
  unsigned mss = 0;
  int window_scale = -1;  // -1: absent
  bool sack_permitted = false, congestion_experienced = false;
};

inline constexpr std::string_view kScriptHandshake =
    "0  > 1000 0    0 S  64000\n"
    "20 < 5000 1001 0 SA 65000\n"
    "30 > 1001 5001 0 A  64000\n";

namespace script_detail {

inline std::uint32_t number(const std::string& text) {
  return static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 0));
}

inline std::uint16_t flags_of(const std::string& letters) {
  std::uint16_t flags = 0;
  for (const char letter : letters) {
    switch (letter) {
      case 'F':
        flags |= tcp_flag::kFin;
        break;
      case 'S':
        flags |= tcp_flag::kSyn;
        break;
      case 'R':
        flags |= tcp_flag::kRst;
        break;
      case 'P':
        flags |= tcp_flag::kPsh;
        break;
      case 'A':
        flags |= tcp_flag::kAck;
        break;
      case 'E':
        flags |= tcp_flag::kEce;
        break;
      case 'C':
        flags |= tcp_flag::kCwr;
        break;
      case '-':
        break;
      default:
        throw std::invalid_argument{"flag " + letters};
    }
  }
  return flags;
}

inline void read_key(ScriptPacket& packet, const std::string& word, std::uint16_t previous_id) {
  const auto equals = word.find('=');
  const std::string key = word.substr(0, equals), value = equals == std::string::npos ? "" : word.substr(equals + 1);
  if (key == "ts") {
    const auto slash = value.find('/');
    packet.has_timestamps = true;
    packet.ts_value = number(value.substr(0, slash));
    packet.ts_echo = number(value.substr(slash + 1));
  } else if (key == "sack") {
    std::istringstream blocks{value};
    for (std::string block; std::getline(blocks, block, ',');) {
      const auto dash = block.find('-');
      packet.sack.push_back({number(block.substr(0, dash)), number(block.substr(dash + 1))});
    }
  } else if (key == "id") {
    packet.ip_id = value == "=" ? previous_id : static_cast<std::uint16_t>(number(value));
  } else if (key == "mss") {
    packet.mss = number(value);
  } else if (key == "ws") {
    packet.window_scale = static_cast<int>(number(value));
  } else if (key == "sok") {
    packet.sack_permitted = true;
  } else if (key == "ce") {
    packet.congestion_experienced = true;
  } else {
    throw std::invalid_argument{"key " + word};
  }
}

inline void put(std::vector<std::uint8_t>& octets, std::uint64_t value, unsigned size) {
  for (unsigned i = size; i-- > 0;) octets.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

inline std::vector<std::uint8_t> options_of(const ScriptPacket& packet) {
  std::vector<std::uint8_t> o;
  if (packet.mss != 0) put(o, 0x02040000U | packet.mss, 4);
  if (packet.window_scale >= 0) put(o, 0x01030300U | static_cast<unsigned>(packet.window_scale), 4);
  if (packet.sack_permitted) put(o, 0x01010402, 4);
  if (packet.has_timestamps) {
    put(o, 0x0101080A, 4);
    put(o, packet.ts_value, 4);
    put(o, packet.ts_echo, 4);
  }
  if (!packet.sack.empty()) {
    put(o, 0x01010500U | static_cast<unsigned>(2 + 8 * packet.sack.size()), 4);
    for (const auto& block : packet.sack) {
      put(o, block.left, 4);
      put(o, block.right, 4);
    }
  }
  return o;
}

}  // namespace script_detail

// Throws std::invalid_argument for a line that it does not understand.
inline std::vector<ScriptPacket> parse_tcp_script(std::string_view text) {
  std::vector<ScriptPacket> packets;
  std::uint16_t next_id[2] = {100, 30000};
  std::istringstream lines{std::string{text}};
  for (std::string line; std::getline(lines, line);) {
    if (const auto comment = line.find('#'); comment != std::string::npos) line.resize(comment);
    std::istringstream words{line};
    std::string time, direction, seq, ack, payload, flags, window;
    if (!(words >> time)) continue;
    if (time == "HS") {
      for (ScriptPacket packet : parse_tcp_script(kScriptHandshake)) {
        packet.ip_id = ++next_id[packet.direction];
        packets.push_back(packet);
      }
      continue;
    }
    if (!(words >> direction >> seq >> ack >> payload >> flags >> window)) throw std::invalid_argument{line};
    ScriptPacket packet;
    packet.us = static_cast<std::int64_t>(std::strtod(time.c_str(), nullptr) * 1000 + 0.5);
    packet.direction = direction == ">" ? 0 : 1;
    packet.seq = script_detail::number(seq);
    packet.ack = script_detail::number(ack);
    packet.payload = script_detail::number(payload);
    packet.flags = script_detail::flags_of(flags);
    packet.window = static_cast<std::uint16_t>(script_detail::number(window));
    packet.ip_id = ++next_id[packet.direction];
    const std::uint16_t previous_id = packets.empty() ? std::uint16_t{0} : packets.back().ip_id;
    for (std::string word; words >> word;) script_detail::read_key(packet, word, previous_id);
    packets.push_back(std::move(packet));
  }
  return packets;
}

// The packet as bytes, with what decoding finds in them.  Movable: the bytes stay where they are; call packet() again
// after a move.
class ScriptFrame {
 public:
  struct Form {
    unsigned ip_version = 4;
    bool reversed = false;              // A and B change places: addresses and ports
    std::uint32_t snap_octets = 65535;  // captured octets at most
    std::uint16_t port = 40000;         // of A
    std::int64_t epoch_us = 1'700'000'000'000'000;
  };

  ScriptFrame(const ScriptPacket& line, const Form& form) : line_{line}, form_{form} {
    using script_detail::put;
    const auto options = script_detail::options_of(line);
    const auto header = static_cast<std::uint32_t>(20 + options.size());
    const bool from_a = (line.direction == 0) != form.reversed;
    const unsigned ecn = line.congestion_experienced ? 3 : 0;
    put(octets_, 0x020000000001 + (from_a ? 0U : 1U), 6);
    put(octets_, 0x020000000002 - (from_a ? 0U : 1U), 6);
    if (form.ip_version == 4) {
      put(octets_, 0x0800, 2);
      put(octets_, 0x4500 | ecn, 2);
      put(octets_, 20 + header + line.payload, 2);
      put(octets_, line.ip_id, 2);
      put(octets_, 0x4000, 2);
      put(octets_, 0x40060000, 4);
      put(octets_, from_a ? 0xC0000201 : 0xC6336402, 4);
      put(octets_, from_a ? 0xC6336402 : 0xC0000201, 4);
    } else {
      put(octets_, 0x86DD, 2);
      put(octets_, 0x60000000 | (ecn << 20U), 4);
      put(octets_, header + line.payload, 2);
      put(octets_, 0x0640, 2);
      for (const bool a : {from_a, !from_a}) {
        put(octets_, 0x20010DB800000000, 8);
        put(octets_, a ? 1 : 2, 8);
      }
    }
    tcp_at_ = octets_.size();
    put(octets_, from_a ? form.port : 80, 2);
    put(octets_, from_a ? 80 : form.port, 2);
    put(octets_, line.seq, 4);
    put(octets_, line.ack, 4);
    put(octets_, (header / 4 << 12U) | line.flags, 2);
    put(octets_, line.window, 2);
    put(octets_, 0, 4);
    octets_.insert(octets_.end(), options.begin(), options.end());
    frame_.time = Timestamp{std::chrono::microseconds{form.epoch_us + line.us}};
    frame_.wire_octets = static_cast<std::uint32_t>(octets_.size()) + line.payload;
    if (octets_.size() > form.snap_octets) octets_.resize(form.snap_octets);
    frame_.captured_octets = static_cast<std::uint32_t>(octets_.size());
  }

  [[nodiscard]] const Frame& frame() {
    frame_.data = octets_.data();
    return frame_;
  }
  // Points into this object.
  [[nodiscard]] const Packet& packet() {
    const bool v4 = form_.ip_version == 4;
    packet_ = Packet{};
    packet_.frame = &frame();
    packet_.destination_mac = octets_.data();
    packet_.source_mac = octets_.data() + 6;
    packet_.source_address = octets_.data() + (v4 ? 26 : 22);
    packet_.destination_address = packet_.source_address + (v4 ? 4 : 16);
    packet_.tcp = reinterpret_cast<const TcpHeader*>(octets_.data() + tcp_at_);
    packet_.tcp_header_captured =
        std::min(packet_.tcp->header_octets(), static_cast<std::uint32_t>(octets_.size() - tcp_at_));
    packet_.ip_octets = static_cast<std::uint32_t>(tcp_at_ - 14) + packet_.tcp->header_octets() + line_.payload;
    packet_.payload_octets = line_.payload;
    packet_.source_port = packet_.tcp->source_port.value();
    packet_.destination_port = packet_.tcp->destination_port.value();
    packet_.ip_id = v4 ? line_.ip_id : std::uint16_t{0};
    packet_.ip_version = static_cast<std::uint8_t>(form_.ip_version);
    packet_.protocol = ip_protocol::kTcp;
    packet_.traffic_class = line_.congestion_experienced ? 3 : 0;
    packet_.ttl = 64;
    return packet_;
  }

 private:
  ScriptPacket line_;
  Form form_;
  std::vector<std::uint8_t> octets_;
  std::size_t tcp_at_ = 0;
  Frame frame_;
  Packet packet_;
};

}  // namespace whiteowl::test
