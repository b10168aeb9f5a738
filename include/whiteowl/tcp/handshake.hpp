// SPDX-License-Identifier: Apache-2.0

// SYN and SYN-ACK: who opened the conversation, the handshake's round-trip times, and a tuple used again.
//
// A SYN with another initial sequence number begins a new conversation where the old one was closing or never answered;
// in a live one it waits until a SYN-ACK proves it, so that a stray or forged SYN changes nothing (RFC 5961 4).
#pragma once

#include <cstdint>

#include "whiteowl/tcp/segment.hpp"
#include "whiteowl/tcp/syn_cache.hpp"

namespace whiteowl {

// The keys of the two directions of a tuple in the SYN cache.
struct SynKeys {
  std::uint64_t sender, peer;  // what this packet's sender, and its peer, would have opened
};

enum class SynMeaning : std::uint8_t {
  opening,  // the first of its direction
  repeat,   // the same initial sequence number again
  stray,    // in a live conversation, not proven: nothing is counted
  reuse,    // of the tuple, by another conversation
};

// The segment is a SYN or SYN-ACK without RST.
[[nodiscard]] SynMeaning judge_syn(const Exchange& exchange) noexcept;

// Opening or repeat: everything but the raw window.
void observe_syn(const Exchange& exchange, SynMeaning meaning, const SynKeys& keys, SynCache& cache) noexcept;
// A SYN that a SYN-ACK may prove later.
void remember_stray_syn(const Exchange& exchange, const SynKeys& keys, SynCache& cache) noexcept;

// Empties the conversation for its tuple's next use; the segment is the first of the new one.  What
// recognises captured copies stays: the copy of this very packet may follow.  Where the segment proves a pending SYN,
// the new conversation knows that SYN; the record in which it was counted does not change any more.
void reuse_tuple(const Exchange& exchange, const SynKeys& keys, const SynCache& cache) noexcept;

// An ACK of the side that opened, while the SYN-ACK waits for it: kHandshakeTimed if it times the other half.
void time_third_packet(const Exchange& exchange) noexcept;

}  // namespace whiteowl
