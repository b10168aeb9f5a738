// SPDX-License-Identifier: Apache-2.0
// The loaded program, run by the kernel on octets of ours (BPF_PROG_TEST_RUN); what it must return is calculated from
// what the decoder finds in them.  Needs CAP_BPF in the first user namespace, so a container may have to leave it out.
#include "whiteowl/capture/loaded_program.hpp"

#include <bpf/bpf.h>
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "support/tunnelled_traffic.hpp"

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

// None without the privilege.
std::optional<LoadedProgram> loaded() {
  LoadedProgram program = load_program(steering_program(kLoadedLimits, 14));
  if (program.fd) return program;
  CHECK(program.why_not == "a loaded one takes CAP_BPF");
  MESSAGE("skipped: no program can be loaded here");
  return std::nullopt;
}

std::uint32_t run(const LoadedProgram& program, const Bytes& bytes) {
  Bytes in = bytes;
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = in.data();
  options.data_size_in = static_cast<std::uint32_t>(in.size());
  REQUIRE(::bpf_prog_test_run_opts(program.fd.get(), &options) == 0);
  return options.retval;
}

}  // namespace

TEST_CASE("the loaded program returns what the decoder's key comes to, for both directions") {
  const auto program = loaded();
  if (!program) return;
  for (const auto& kinds : {plain_kinds(), tunnel_kinds()}) {
    for (const auto& kind : kinds) {
      CAPTURE(kind.name);
      for (std::uint16_t number = 0; number < 20; ++number) {
        const Bytes there = kind.packet({number, false}).bytes(), back = kind.packet({number, true}).bytes();
        CHECK(run(*program, there) == expected_steering(decode_inner(there).packet));
        CHECK(run(*program, there) == run(*program, back));
      }
    }
  }
}

TEST_CASE("cut off anywhere, a packet is steered by the innermost header that is readable") {
  const auto program = loaded();
  if (!program) return;
  for (const auto& kind : tunnel_kinds()) {
    CAPTURE(kind.name);
    const Bytes whole = kind.packet({7, false}).bytes();
    const std::size_t first_header = whole[12] == 0x08 ? 20 : 40;
    for (std::size_t size = 14 + first_header; size < whole.size(); ++size) {
      CAPTURE(size);
      const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK(run(*program, part) == expected_steering(decode_inner(part).packet));
    }
  }
}
