// SPDX-License-Identifier: Apache-2.0
// TCP performance of one conversation: round-trip times, retransmissions, windows, state.
// Both directions live in one TcpConversation; a figure of direction D describes how D's destination behaves
// (round-trip time) and what D's packets look like (repeats, windows).
// Promise: no allocation, no lock, no clock; 304 octets a conversation, 48 of them outside the meter and touched alone
// as long as one SYN is all there is, and 360 more with the extended set; counters
// saturate; any bytes are safe; the six fields do not depend on whether the extended set is metered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "whiteowl/base/hash.hpp"
#include "whiteowl/base/memory.hpp"
#include "whiteowl/packet/packet.hpp"
#include "whiteowl/tcp/conversation.hpp"
#include "whiteowl/tcp/counters.hpp"
#include "whiteowl/tcp/fields.hpp"
#include "whiteowl/tcp/settings.hpp"

namespace whiteowl {

enum class TcpVerdict : std::uint8_t {
  counted,    // part of the conversation
  duplicate,  // a captured copy: packets and octets count, nothing else moves
  opened,     // counted, and with it the conversation is more than a handshake
  restart,    // belongs to a new incarnation: export the old records with reason 3, then call restart()
};

// One per worker; holds the worker's share of the SYN cache.
class TcpMeter {
 public:
  // Takes all memory: throws std::bad_alloc.  `conversations` is the size of the arenas, in which a conversation's
  // place is TcpConversation::place.  `secret`: unknown to those
  // who send, so that nobody can choose tuples that meet in the SYN cache.
  explicit TcpMeter(const TcpSettings& settings, std::uint32_t workers, std::uint32_t conversations = 0,
                    Prefault prefault = Prefault::no, std::uint64_t secret = random_hash_key().words[0]);
  TcpMeter(TcpMeter&&) noexcept;
  TcpMeter& operator=(TcpMeter&&) noexcept;
  ~TcpMeter();

  // Whether these settings ask for more than the six fields' own memory: the extended set, or the strict count.
  [[nodiscard]] static bool needs_cold(const TcpSettings& settings) noexcept;

  // Asks the memory for what observe() will need of the SYN cache: the packet is a SYN.
  void fetch_syn(const Packet& packet, std::uint64_t tuple_hash) const noexcept;
  // Observes a packet with packet.tcp set and packet.fragment not set.  `direction` (0 or 1) is the packet's in the
  // conversation; `tuple_hash` is equal for both directions of a tuple and unlikely to be equal for two tuples.
  // An all-zero conversation is a new one.  TcpVerdict::restart: nothing that belongs to the old records has changed.
  [[nodiscard]] TcpVerdict observe(TcpConversation& conversation, unsigned direction, const Packet& packet,
                                   std::uint64_t tuple_hash) noexcept;
  // After TcpVerdict::restart and the export of the old records: forgets the old incarnation and observes the packet
  // in the new one.
  void restart(TcpConversation& conversation, unsigned direction, const Packet& packet,
               std::uint64_t tuple_hash) noexcept;
  // A fragment of the conversation passed: sequence analysis must find its feet again at the next whole segment.
  void observe_fragment(TcpConversation& conversation, unsigned direction) noexcept;
  // The interval's figures of a direction; the interval begins anew at `cut`, what outlives snapshots stays.  Writes
  // into fresh `fields`, and into `extended` if TcpSettings::extended.
  void take(TcpConversation& conversation, unsigned direction, Timestamp cut, TcpFields& fields,
            TcpExtendedFields& extended) noexcept;

  // A packet of the conversation with this place comes soon, `data`: with payload.
  void fetch_place(std::uint32_t place, unsigned direction, bool data) const noexcept {
    if (place - 1U >= places_) return;
    const TcpDirections& directions = spread_[place - 1U];
    fetch_line(&directions.of[0]);
    fetch_line(&directions.of[1]);
    // Data waits for its ACK, an ACK finds the data of the other side.
    fetch_line(&directions.of[direction ^ static_cast<unsigned>(!data)].outstanding);
    if (has_cold_) fetch_cold(place);
  }
  // What take() will need of both directions.
  void fetch_all(std::uint32_t place) const noexcept {
    if (place - 1U >= places_) return;
    fetch_lines(spread_[place - 1U]);
    if (has_cold_) fetch_cold(place);
  }

  // Both directions as they are now, valid until the next call; for tests.
  [[nodiscard]] const TcpDirections& directions(const TcpConversation& conversation) const noexcept;

  [[nodiscard]] const TcpCounters& counters() const noexcept;
  [[nodiscard]] std::size_t memory_octets() const noexcept;  // reserved beside the conversations

 private:
  // Its own function, so that observe() has no more to keep on the stack than the common segment needs.
  [[nodiscard, gnu::noinline]] TcpVerdict observe_any(TcpConversation& conversation, unsigned direction,
                                                      const Packet& packet, std::uint64_t tuple_hash) noexcept;
  void fetch_cold(std::uint32_t place) const noexcept;

  struct Impl;
  std::unique_ptr<Impl> impl_;
  const TcpDirections* spread_;  // the arena, for fetch_place()
  std::uint32_t places_;
  bool has_cold_;
};

}  // namespace whiteowl
