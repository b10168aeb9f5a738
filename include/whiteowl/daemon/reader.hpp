// SPDX-License-Identifier: Apache-2.0
// Reads a capture file for several workers: decodes, and shares the packets out by conversation.
// Whatever depends on the order of all packets (ages, the ports that fragments borrow) happens here, so the records are
// those that one worker alone would make, as long as no table is full.
// Promise: a conversation's packets reach one worker, in their order; no worker's clock stays behind by more than one
// input buffer, or 100 ms of a silent pipe; at the end all clocks stand at the same age.  No allocation once started.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "whiteowl/capture/file_source.hpp"
#include "whiteowl/capture/octet_input.hpp"
#include "whiteowl/daemon/packet_ring.hpp"
#include "whiteowl/flow/classifier.hpp"

namespace whiteowl {

class Reader {
 public:
  // Buffers of the source: one is filled while the workers look at others.
  static constexpr std::uint32_t kBuffers = 8;

  // `source` has kBuffers buffers.  Takes all memory: throws std::bad_alloc.
  Reader(std::unique_ptr<FileSource> source, const DecodeSettings& decode, bool vlan_in_key, std::uint32_t workers);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void start();  // throws std::system_error when there is no thread to have
  // Main thread: no more is read; what was read reaches the workers.
  void stop() noexcept;
  void join();

  [[nodiscard]] PacketRing& ring(std::uint32_t worker) noexcept { return rings_[worker]; }
  [[nodiscard]] const HashKey& hash_key() const noexcept { return hash_key_; }
  [[nodiscard]] const CaptureCounters& capture_counters() const noexcept { return source_->counters(); }
  [[nodiscard]] const ClassifierCounters& classifier_counters() const noexcept { return classifier_.counters(); }
  [[nodiscard]] std::string failure() const { return source_->failure(); }  // after join()
  [[nodiscard]] std::size_t memory_octets() const noexcept { return memory_octets_for(workers_); }
  [[nodiscard]] static std::size_t memory_octets_for(std::uint32_t workers) noexcept;

 private:
  void run() noexcept;
  void share_out(const FrameBatch& frames) noexcept;
  void pass_on(std::uint32_t worker) noexcept;
  void pass_on_all() noexcept;
  [[nodiscard]] PacketShare& open_share(std::uint32_t worker) noexcept;

  std::unique_ptr<FileSource> source_;
  HashKey hash_key_ = random_hash_key();
  Classifier classifier_;
  ClassifiedBatch classified_;
  std::uint32_t workers_;
  std::unique_ptr<PacketRing[]> rings_;
  InputBuffer* buffer_ = nullptr;  // in which the frames of the open shares lie
  Duration age_{};                 // behind what was shared out
  bool started_ = false;
  std::thread thread_;
};

}  // namespace whiteowl
