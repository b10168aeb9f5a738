// SPDX-License-Identifier: Apache-2.0
// Steering programs as eBPF; the only user of libbpf.
//
// Said once, in classic BPF (steering.hpp), and translated instruction by instruction, so that both are the same
// program.  Loading one takes CAP_BPF; it may then be longer than a classic one and look further.
#pragma once

#include <string>
#include <vector>

#include "whiteowl/base/fd.hpp"
#include "whiteowl/capture/steering.hpp"

namespace whiteowl {

struct LoadedProgram {
  UniqueFd fd;          // a socket filter; empty if the kernel did not take it
  std::string why_not;  // then
};
[[nodiscard]] LoadedProgram load_program(const std::vector<FilterInstruction>& program);

}  // namespace whiteowl
