// SPDX-License-Identifier: Apache-2.0
// Messages and Sets.
#include "whiteowl/ipfix/message.hpp"

#include <algorithm>

#include "whiteowl/base/wire.hpp"

namespace whiteowl {

namespace {

constexpr std::uint16_t kVersion = 10;  // RFC 7011 3.1
constexpr std::uint16_t kFirstDataSetId = 256;

std::size_t to_multiple_of_four(std::size_t octets) { return (4 - octets % 4) % 4; }

}  // namespace

MessageWriter::MessageWriter(std::uint32_t domain_id) : buffer_(kMaxOctets), domain_id_{domain_id} {}

void MessageWriter::clear(std::size_t limit) noexcept {
  limit_ = std::clamp(limit, kMinLimit, kMaxOctets);
  used_ = kHeaderOctets;
  data_records_ = template_records_ = 0;
  set_id_ = 0;
}

std::size_t MessageWriter::padding() const noexcept {
  return set_padded_ && set_id_ != 0 ? to_multiple_of_four(used_ - set_begin_) : 0;
}

std::size_t MessageWriter::end_set() noexcept {
  if (set_id_ == 0) return used_;
  const std::size_t end = used_ + padding();
  Writer header{std::span{buffer_}.subspan(set_begin_, kSetHeaderOctets)};
  header.put(set_id_);
  header.put(static_cast<std::uint16_t>(end - set_begin_));
  Writer{std::span{buffer_}.subspan(used_)}.put_zeros(end - used_);
  return end;
}

std::uint8_t* MessageWriter::add(std::uint16_t set_id, std::size_t octets, bool padded) noexcept {
  const bool opens = set_id != set_id_;
  const std::size_t begin = opens ? used_ + padding() : set_begin_;
  const std::size_t at = opens ? begin + kSetHeaderOctets : used_;
  const std::size_t end = at + octets + (padded ? to_multiple_of_four(at + octets - begin) : 0);
  if (end > limit_) return nullptr;
  if (opens) {
    end_set();
    set_id_ = set_id;
    set_begin_ = begin;
    set_padded_ = padded;
  }
  used_ = at + octets;
  if (set_id >= kFirstDataSetId)
    ++data_records_;
  else
    ++template_records_;
  return buffer_.data() + at;
}

std::span<const std::uint8_t> MessageWriter::finish(std::uint32_t sequence, std::uint32_t export_seconds) noexcept {
  const std::size_t end = end_set();
  Writer header{std::span{buffer_}.first(kHeaderOctets)};
  header.put(kVersion);
  header.put(static_cast<std::uint16_t>(end));
  header.put(export_seconds);
  header.put(sequence);
  header.put(domain_id_);
  return std::span{buffer_}.first(end);
}

}  // namespace whiteowl
