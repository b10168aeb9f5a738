// SPDX-License-Identifier: Apache-2.0
// Filters of pcap-filter(7) as classic BPF programs; the only user of libpcap.
//
// The kernel strips the outer VLAN tag from a frame before a socket sees it, so the same expression needs different
// programs live and on files.  libpcap writes the live one only for an activated handle of a live interface; a "dead"
// handle would give `vlan 100` a program that never matches.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "whiteowl/packet/frame.hpp"

namespace whiteowl {

// One instruction, laid out as struct sock_filter of Linux.
struct FilterInstruction {
  std::uint16_t code;
  std::uint8_t jump_true, jump_false;
  std::uint32_t operand;
};
static_assert(sizeof(FilterInstruction) == 8);

class CompiledFilter {
 public:
  // For a live interface whose frames are `link`: accepts `snap_len` octets of a frame.  An empty expression accepts
  // everything.  Throws StartError: 78 for an expression that does not compile, 1 for an interface that is down, where
  // libpcap cannot compile for it.
  static CompiledFilter for_interface(const std::string& expression, const std::string& interface, LinkType link,
                                      std::uint32_t snap_len);
  // For frames of a file with LINKTYPE_ number `link_type`, written in the other byte order than ours if `swapped`.
  // Throws StartError (78).
  static CompiledFilter for_file(const std::string& expression, std::uint32_t link_type, bool swapped);
  CompiledFilter(CompiledFilter&&) noexcept;
  CompiledFilter& operator=(CompiledFilter&&) noexcept;
  ~CompiledFilter();

  [[nodiscard]] bool matches(const Frame& frame) const noexcept;
  [[nodiscard]] std::vector<FilterInstruction> program() const;

 private:
  struct Program;
  explicit CompiledFilter(std::unique_ptr<Program> program) noexcept;
  std::unique_ptr<Program> program_;
};

// Whether the filter compiles for `interface` (empty: for an Ethernet capture file); empty, or why not.  Where the
// interface cannot be opened (no privilege, not there) it is compiled as for an Ethernet file: the same grammar.
[[nodiscard]] std::string check_filter(const std::string& expression, const std::string& interface);

// What libpcap calls a LINKTYPE_ number, as "IEEE802_11"; empty if it does not know it.
[[nodiscard]] std::string registered_link_type_name(std::uint32_t link_type);

}  // namespace whiteowl
