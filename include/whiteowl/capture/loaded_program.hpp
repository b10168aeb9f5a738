// SPDX-License-Identifier: Apache-2.0
// Steering programs as eBPF; the only user of libbpf.
//
// Said once, in classic BPF (steering.hpp), and translated instruction by instruction, so that both are the same
// program.  Loading one takes CAP_BPF; it may then be longer than a classic one and look further.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/capture/steering.hpp"
#include "whiteowl/packet/frame.hpp"

namespace whiteowl {

struct LoadedProgram {
  UniqueFd fd;          // a socket filter; empty if the kernel did not take it
  std::string why_not;  // then
};
[[nodiscard]] LoadedProgram load_program(const std::vector<FilterInstruction>& program);

// Loaded while the process may, one for links of each kind, and given to every ring that joins a group later: to attach
// what is loaded takes no capability.  Thread: read by any.
class SteeringPrograms {
 public:
  // `tunnel_depth`: of what is metered.
  explicit SteeringPrograms(std::uint32_t tunnel_depth);
  [[nodiscard]] const LoadedProgram& of(LinkType link) const noexcept {
    return link == LinkType::ethernet ? ethernet_ : bare_;
  }

 private:
  LoadedProgram ethernet_, bare_;
};

}  // namespace whiteowl
