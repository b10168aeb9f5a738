// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/text.hpp"

#include <cstddef>
#include <cstdint>

namespace whiteowl {

namespace {

std::uint8_t octet_at(std::string_view text, std::size_t at) noexcept { return static_cast<std::uint8_t>(text[at]); }

// Octets of the well-formed character that begins the text, which is not empty (Unicode, table 3-7); 0 if none does.
std::size_t character_octets(std::string_view text) noexcept {
  const std::uint8_t first = octet_at(text, 0);
  if (first < 0x80) return 1;
  const std::size_t octets = first >= 0xC2 && first <= 0xDF ? 2 : first >= 0xE0 && first <= 0xEF ? 3 : 4;
  if (first < 0xC2 || first > 0xF4 || text.size() < octets) return 0;
  // No longer form than needed, no surrogates, nothing above U+10FFFF.
  const std::uint8_t lowest = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t highest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (octet_at(text, 1) < lowest || octet_at(text, 1) > highest) return 0;
  for (std::size_t i = 2; i < octets; ++i) {
    if ((octet_at(text, i) & 0xC0U) != 0x80) return 0;
  }
  return octets;
}

// Both sets: terminals obey C1 (U+0080 to U+009F) too.
bool is_control(std::string_view character) noexcept {
  const std::uint8_t first = octet_at(character, 0);
  return first < 0x20 || first == 0x7F || (first == 0xC2 && octet_at(character, 1) < 0xA0);
}

void append_escaped(std::string& text, std::uint8_t octet) {
  constexpr std::string_view kHex = "0123456789abcdef";
  text += "\\x";
  text += kHex[octet >> 4U];
  text += kHex[octet & 0xFU];
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t octets = character_octets(text);
    const std::string_view character = text.substr(0, octets == 0 ? 1 : octets);
    text.remove_prefix(character.size());
    if (character == "\n") {
      result += "\\n";
    } else if (character == "\t") {
      result += "\\t";
    } else if (octets == 0 || is_control(character)) {
      for (const char octet : character) append_escaped(result, static_cast<std::uint8_t>(octet));
    } else {
      result += character;
    }
  }
  return result;
}

}  // namespace whiteowl
