// SPDX-License-Identifier: Apache-2.0
// Where packets come from: the interface at the near end of the street.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "whiteowl/base/counter.hpp"
#include "whiteowl/base/mailbox.hpp"
#include "whiteowl/packet/frame.hpp"

namespace whiteowl {

// What a source counts; written by the thread that calls read(), readable by any.
struct CaptureCounters {
  Counter
      packets_received;  // delivered to us by the kernel, or read from the file; the filtered ones of a file included
  Counter octets_received;   // their wire octets
  Counter packets_filtered;  // read from a file and refused by the filter (live, the kernel's filter refuses unseen)
  Counter
      packets_unsupported;  // read from a file, of a link type that is not decoded: Discard::unsupported_link's share
  Counter packets_dropped;  // lost by the kernel for want of ring space (PACKET_STATISTICS tp_drops)
  Counter ring_freezes;     // times that the ring was full (tp_freeze_q_cnt)
  Counter packets_cut;      // snapped below their wire length
  Counter link_losses;      // times that the interface went down or away
  Counter interfaces_away;  // interfaces that are down or away now and waited for (a gauge)
};

// The share of one interface in these.
struct InterfaceCounters {
  std::string name;  // as one_line() shows it
  Counter packets_received, octets_received;
  Counter packets_dropped, ring_freezes;
  Counter hardware_stamps;  // packets that bear the network card's time stamp
  Counter link_losses;
  Counter away;  // 1 while it is down or away (a gauge)
  // Why it cannot be captured although it is there: a line for the user, taken by whoever tells him.
  mutable Mailbox<std::string> obstacle;
};

class PacketSource {
 public:
  virtual ~PacketSource() = default;
  // The next frames, waiting at most about 100 ms for them.  Frames are valid until the next read().  An empty batch
  // still moves the watermark, if it has one.  After a batch with `end` set, read() is not called again.
  // Never throws: a damaged file ends the batch stream and failure() says why.
  [[nodiscard]] virtual const FrameBatch& read() noexcept = 0;
  // The line for the user when the source ended for another reason than its natural end; else empty.
  [[nodiscard]] virtual std::string failure() const { return {}; }
  [[nodiscard]] virtual const CaptureCounters& counters() const noexcept = 0;
  // In the order of the settings; none for a file.
  [[nodiscard]] virtual std::span<const InterfaceCounters> interfaces() const noexcept { return {}; }
  // Brings the counters up to the kernel's numbers.  Thread of read().
  virtual void refresh_counters() noexcept {}
};

}  // namespace whiteowl
