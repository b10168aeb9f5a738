// SPDX-License-Identifier: Apache-2.0
// How IPFIX Messages leave: the interface at the far end of the street.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "whiteowl/base/time.hpp"

namespace whiteowl {

enum class SendResult : std::uint8_t {
  sent,  // the kernel or the file took it
  busy,  // no room now: nothing was taken, try again later
  lost,  // the message was not taken and never will be (no route, disk full): count it and go on
};

// One Transport Session after another (RFC 7011 2).  Used by the exporter's thread only.  Losing the collector is an
// expected state, not an error.
class Transport {
 public:
  virtual ~Transport() = default;
  [[nodiscard]] virtual SendResult send(std::span<const std::uint8_t> message, Timestamp now) noexcept = 0;
  // Reconnects, resolves names anew, reads pending socket errors.  Called a few times a second.
  virtual void step(Timestamp now) noexcept = 0;
  // Rises each time a new session begins: templates and options must be sent again, and over TCP the sequence starts at
  // 0.
  [[nodiscard]] virtual std::uint64_t session() const noexcept = 0;
  // Octets of a Message at most, not below 512: what the path takes in one piece over UDP (RFC 7011 10.3.3).
  [[nodiscard]] virtual std::size_t max_message() const noexcept = 0;
  // Templates are repeated on UDP only (RFC 7011 8.1).
  [[nodiscard]] virtual bool reliable() const noexcept = 0;
  // True once for each time that the network reported an earlier message, taken by send(), as refused: the collector
  // was not there, so it is lost and whoever listens there next knows no template.
  [[nodiscard]] virtual bool take_refusal() noexcept { return false; }
  struct Outstanding {
    std::uint64_t octets = 0;  // at the end of what send() took in this session, that have not arrived for certain
    bool lost = false;         // they never will: the session has ended
  };
  // Of reliable transports.  Ask after each call, for the next session knows nothing of the one before.
  [[nodiscard]] virtual Outstanding outstanding() noexcept { return {}; }
  // No more messages: the far end may be told.  True when all that can be known about the last ones is known.
  [[nodiscard]] virtual bool end(Timestamp /*now*/) noexcept { return true; }
  // Whoever read this has gone, as a reader may.
  [[nodiscard]] virtual bool gone() const noexcept { return false; }
  // Messages were lost for a reason that makes the run fail; it has been said in the log.
  [[nodiscard]] virtual bool failed() const noexcept { return false; }
  [[nodiscard]] virtual const std::string& name() const noexcept = 0;  // as the user wrote it
};

}  // namespace whiteowl
