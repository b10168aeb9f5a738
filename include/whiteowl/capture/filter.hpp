// SPDX-License-Identifier: Apache-2.0
// Filters of pcap-filter(7) as classic BPF programs; the only user of libpcap.
//
// The kernel strips the outer VLAN tag from a frame before a socket sees it, so the same expression needs different
// programs live and on files.  libpcap writes the live one only for an activated handle of a live interface; a "dead"
// handle would give `vlan 100` a program that never matches.
//
// Promise: each program is compiled once, however many threads and interfaces use it, and in a child process that can
// be killed: libpcap's work grows with the square of what an expression holds, and it asks name servers.  A program for
// live packets is shown to the kernel before anybody relies on it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "whiteowl/base/child_task.hpp"
#include "whiteowl/base/time.hpp"
#include "whiteowl/packet/frame.hpp"

namespace whiteowl {

// One instruction, laid out as struct sock_filter of Linux.
struct FilterInstruction {
  std::uint16_t code;
  std::uint8_t jump_true, jump_false;
  std::uint32_t operand;
};
static_assert(sizeof(FilterInstruction) == 8);

using FilterProgram = std::vector<FilterInstruction>;

// A start may wait for what a few thousand hosts take.
inline constexpr Duration kStartFilterPatience = std::chrono::seconds{60};
// The old filter is in force meanwhile, and whoever asked for the new one looks at the log.
inline constexpr Duration kReloadFilterPatience = std::chrono::seconds{20};

struct FilterPatience {
  Duration time = kStartFilterPatience;
  int cancel_fd = -1;  // readable: compiling is given up
};

// A program that its users share.
class CompiledFilter {
 public:
  explicit CompiledFilter(FilterProgram program)
      : program_{std::make_shared<const FilterProgram>(std::move(program))} {}
  [[nodiscard]] bool matches(const Frame& frame) const noexcept;
  [[nodiscard]] const FilterProgram& program() const noexcept { return *program_; }

 private:
  std::shared_ptr<const FilterProgram> program_;
};

// One expression for a whole capture, with its programs.  Any thread.
class FilterPrograms {
 public:
  // Of live packets `snap_len` octets are accepted; `interfaces` are those that they come from.
  explicit FilterPrograms(std::string expression, std::uint32_t snap_len = 0, std::vector<std::string> interfaces = {});

  [[nodiscard]] const std::string& expression() const noexcept { return expression_; }
  [[nodiscard]] bool empty() const noexcept { return expression_.empty(); }
  [[nodiscard]] bool is_for(const std::string& expression, std::uint32_t snap_len,
                            const std::vector<std::string>& interfaces) const {
    return expression == expression_ && snap_len == snap_len_ && interfaces == interfaces_;
  }

  // Compiles for the link types that the interfaces have now.  Where no interface can be opened (no privilege, none is
  // up) the expression is only checked.  Throws StartError: 78 for an expression that does not compile, takes too long,
  // or that the kernel refuses; 1 when it was cancelled.
  void prepare(const FilterPatience& patience);
  // The program for packets of a live interface.  Never waits: empty while it is being compiled, to be asked for again.
  // Throws StartError (78).
  [[nodiscard]] std::optional<CompiledFilter> for_link(LinkType link);
  // For frames of a file with LINKTYPE_ number `link_type`, written in the other byte order than ours if `swapped`.
  // Throws StartError as prepare() does.
  [[nodiscard]] CompiledFilter for_file(std::uint32_t link_type, bool swapped, const FilterPatience& patience);

 private:
  struct Live {
    bool checked = false;
    std::optional<CompiledFilter> filter;
    std::string refusal;
    std::unique_ptr<ChildTask> task;
  };
  struct File {
    std::uint32_t link_type;
    bool swapped;
    CompiledFilter filter;
  };
  [[nodiscard]] std::unique_ptr<ChildTask> compile_live(LinkType link, Duration time) const;
  void take(Live& live, const ChildTask::Outcome& outcome) const;
  [[nodiscard]] std::string mistake(const std::string& why) const;
  [[noreturn]] void refuse(const ChildTask::Outcome& outcome) const;

  const std::string expression_;
  const std::uint32_t snap_len_;
  const std::vector<std::string> interfaces_;
  std::mutex mutex_;
  std::array<Live, 2> live_;  // Ethernet, raw IP
  std::vector<File> files_;
};

// Why the kernel does not take the program for a packet socket; empty if it does.  Needs no privilege.
[[nodiscard]] std::string kernel_refusal(const FilterProgram& program);
// Puts the program before a socket, in place of the one there.  0, or the error: then the old one is there again; if
// even that does not succeed, nothing is let through.
[[nodiscard]] int attach_filter(int fd, const FilterProgram& program, const FilterProgram& old) noexcept;
// For a socket that lets nothing through.
[[nodiscard]] const FilterProgram& refuse_everything() noexcept;
// What to tell of an error of attach_filter().
[[nodiscard]] std::string attach_failure(const FilterProgram& program, int error);

// What libpcap calls a LINKTYPE_ number, as "IEEE802_11"; empty if it does not know it.
[[nodiscard]] std::string registered_link_type_name(std::uint32_t link_type);

}  // namespace whiteowl
