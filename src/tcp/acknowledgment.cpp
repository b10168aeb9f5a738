// SPDX-License-Identifier: Apache-2.0

#include "whiteowl/tcp/acknowledgment.hpp"

#include "whiteowl/tcp/hole.hpp"
#include "whiteowl/tcp/repeat.hpp"

namespace whiteowl {

using namespace direction_flag;
using namespace cold_flag;

namespace {

// RFC 2883 4: the first block lies below the ACK number, or inside the second one.
bool is_dsack(const TcpOptions& options, SeqNum ack) noexcept {
  const SeqNum left{options.sack[0].left};
  const SeqNum right{options.sack[0].right};
  if (!right.after(ack)) return true;
  return options.sack_count > 1 && !left.before(SeqNum{options.sack[1].left}) &&
         !right.after(SeqNum{options.sack[1].right});
}

void observe_sack(const Observed& observed) noexcept {
  const TcpOptions* options = observed.segment().options;
  if (options == nullptr || options->sack_count == 0) return;
  TcpColdDirection& peer = observed.peer_cold();
  const bool dsack = is_dsack(*options, observed.segment().ack);
  if (dsack) count(peer.dsack_count);
  for (unsigned i = dsack ? 1 : 0; i < options->sack_count; ++i) {
    const SeqNum right{options->sack[i].right};
    if (!peer.has(kSacked) || right.after(peer.sack_high)) peer.sack_high = right;
    peer.mark(kSacked);
  }
}

void observe_progress(const Observed& observed) noexcept {
  TcpColdDirection& peer = observed.peer_cold();
  const PeerBefore& before = observed.peer_before;
  const SeqNum ack = observed.segment().ack;
  const std::int32_t beyond = ack - before.snd_max;
  if (beyond == 1 && before.has(kProbePending)) {
    peer.unique_octets.count(1);                    // the probe was taken after all
  } else if (beyond > 0 && !before.has(kResync)) {  // fragments are not looked into, but they did pass
    peer.unseen_octets.count(static_cast<std::uint32_t>(beyond));
    peer.mark(kUnseen);
  }
  end_recovery(peer, ack);
  if (peer.hole_count == 0) return;
  if (const std::uint32_t octets = close_holes_below(peer, ack); octets != 0) {
    peer.unseen_octets.count(octets);
    peer.mark(kUnseen);
  }
}

}  // namespace

void note_acknowledged(const Observed& observed) noexcept {
  TcpColdDirection& peer = observed.peer_cold();
  peer.acked_at = observed.segment().now;
  peer.mark(kAcked);
}

void observe_acknowledgment(const Observed& observed) noexcept {
  if (observed.story.ack == AckKind::unseen_peer) return;
  observe_sack(observed);
  if (observed.story.ack == AckKind::progress) {
    observe_progress(observed);
    note_acknowledged(observed);
  } else if (observed.story.ack == AckKind::duplicate) {
    count(observed.sender_cold().duplicate_ack_count);
    note_acknowledged(observed);
  }
}

}  // namespace whiteowl
