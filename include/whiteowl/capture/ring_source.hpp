// SPDX-License-Identifier: Apache-2.0
// Packets from live interfaces: one TPACKET_V3 ring each, blocks read in place.  The only file that touches memory
// shared with the kernel.  See packet(7) and Documentation/networking/packet_mmap.rst of Linux.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "whiteowl/capture/settings.hpp"
#include "whiteowl/capture/source.hpp"

namespace whiteowl {

class RingSource final : public PacketSource {
 public:
  // Ring number `worker` of each interface, `workers` rings on each in all, joined in one fanout group.  Throws
  // StartError: 1 for an interface that does not exist (naming the nearest), 77 without CAP_NET_RAW, 78 for a filter
  // that does not compile.  `fanout_id` is the group's id (1..65535).
  RingSource(const CaptureSettings& settings, std::uint32_t worker, std::uint32_t workers, std::uint16_t fanout_id);
  ~RingSource() override;
  [[nodiscard]] const FrameBatch& read() noexcept override;
  [[nodiscard]] const CaptureCounters& counters() const noexcept override;
  void refresh_counters() noexcept override;
  [[nodiscard]] std::size_t ring_octets() const noexcept;
  // Any thread: the next read() returns soon, with `end` once what the ring held at this moment has been delivered.
  void stop() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// An id for a group of our own: unlikely to be used by another program in this network namespace (process id based).
[[nodiscard]] std::uint16_t own_fanout_id() noexcept;

// Whether the filter compiles for `interface` (empty: for an Ethernet capture file); empty, or why not.
[[nodiscard]] std::string check_filter(const std::string& expression, const std::string& interface);

}  // namespace whiteowl
