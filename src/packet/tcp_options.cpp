// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/packet/tcp_options.hpp"

#include <algorithm>

namespace whiteowl {
namespace {

constexpr std::uint8_t kMaxShift = 14;  // RFC 7323 2.3: a larger one counts as this

struct Timestamps {  // RFC 7323 3.2
  be32 value, echo;
};
struct WireSackBlock {  // RFC 2018 3
  be32 left, right;
};

// What nearly every segment of an established connection has (RFC 7323 appendix A): two no-operations and timestamps.
struct UsualOptions {
  be32 start;
  Timestamps timestamps;
  static constexpr std::uint32_t kStart = 0x0101080A;
};
static_assert(WireStruct<UsualOptions> && sizeof(UsualOptions) == 12);

void read_timestamps(const Timestamps& timestamps, TcpOptions& options) noexcept {
  options.ts_value = timestamps.value;
  options.ts_echo = timestamps.echo;
  options.has_timestamps = true;
}

void read_sack(Cursor value, TcpOptions& options) noexcept {
  options.sack_count = 0;
  while (options.sack_count < options.sack.size()) {
    const auto* block = value.take<WireSackBlock>();
    if (block == nullptr) return;
    options.sack[options.sack_count++] = {block->left, block->right};
  }
}

// `value` is the option less kind and length.  An option whose length is not the one its kind must have says nothing.
void read_option(std::uint8_t kind, Cursor value, TcpOptions& options) noexcept {
  switch (kind) {
    case TcpOption::kMss:
      if (value.remaining() == sizeof(be16)) options.mss = *value.take<be16>();
      break;
    case TcpOption::kWindowScale:
      if (value.remaining() != sizeof(be8)) break;
      options.window_scale = std::min(*value.take<be8>(), kMaxShift);
      options.has_window_scale = true;
      break;
    case TcpOption::kSackPermitted:
      options.sack_permitted = true;
      break;
    case TcpOption::kSack:
      read_sack(value, options);
      break;
    case TcpOption::kTimestamps:
      if (value.remaining() == sizeof(Timestamps)) read_timestamps(*value.take<Timestamps>(), options);
      break;
    default:
      break;
  }
}

void keep_kind(std::uint8_t kind, TcpOptions& options) noexcept {
  if (kind < 64) options.kinds |= std::uint64_t{1} << kind;
}

}  // namespace

TcpOptions read_tcp_options(const Packet& packet) noexcept {
  TcpOptions options;
  Cursor cursor{reinterpret_cast<const std::uint8_t*>(packet.tcp), packet.tcp_header_captured};
  if (!cursor.skip(sizeof(TcpHeader))) return options;
  const auto* usual = cursor.peek<UsualOptions>();
  if (usual != nullptr && cursor.remaining() == sizeof(UsualOptions) && usual->start == UsualOptions::kStart) {
    keep_kind(TcpOption::kNoOperation, options);
    keep_kind(TcpOption::kTimestamps, options);
    read_timestamps(usual->timestamps, options);
    return options;
  }
  while (const auto* kind = cursor.peek<be8>()) {
    if (*kind == TcpOption::kEnd || *kind == TcpOption::kNoOperation) {
      keep_kind(*kind, options);
      if (*kind == TcpOption::kEnd || !cursor.skip(1)) break;
      continue;
    }
    const auto* option = cursor.take<TcpOption>();
    if (option == nullptr || option->length < sizeof(TcpOption)) break;
    const std::size_t value_octets = option->length - sizeof(TcpOption);
    Cursor value = cursor;
    if (!cursor.skip(value_octets)) break;
    value.limit(value_octets);
    keep_kind(option->kind, options);
    read_option(option->kind, value, options);
  }
  return options;
}

}  // namespace whiteowl
