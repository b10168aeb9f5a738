// SPDX-License-Identifier: Apache-2.0
// Rings that outlive the process: the service manager holds their sockets over a restart, the kernel goes on filling
// them, and the next process reads on where the last one was.  What a socket does not tell of itself its name does.
// Promise: a ring is taken up only if it is what these settings would make anew, and all rings of an interface or none,
// as its fanout group shares the packets out among them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/capture/filter.hpp"
#include "whiteowl/capture/settings.hpp"

namespace whiteowl {

struct KeptRing {
  std::string name;
  UniqueFd socket;
};

// The name under which the ring of a worker and an interface (its place in the settings) is kept: says how the ring was
// made.  `workers` is how many there are of an interface.
[[nodiscard]] std::string ring_name(const CaptureSettings& settings, std::uint32_t worker, std::uint32_t workers,
                                    std::size_t interface);

// What becomes of the sockets that the last process left.
struct Inheritance {
  // By worker, then by interface; empty: a new ring has to be made.
  std::vector<std::vector<UniqueFd>> sockets;
  std::uint16_t fanout_id = 0;       // of the rings taken up; 0: none, or they need no group
  std::vector<std::string> taken;    // names of interfaces that go on
  std::vector<KeptRing> refused;     // to be forgotten and closed
  std::vector<std::string> remarks;  // why, a line each
};
// `kept` in any order; may hold sockets of others and what are no sockets.  `filter` is that of the settings, prepared;
// null: it is compiled here.  Throws StartError.
[[nodiscard]] Inheritance inherit_rings(const CaptureSettings& settings, std::uint32_t workers,
                                        std::vector<KeptRing> kept, std::shared_ptr<FilterPrograms> filter = {});

}  // namespace whiteowl
