// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/loaded_program.hpp"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

namespace whiteowl {
namespace {

// What the classic machine has, here: A, where the kernel puts octets of the packet; X and the packet, which that
// leaves alone; scratch memory below the frame pointer.
constexpr std::uint8_t kA = BPF_REG_0, kPacket = BPF_REG_6, kX = BPF_REG_7, kFrame = BPF_REG_10;

constexpr std::int16_t slot_at(std::uint32_t slot) noexcept {
  return static_cast<std::int16_t>(-4 * (static_cast<int>(slot) + 1));
}

class Translator {
 public:
  explicit Translator(const std::vector<FilterInstruction>& program) : from_{program} {}

  std::vector<bpf_insn> translate() {
    put(BPF_ALU64 | BPF_MOV | BPF_X, kPacket, BPF_REG_1);
    for (at_ = 0; at_ < from_.size(); ++at_) {
      starts_.push_back(code_.size());
      instruction(from_[at_]);
    }
    for (const auto& [jump, to] : jumps_)
      code_[jump].off = static_cast<std::int16_t>(static_cast<std::ptrdiff_t>(starts_[to] - jump) - 1);
    // A jump further than its field can say would go astray.
    if (code_.size() > static_cast<std::size_t>(std::numeric_limits<std::int16_t>::max())) code_.clear();
    return std::move(code_);
  }

 private:
  void put(unsigned code, std::uint8_t to, std::uint8_t from = 0, std::int16_t offset = 0, std::uint32_t value = 0) {
    bpf_insn instruction{};
    instruction.code = static_cast<std::uint8_t>(code);
    instruction.dst_reg = to & 0x0FU;
    instruction.src_reg = from & 0x0FU;
    instruction.off = offset;
    instruction.imm = static_cast<std::int32_t>(value);
    code_.push_back(instruction);
  }
  static std::uint8_t source(const FilterInstruction& from) noexcept {
    return BPF_SRC(from.code) == BPF_X ? kX : std::uint8_t{0};
  }
  void jump_to(std::size_t classic) { jumps_.emplace_back(code_.size() - 1, classic); }

  void instruction(const FilterInstruction& from) {
    switch (BPF_CLASS(from.code)) {
      case BPF_LD:
        return load(from);
      case BPF_LDX:
        return put(BPF_LDX | BPF_MEM | BPF_W, kX, kFrame, slot_at(from.operand));
      case BPF_ST:
        return put(BPF_STX | BPF_MEM | BPF_W, kFrame, kA, slot_at(from.operand));
      case BPF_STX:
        return put(BPF_STX | BPF_MEM | BPF_W, kFrame, kX, slot_at(from.operand));
      case BPF_ALU:  // the operations have the same numbers
        return put(BPF_ALU | BPF_OP(from.code) | BPF_SRC(from.code), kA, source(from), 0, from.operand);
      case BPF_JMP:
        return jump(from);
      case BPF_MISC:
        return BPF_MISCOP(from.code) == BPF_TAX ? put(BPF_ALU | BPF_MOV | BPF_X, kX, kA)
                                                : put(BPF_ALU | BPF_MOV | BPF_X, kA, kX);
      default:  // BPF_RET
        return put(BPF_JMP | BPF_EXIT, 0);
    }
  }

  void load(const FilterInstruction& from) {
    switch (BPF_MODE(from.code)) {
      case BPF_IMM:
        return put(BPF_ALU | BPF_MOV | BPF_K, kA, 0, 0, from.operand);
      case BPF_MEM:
        return put(BPF_LDX | BPF_MEM | BPF_W, kA, kFrame, slot_at(from.operand));
      case BPF_LEN:
        return context(offsetof(__sk_buff, len));
      case BPF_ABS:
        if (from.operand == static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE))
          return context(offsetof(__sk_buff, pkt_type));
        context(offsetof(__sk_buff, protocol));
        return put(BPF_ALU | BPF_END | BPF_TO_BE, kA, 0, 0, 16);
      default:
        return put(BPF_LD | BPF_IND | BPF_SIZE(from.code), 0, kX, 0, from.operand);
    }
  }
  void context(std::size_t member) { put(BPF_LDX | BPF_MEM | BPF_W, kA, kPacket, static_cast<std::int16_t>(member)); }

  // Comparisons stand in front of a jump that one of their outcomes takes and the other skips; the two become one.
  void jump(const FilterInstruction& from) {
    if (BPF_OP(from.code) == BPF_JA) {
      put(BPF_JMP | BPF_JA, 0);
      return jump_to(at_ + 1 + from.operand);
    }
    const bool when = from.jump_false != 0;
    const std::size_t target = at_ + 2 + from_[at_ + 1].operand;
    const unsigned operation = when ? BPF_OP(from.code) : opposite(BPF_OP(from.code));
    if (!when && BPF_OP(from.code) == BPF_JSET) {  // has no opposite
      put(BPF_JMP32 | BPF_JSET | BPF_K, kA, 0, 1, from.operand);
      put(BPF_JMP | BPF_JA, 0);
    } else {
      put(BPF_JMP32 | operation | BPF_SRC(from.code), kA, source(from), 0, from.operand);
    }
    jump_to(target);
    starts_.push_back(code_.size());  // of the jump, which nothing else goes to
    ++at_;
  }
  static unsigned opposite(unsigned operation) noexcept {
    switch (operation) {
      case BPF_JEQ:
        return BPF_JNE;
      case BPF_JGE:
        return BPF_JLT;
      default:
        return BPF_JLE;  // of BPF_JGT
    }
  }

  const std::vector<FilterInstruction>& from_;
  std::size_t at_ = 0;
  std::vector<bpf_insn> code_;
  std::vector<std::size_t> starts_;                         // of each classic instruction, in code_
  std::vector<std::pair<std::size_t, std::size_t>> jumps_;  // from in code_, to in from_
};

constexpr const char* kNeedsCapability = "a loaded one takes CAP_BPF";

// Asked first, as a service may be killed for a system call that its unit does not allow.
bool may_load() noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  const auto has = [&data](unsigned capability) {
    return (data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
  };
  return has(CAP_BPF) || has(CAP_SYS_ADMIN);
}

}  // namespace

LoadedProgram load_program(const std::vector<FilterInstruction>& program) {
  if (!may_load()) return {UniqueFd{}, kNeedsCapability};
  const std::vector<bpf_insn> code = Translator{program}.translate();
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  const int fd =
      ::bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "chompy_steer", "Apache-2.0", code.data(), code.size(), &options);
  if (fd >= 0) return {UniqueFd{fd}, ""};
  const int error = errno;
  return {UniqueFd{},
          error == EPERM ? kNeedsCapability : std::string{"the kernel refused one: "} + std::strerror(error)};
}

SteeringPrograms::SteeringPrograms(std::uint32_t tunnel_depth)
    : ethernet_{load_program(
          steering_program(as_deep_as(tunnel_depth, kLoadedLimits), link_octets(LinkType::ethernet)))},
      bare_{load_program(steering_program(as_deep_as(tunnel_depth, kLoadedLimits), link_octets(LinkType::raw_ip)))} {}

}  // namespace whiteowl
