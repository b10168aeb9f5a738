// SPDX-License-Identifier: Apache-2.0
// IPFIX Messages and Sets (RFC 7011 3.1, 3.3): one reused buffer, records written straight into it.
// Consecutive records of one template share a Set.  Data Sets of fixed-length records end on a multiple of four octets,
// unless a record is so short that the padding could be read as one; others are not padded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace whiteowl {

inline constexpr std::uint16_t kTemplateSetId = 2;         // RFC 7011 3.3.2
inline constexpr std::uint16_t kOptionsTemplateSetId = 3;  // RFC 7011 3.3.2

class MessageWriter {
 public:
  static constexpr std::size_t kHeaderOctets = 16;
  static constexpr std::size_t kSetHeaderOctets = 4;
  static constexpr std::size_t kMaxOctets = 65'535;
  // Everything that is put into a Message fits into one of this size: no transport offers less.
  static constexpr std::size_t kMinLimit = 512;

  explicit MessageWriter(std::uint32_t domain_id);

  // An empty Message of at most `limit` octets (kMinLimit .. kMaxOctets).
  void clear(std::size_t limit) noexcept;
  // Room for a record of `octets` in a Set of this id: the place to write it to, or null and no change when the Message
  // has no room left.  `padded` is the same for all records of a template.
  [[nodiscard]] std::uint8_t* add(std::uint16_t set_id, std::size_t octets, bool padded) noexcept;
  // The bytes to send, valid until the next call.  `sequence` counts the Data Records sent in this session before this
  // Message.  May be called again with other arguments, and records may still be added afterwards.
  [[nodiscard]] std::span<const std::uint8_t> finish(std::uint32_t sequence, std::uint32_t export_seconds) noexcept;

  [[nodiscard]] bool empty() const noexcept { return used_ == kHeaderOctets; }
  // Data Records, those of options included: what the sequence number rises by.
  [[nodiscard]] std::uint32_t data_records() const noexcept { return data_records_; }
  // (Options) Template Records.
  [[nodiscard]] std::uint32_t template_records() const noexcept { return template_records_; }

 private:
  [[nodiscard]] std::size_t padding() const noexcept;  // that the open Set needs
  std::size_t end_set() noexcept;                      // where the open Set ends, its header and padding written

  std::vector<std::uint8_t> buffer_;
  std::size_t limit_ = kMinLimit;
  std::size_t used_ = kHeaderOctets;
  std::size_t set_begin_ = 0;  // of the open Set
  std::uint32_t domain_id_;
  std::uint32_t data_records_ = 0;
  std::uint32_t template_records_ = 0;
  std::uint16_t set_id_ = 0;  // of the open Set; 0 = none
  bool set_padded_ = false;
};

}  // namespace whiteowl
