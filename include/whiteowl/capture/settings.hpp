// SPDX-License-Identifier: Apache-2.0
// What the operator can say about capturing.  Plain values; the defaults are in the table of options.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace whiteowl {

enum class FanoutMode : std::uint8_t { automatic, hash, steer, cpu, queue_mapping, round_robin };

// Whose clock stamps the packets.  A network card's is used only for those packets that it stamped.
enum class TimeStamps : std::uint8_t { software, hardware };

struct CaptureSettings {
  std::vector<std::string> interfaces;  // capture.interface: one name or several (the legs of a TAP)
  bool promiscuous = true;
  std::uint32_t snap_len = 128;       // octets of a frame that reach us
  std::string bpf_filter;             // pcap-filter(7); empty = everything
  std::uint32_t buffer_size_mb = 64;  // MiB of ring in all, shared among the workers and interfaces
  std::uint32_t workers = 0;          // threads; 0 = auto
  std::uint32_t fanout_group = 0;     // id that several processes may name to share the traffic; 0 = one of our own
  FanoutMode fanout_mode = FanoutMode::automatic;
  bool defragment = false;         // the kernel puts the fragments of IPv4 datagrams together before it shares them out
  std::uint32_t tunnel_depth = 0;  // of what is metered, which the fanout is to keep together; 0 = outermost header
  std::vector<std::uint32_t> cpus;  // processors of the workers, one each in turn; empty = wherever the kernel wants
  TimeStamps timestamps = TimeStamps::software;
  bool lock_filter = false;         // SO_LOCK_FILTER: the filter cannot be changed any more, not by us either
  bool wait_for_interface = false;  // start although an interface is missing, and wait for it (a service at boot)
};

}  // namespace whiteowl
