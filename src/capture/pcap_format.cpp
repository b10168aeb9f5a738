// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/pcap_format.hpp"

#include <utility>

#include "whiteowl/base/error.hpp"
#include "whiteowl/capture/link_type.hpp"

namespace whiteowl {

namespace {

constexpr std::uint32_t kMicroseconds = 0xA1B2C3D4, kNanoseconds = 0xA1B23C4D, kKuznetzov = 0xA1B2CD34;
constexpr std::uint8_t kSentByHost = 4;  // Kuznetzov's packet type is that of packet(7)

bool is_magic(std::uint32_t value) noexcept {
  return value == kMicroseconds || value == kNanoseconds || value == kKuznetzov;
}

}  // namespace

bool PcapFormat::recognises(const std::uint8_t* magic) noexcept {
  return is_magic(ByteOrder{false}.load<std::uint32_t>(magic)) || is_magic(ByteOrder{true}.load<std::uint32_t>(magic));
}

PcapFormat::PcapFormat(const std::uint8_t* header, const std::string& name, FilterPrograms& filter,
                       const FilterPatience& patience) {
  order_.swapped = !is_magic(order_.load<std::uint32_t>(header));
  const auto magic = order_.load<std::uint32_t>(header);
  const auto major = order_.load<std::uint16_t>(header + 4);
  const auto minor = order_.load<std::uint16_t>(header + 6);
  if (major != 2)
    throw StartError{ExitStatus::failure, name + ": pcap version " + std::to_string(major) + "." +
                                              std::to_string(minor) + " is not supported, only 2.x"};
  // The upper bits say how long a frame check sequence is; IP lengths leave it out by themselves.
  const std::uint32_t number = order_.load<std::uint32_t>(header + 20) & 0xFFFFU;
  const auto link = link_type_of(number);
  if (!link) throw StartError{ExitStatus::failure, name + ": " + link_type_title(number) + " is not decoded"};
  link_ = *link;
  kuznetzov_ = magic == kKuznetzov;
  record_octets_ = kuznetzov_ ? 24 : kPlainRecordOctets;
  fraction_nanoseconds_ = magic == kNanoseconds ? 1 : 1000;
  // Version 2.3 swapped the two lengths, and some programs wrote 2.3 in either order.
  if (minor < 3) lengths_ = Lengths::wire_first;
  if (minor == 3) lengths_ = Lengths::smaller_is_captured;
  plain_ = !order_.swapped && !kuznetzov_ && lengths_ == Lengths::captured_first && link_ < LinkType::linux_sll &&
           filter.empty();
  if (!filter.empty()) filter_ = filter.for_file(number, order_.swapped, patience);
}

bool PcapFormat::in_order(std::uint32_t captured, std::uint32_t wire) const noexcept {
  if (lengths_ == Lengths::captured_first) [[likely]]
    return true;
  return lengths_ == Lengths::smaller_is_captured && captured <= wire;
}

// What nearly every file is: our byte order, captured length first, no filter, nothing in the link header to look up.
FillResult PcapFormat::fill_plain(OctetWindow& window, FrameBatch& batch, FileTally& tally) const noexcept {
  const LinkType link = link_;
  const std::uint8_t* next = window.next;
  std::size_t size = batch.size;
  FillResult result = FillResult::full();
  for (; size < FrameBatch::kCapacity; ++size) {
    const auto left = static_cast<std::size_t>(window.end - next);
    if (left < kPlainRecordOctets) {
      result = FillResult::more(kPlainRecordOctets, "a packet's header");
      break;
    }
    std::uint32_t header[4];
    std::memcpy(header, next, sizeof header);
    const std::uint32_t captured = header[2];
    if (captured > kMaxCapturedOctets) {
      result = FillResult::damaged("a packet's length is absurd");
      break;
    }
    if (left - kPlainRecordOctets < captured) {
      result = FillResult::more(kPlainRecordOctets + captured, "a packet");
      break;
    }
    Frame& frame = batch.frames[size];
    frame = Frame{};
    frame.data = next + kPlainRecordOctets;
    frame.time = time_of(header[0], header[1]);
    frame.captured_octets = captured;
    frame.wire_octets = header[3];
    frame.link = link;
    tally.count(frame);
    next += kPlainRecordOctets + captured;
  }
  window.next = next;
  batch.size = size;
  return result;
}

FillResult PcapFormat::fill(OctetWindow& window, FrameBatch& batch, FileTally& tally) const noexcept {
  if (plain_) [[likely]]
    return fill_plain(window, batch, tally);
  for (std::uint32_t looks = 0; batch.size < FrameBatch::kCapacity; ++looks) {
    if (looks == FillResult::kMostLooks) return FillResult::paused();
    if (window.size() < record_octets_) return FillResult::more(record_octets_, "a packet's header");
    const std::uint8_t* const record = window.next;
    std::uint32_t captured = order_.load<std::uint32_t>(record + 8);
    std::uint32_t wire = order_.load<std::uint32_t>(record + 12);
    if (!in_order(captured, wire)) std::swap(captured, wire);
    if (captured > kMaxCapturedOctets) return FillResult::damaged("a packet's length is absurd");
    if (window.size() - record_octets_ < captured) return FillResult::more(record_octets_ + captured, "a packet");
    window.next += record_octets_ + captured;

    Frame& frame = batch.frames[batch.size];
    frame = Frame{};
    frame.data = record + record_octets_;
    frame.time = time_of(order_.load<std::uint32_t>(record), order_.load<std::uint32_t>(record + 4));
    frame.captured_octets = captured;
    frame.wire_octets = wire;
    frame.link = link_;
    if (link_ >= LinkType::linux_sll) frame.outgoing = sent_by_host(link_, frame.data, captured);
    if (kuznetzov_ && record[22] == kSentByHost) frame.outgoing = true;
    tally.count(frame);
    if (filter_ && !filter_->matches(frame)) {
      ++tally.filtered;
      continue;
    }
    ++batch.size;
  }
  return FillResult::full();
}

}  // namespace whiteowl
