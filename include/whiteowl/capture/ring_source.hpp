// SPDX-License-Identifier: Apache-2.0
// Packets from live interfaces: one TPACKET_V3 ring each, blocks read in place.  The only file that touches memory
// shared with the kernel.  A ring follows the name that it was asked for, whichever interface has it.  See packet(7)
// and Documentation/networking/packet_mmap.rst of Linux.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/capture/filter.hpp"
#include "whiteowl/capture/settings.hpp"
#include "whiteowl/capture/source.hpp"

namespace whiteowl {

// How the ring of one worker and interface is cut.
struct RingGeometry {
  std::uint32_t block_octets;  // a power of two
  std::uint32_t blocks;
  [[nodiscard]] std::size_t octets() const noexcept { return std::size_t{block_octets} * blocks; }
};
// `total_octets` shared among `rings`.  Blocks of 1 MiB where the share has room for 64 of them, smaller ones else, but
// never fewer than four nor too small for a frame of `snap_len`: a tiny total is exceeded then.
[[nodiscard]] RingGeometry ring_geometry(std::uint64_t total_octets, std::uint64_t rings,
                                         std::uint32_t snap_len) noexcept;
// Of each ring when there are `workers` on each of the interfaces.
[[nodiscard]] RingGeometry ring_geometry(const CaptureSettings& settings, std::uint32_t workers) noexcept;

// The group of interface number `interface` of those that share the id `first`: a group belongs to one interface.
[[nodiscard]] constexpr std::uint16_t fanout_id_of(std::uint16_t first, std::size_t interface) noexcept {
  return static_cast<std::uint16_t>((first - 1U + interface) % 0xFFFFU + 1U);
}

// Has the workers join the group of each interface in the order of their numbers, again after an interface was lost. So
// worker i is member i everywhere, and what the kernel's choice brings together on two interfaces, such as the legs of
// a TAP, meets in one worker.
class JoinOrder {
 public:
  JoinOrder(std::size_t interfaces, std::uint32_t workers) : workers_{workers}, member_of_(interfaces * workers) {}
  // All workers before it are on the interface that `interface_index` names.  One that is still on its predecessor of
  // the same name, or leaves that late, does not count and does not matter.
  [[nodiscard]] bool may_join(std::size_t interface, std::uint32_t worker, int interface_index) const noexcept {
    for (std::uint32_t before = 0; before < worker; ++before) {
      if (place(interface, before).load(std::memory_order_acquire) != interface_index) return false;
    }
    return true;
  }
  void joined(std::size_t interface, std::uint32_t worker, int interface_index) noexcept {
    place(interface, worker).store(interface_index, std::memory_order_release);
  }
  void left(std::size_t interface, std::uint32_t worker) noexcept { joined(interface, worker, 0); }
  // Some worker has a ring on it.
  [[nodiscard]] bool held(std::size_t interface, int interface_index) const noexcept {
    for (std::uint32_t worker = 0; worker < workers_; ++worker) {
      if (place(interface, worker).load(std::memory_order_acquire) == interface_index) return true;
    }
    return false;
  }

 private:
  [[nodiscard]] const std::atomic<int>& place(std::size_t interface, std::uint32_t worker) const noexcept {
    return member_of_[interface * workers_ + worker];
  }
  [[nodiscard]] std::atomic<int>& place(std::size_t interface, std::uint32_t worker) noexcept {
    return member_of_[interface * workers_ + worker];
  }

  std::uint32_t workers_;
  std::vector<std::atomic<int>> member_of_;  // index of the interface; 0: of none
};

class SteeringPrograms;

// What the rings of a process share.  Who is told of rings that are made and given up, so that he may keep their
// sockets for the next process.  Called on the thread that does it.
struct RingStore {
  std::shared_ptr<JoinOrder> order = {};
  std::shared_ptr<FilterPrograms> filter = {};            // prepared, of the settings' expression
  std::shared_ptr<const SteeringPrograms> programs = {};  // loaded while we may
  std::function<void(const std::string& name, int fd)> keep = {};
  std::function<void(const std::string& name)> forget = {};
};

// Of the settings, prepared for all workers and interfaces.  Throws StartError as FilterPrograms::prepare() does,
// naming the setting.
[[nodiscard]] std::shared_ptr<FilterPrograms> compile_filter(const CaptureSettings& settings,
                                                             const FilterPatience& patience = {});

class RingSource final : public PacketSource {
 public:
  // Ring number `worker` of each interface, `workers` rings on each in all, joined in one fanout group per interface.
  // Throws StartError: 1 for an interface that does not exist (naming the nearest) unless it is to be waited for, 77
  // without CAP_NET_RAW, 78 for a filter that does not compile or that the kernel refuses, and for two names of one
  // interface.  `fanout_id` is the group's id (1..65535); interface n
  // takes the id n further.  `inherited` are sockets of inherit_rings(), one for each interface or none at all: where
  // there is one, its ring is read on.
  RingSource(const CaptureSettings& settings, std::uint32_t worker, std::uint32_t workers, std::uint16_t fanout_id,
             RingStore store = {}, std::vector<UniqueFd> inherited = {});
  ~RingSource() override;
  // Frames of one block of one ring.  Their wire octets leave out a VLAN tag that the kernel stripped.
  [[nodiscard]] const FrameBatch& read() noexcept override;
  [[nodiscard]] const CaptureCounters& counters() const noexcept override;
  [[nodiscard]] std::span<const InterfaceCounters> interfaces() const noexcept override;
  void refresh_counters() noexcept override;
  // Thread of read(): another filter from now on.  False when the kernel did not take it on some interface (no memory,
  // or locked): the old one stays there, also when the interface is made anew.
  [[nodiscard]] bool set_filter(const std::shared_ptr<FilterPrograms>& filter) noexcept;
  [[nodiscard]] std::size_t ring_octets() const noexcept;
  // By what the kernel shares the packets out, for people; empty if this ring gets all.
  [[nodiscard]] std::string sharing() const;
  // Any thread: the next read() returns soon, with `end` once what the ring held at this moment has been delivered.
  void stop() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A random id for a group of our own: containers that share a network namespace have equal process ids, so those would
// make strangers share their traffic.
[[nodiscard]] std::uint16_t own_fanout_id() noexcept;

}  // namespace whiteowl
