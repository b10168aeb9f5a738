// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/text.hpp"

namespace whiteowl {

std::string one_line(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (octet < 0x20 || octet == 0x7f) {
      result += "\\x";
      result += kHex[octet >> 4U];
      result += kHex[octet & 0xFU];
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace whiteowl
