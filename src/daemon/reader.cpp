// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/reader.hpp"

#include <pthread.h>

#include <chrono>
#include <utility>

namespace whiteowl {

namespace {

constexpr auto kFullRingWait = std::chrono::microseconds{50};

// Other bits than the table's, which takes the low ones for the place and the high ones for the tag.
std::uint32_t worker_of(std::uint64_t hash, std::uint32_t workers) noexcept {
  const std::uint64_t mixed = fold(hash, 0x9E3779B97F4A7C15U);
  return static_cast<std::uint32_t>(((mixed >> 32U) * workers) >> 32U);
}

}  // namespace

Reader::Reader(std::unique_ptr<FileSource> source, const DecodeSettings& decode, bool vlan_in_key,
               std::uint32_t workers)
    : source_{std::move(source)},
      classifier_{decode, vlan_in_key, hash_key_},
      workers_{workers},
      rings_{std::make_unique<PacketRing[]>(workers)} {}

Reader::~Reader() {
  stop();
  join();
}

void Reader::start() {
  thread_ = std::thread{[this] { run(); }};
  started_ = true;
  ::pthread_setname_np(thread_.native_handle(), "reader");
}

void Reader::stop() noexcept {
  source_->stop();
  if (started_) return;
  for (std::uint32_t worker = 0; worker < workers_; ++worker) rings_[worker].close();  // nobody else will
}

void Reader::join() {
  if (thread_.joinable()) thread_.join();
}

std::size_t Reader::memory_octets_for(std::uint32_t workers) noexcept {
  return kBuffers * OctetInput::kBufferOctets + workers * PacketRing::kSlots * sizeof(PacketShare);
}

void Reader::run() noexcept {
  for (bool end = false; !end;) {
    const FrameBatch& frames = source_->read();
    end = frames.end;
    InputBuffer* const buffer = &source_->buffer();
    if (buffer != buffer_ || frames.size == 0) pass_on_all();
    buffer_ = buffer;
    share_out(frames);
  }
  pass_on_all();
  for (std::uint32_t worker = 0; worker < workers_; ++worker) rings_[worker].close();
}

void Reader::share_out(const FrameBatch& frames) noexcept {
  classifier_.classify(frames, classified_, [](const ClassifiedPacket&) {});
  for (std::size_t i = 0; i < classified_.size; ++i) {
    const ClassifiedPacket& item = classified_.packets[i];
    const std::uint32_t worker = worker_of(item.hash, workers_);
    PacketShare& share = open_share(worker);
    const std::size_t at = share.batch.size++;
    share.frames[at] = *item.packet.frame;
    share.batch.packets[at] = item;
    share.batch.packets[at].packet.frame = &share.frames[at];
    if (at == 0) {
      share.buffer = buffer_;
      buffer_->hold();
    }
    age_ = item.age;  // not yet that of the whole batch: its other packets are still to come
    if (share.batch.size == share.batch.packets.size()) pass_on(worker);
  }
  age_ = classified_.now;
}

// A worker always comes on: a full queue of records holds it up until somebody gives up waiting for the exporter.
PacketShare& Reader::open_share(std::uint32_t worker) noexcept {
  for (;;) {
    if (PacketShare* share = rings_[worker].back(); share != nullptr) return *share;
    std::this_thread::sleep_for(kFullRingWait);
  }
}

void Reader::pass_on(std::uint32_t worker) noexcept {
  open_share(worker).batch.now = age_;
  rings_[worker].push();
}

void Reader::pass_on_all() noexcept {
  for (std::uint32_t worker = 0; worker < workers_; ++worker) pass_on(worker);
}

}  // namespace whiteowl
