// SPDX-License-Identifier: Apache-2.0
// Flows that a stranger would choose so that a hash of their addresses falls together: addresses that cancel a public
// constant, and addresses with a structure.  `spread` is what they are compared with.
//   faults_collide --families
//   faults_collide FAMILY udp|syn N --write FILE
//   faults_collide FAMILY udp|syn N --send INTERFACE RATE     one packet of each flow; then says how many
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "packets.hpp"

namespace whiteowl::faults {
namespace {

// What multiplying hashes are made with, here and elsewhere: golden ratio, xxHash, splitmix64, wyhash, pi.
constexpr std::array<std::uint64_t, 14> kConstants{
    0x9E3779B97F4A7C15U, 0xC2B2AE3D27D4EB4FU, 0x165667B19E3779F9U, 0xBF58476D1CE4E5B9U, 0x94D049BB133111EBU,
    0x243F6A8885A308D3U, 0x13198A2E03707344U, 0xA4093822299F31D0U, 0x082EFA98EC4E6C89U, 0xD6E8FEB86659FD93U,
    0xA0761D6478BD642FU, 0xE7037ED1A0B428DBU, 0x8EBC6AF09C88C6E3U, 0x589965CC75374CC3U};

using Words = std::array<std::uint64_t, 4>;  // upper and lower half of the source, the same of the destination
using Maker = std::function<Ends(std::uint32_t)>;
struct Family {
  std::string name;
  Maker make;
};

std::uint64_t big_endian(std::uint64_t value) { return __builtin_bswap64(value); }

std::uint64_t reversed_bits(std::uint64_t value) {
  std::uint64_t result = 0;
  for (int i = 0; i < 64; ++i) result |= (value >> i & 1U) << (63 - i);
  return result;
}

// 2001:db8:N::/64, as everybody has some who has a /32.
std::uint64_t upper_half(std::uint32_t number) { return big_endian(0x20010DB800000000U | number); }

Ends of_words(const Words& words) {
  return {Address::v6_of(words[0], words[1]), Address::v6_of(words[2], words[3]), 0x1234, 80};
}
Ends of_v4(std::uint32_t source, std::uint32_t destination, std::uint16_t source_port = 0x1234,
           std::uint16_t destination_port = 80) {
  return {Address::v4(source), Address::v4(destination), source_port, destination_port};
}

Ends spread(std::uint32_t i) {
  Numbers numbers{i + 1};
  return of_words({upper_half(i), numbers.next(), big_endian(0x2001'0DB8'FFFF'0000U), 0x0100000000000000U});
}

// Word `place` of the four is the constant, its neighbour counts; the other end is ordinary.  As the lower or the upper
// end, for a key may put the ends into an order.
std::vector<Family> cancelling() {
  std::vector<Family> families;
  for (const std::uint64_t constant : kConstants)
    for (const bool swapped : {false, true})
      for (std::size_t place = 0; place < 4; ++place) {
        const std::uint64_t word = swapped ? big_endian(constant) : constant;
        char name[64];
        std::snprintf(name, sizeof(name), "word%zu-%016llx", place, static_cast<unsigned long long>(word));
        families.push_back({name, [word, place](std::uint32_t i) {
                              const bool source = place < 2;
                              Words words{0, 0, ~std::uint64_t{0}, ~std::uint64_t{0}};
                              if (!source) words[0] = words[1] = big_endian(1);
                              words[place] = word;
                              words[place ^ 1U] = place % 2 == 1 ? upper_half(i) : big_endian(i);
                              return of_words(words);
                            }});
      }
  return families;
}

// A counter in one of the sixteen 16-bit words of the two addresses.
std::vector<Family> counters() {
  std::vector<Family> families;
  for (std::size_t place = 0; place < 16; ++place)
    families.push_back({"counter" + std::to_string(place), [place](std::uint32_t i) {
                          Words words{upper_half(0), big_endian(1), upper_half(1), big_endian(2)};
                          words[place / 4] ^= big_endian(std::uint64_t{i} << (48 - place % 4 * 16));
                          return of_words(words);
                        }});
  return families;
}

std::vector<Family> structured() {
  return {
      {"lower-zero",
       [](std::uint32_t i) {
         return of_words({upper_half(i), 0, ~std::uint64_t{0}, 0});
       }},
      {"lower-ones",
       [](std::uint32_t i) {
         return of_words({upper_half(i), ~std::uint64_t{0}, ~std::uint64_t{0}, ~std::uint64_t{0}});
       }},
      {"bit-reversed",
       [](std::uint32_t i) {
         return of_words({reversed_bits(i), 0, ~std::uint64_t{0}, 1});
       }},
      {"all-equal",
       [](std::uint32_t i) {
         return of_words({i, i, i, i});
       }},
      {"all-equal-big",
       [](std::uint32_t i) {
         return of_words({upper_half(i), upper_half(i), upper_half(i), upper_half(i)});
       }},
      {"both-ends-equal",
       [](std::uint32_t i) {
         Numbers numbers{i + 1};
         const std::uint64_t lower = numbers.next();
         return of_words({upper_half(i), lower, upper_half(i), lower});
       }},
      {"halves-equal",
       [](std::uint32_t i) {
         return of_words({upper_half(i), upper_half(i), 0, 0});
       }},
      {"complement",
       [](std::uint32_t i) {
         return of_words({i, i, ~std::uint64_t{i}, ~std::uint64_t{i}});
       }},
      {"negative",
       [](std::uint32_t i) {
         return of_words({i, 0, 0 - std::uint64_t{i}, 0});
       }},
      {"halves-xor",
       [](std::uint32_t i) {
         return of_words({i, i ^ kConstants[0], i, i ^ kConstants[1]});
       }},
      {"ports",
       [](std::uint32_t i) {
         Ends ends = of_words({upper_half(0), 1, upper_half(1), 1});
         ends.source_port = static_cast<std::uint16_t>(i);
         ends.destination_port = static_cast<std::uint16_t>(i >> 16U ^ i);
         return ends;
       }},
      {"v4-counter", [](std::uint32_t i) { return of_v4(0x0A000000U + i, 0xC6120001U); }},
      {"v4-stride-256", [](std::uint32_t i) { return of_v4(0x0A000000U + (i << 8U), 0xC6120001U); }},
      {"v4-stride-64k", [](std::uint32_t i) { return of_v4((i << 16U) | (i >> 16U), 0xC6120001U); }},
      {"v4-both-ends-equal", [](std::uint32_t i) { return of_v4(0x0A000000U + i, 0x0A000000U + i); }},
      {"v4-sum", [](std::uint32_t i) { return of_v4(0x0A000000U + i, 0xF5000000U - i); }},
      {"v4-ports",
       [](std::uint32_t i) {
         return of_v4(0x0A000001U, 0x0A000002U, static_cast<std::uint16_t>(i), static_cast<std::uint16_t>(~i));
       }},
  };
}

// Flows whose FNV-1a of addresses and ports, in network order and the ports as numbers, ends in a small part of the
// slots of an open table: what is not keyed can be searched for.
class FnvSearch {
 public:
  Ends operator()(std::uint32_t) {
    while (true) {
      if (port_ == 0) begin();
      Ends found = ends_;
      found.destination_port = port_++;
      const std::uint64_t mixed = step(step(before_, found.destination_port), kUdp);
      if (((mixed ^ mixed >> 29U) & (kSlots - 1)) < kSlots / 128) return found;
    }
  }

 private:
  static constexpr std::uint64_t kSlots = 32'768;

  static std::uint64_t step(std::uint64_t state, std::uint64_t value) { return (state ^ value) * 0x100000001B3U; }
  void begin() {
    ends_ = of_words({upper_half(++number_), 0, ~std::uint64_t{0}, ~std::uint64_t{0}});
    before_ = 0xCBF29CE484222325U;
    for (const std::uint8_t octet : ends_.source.octets) before_ = step(before_, octet);
    before_ = step(before_, ends_.source_port);
    for (const std::uint8_t octet : ends_.destination.octets) before_ = step(before_, octet);
    port_ = 1;
  }

  Ends ends_;
  std::uint64_t before_ = 0;
  std::uint32_t number_ = 0;
  std::uint16_t port_ = 0;
};

std::vector<Family> all() {
  std::vector<Family> families{{"spread", &spread}, {"fnv", FnvSearch{}}};
  for (auto more : {cancelling(), counters(), structured()}) families.insert(families.end(), more.begin(), more.end());
  return families;
}

void run(std::span<char* const> words) {
  std::vector<Family> families = all();
  if (words.size() == 1 && std::string{words[0]} == "--families") {
    for (const Family& family : families) std::printf("%s\n", family.name.c_str());
    return;
  }
  if (words.size() < 5) throw std::invalid_argument{"FAMILY udp|syn N --write FILE | --send INTERFACE RATE"};
  const auto family =
      std::find_if(families.begin(), families.end(), [&](const Family& one) { return one.name == words[0]; });
  if (family == families.end()) throw std::invalid_argument{std::string{"no such family: "} + words[0]};
  const bool syn = std::string{words[1]} == "syn", live = std::string{words[3]} == "--send";
  const auto count = static_cast<std::uint32_t>(std::strtoul(words[2], nullptr, 10));
  if (live && words.size() < 6) throw std::invalid_argument{"--send INTERFACE RATE"};
  const auto file = live ? nullptr : std::make_unique<CaptureFile>(words[4]);
  const auto wire = live ? std::make_unique<Wire>(words[4], std::strtod(words[5], nullptr)) : nullptr;
  Packet packet;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Ends ends = family->make(i);
    if (syn)
      packet.tcp(ends, static_cast<std::uint16_t>(i), {.seq = i, .ack = 0, .payload = 0, .flags = kSyn});
    else
      packet.udp(ends, static_cast<std::uint16_t>(i));
    if (file) file->put(1'700'000'000'000'000U + i, packet);
    if (wire) wire->put(packet);
  }
  if (wire) std::printf("%llu\n", static_cast<unsigned long long>(wire->sent()));
}

}  // namespace
}  // namespace whiteowl::faults

int main(int count, char** words) {
  try {
    whiteowl::faults::run(std::span{words, static_cast<std::size_t>(count)}.subspan(1));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "faults_collide: %s\n", error.what());
    return 1;
  }
  return 0;
}
