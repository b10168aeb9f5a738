// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/capture/fanout.hpp"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

#include "whiteowl/base/error.hpp"
#include "whiteowl/capture/loaded_program.hpp"
#include "whiteowl/capture/steering.hpp"
#include "whiteowl/packet/headers.hpp"

namespace whiteowl {
namespace {

std::string place(const FanoutPlan& plan) {
  return "capture.fanout_group: group " + std::to_string(plan.id) + " on " + plan.interface;
}

[[noreturn]] void refuse(const FanoutPlan& plan, int error) {
  if (error == EINVAL || error == EALREADY)
    throw StartError{ExitStatus::failure, place(plan) +
                                              " is in use with another mode or for another interface: choose another "
                                              "group, or the same fanout_mode, decode.tunnels and defragment"};
  if (error == ENOSPC)
    throw StartError{ExitStatus::failure, place(plan) + " has no room for another member (256): use fewer workers"};
  throw StartError{ExitStatus::failure, place(plan) + ": " + std::strerror(error)};
}

// 0, or the error.
int try_to_join(int fd, const FanoutPlan& plan, std::uint32_t type) noexcept {
  if (plan.defragment) type |= PACKET_FANOUT_FLAG_DEFRAG;
  const std::uint32_t group = plan.id | (type << 16U);
  return ::setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof group) == 0 ? 0 : errno;
}

void set_classic_program(int fd, const FanoutPlan& plan) {
  const auto program = steering_program(as_deep_as(plan.tunnel_depth, kClassicLimits), link_octets(plan.link));
  std::vector<sock_filter> code;
  code.reserve(program.size());
  for (const auto& from : program) code.push_back({from.code, from.jump_true, from.jump_false, from.operand});
  const sock_fprog given{static_cast<unsigned short>(code.size()), code.data()};
  if (::setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &given, sizeof given) != 0) refuse(plan, errno);
}

void set_loaded_program(int fd, const FanoutPlan& plan, const LoadedProgram& loaded) {
  const int program = loaded.fd.get();  // the group holds on to it
  if (::setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &program, sizeof program) != 0) refuse(plan, errno);
}

using LetIn = std::function<void()>;

Fanout join_plain(int fd, const FanoutPlan& plan, const LetIn& let_in, std::uint32_t type, Fanout::By by) {
  if (const int error = try_to_join(fd, plan, type); error != 0) refuse(plan, error);
  let_in();
  return {by, ""};
}

// The first member of a group is its only one while the program is not set, and every other one sets the same.
Fanout join_steered(int fd, const FanoutPlan& plan, const LetIn& let_in) {
  const auto programs = plan.programs ? plan.programs : std::make_shared<SteeringPrograms>(plan.tunnel_depth);
  const LoadedProgram& loaded = programs->of(plan.link);
  // Whether it is a member now.  Another type than the group's is EINVAL.
  const auto joins = [&](std::uint32_t type) {
    const int error = try_to_join(fd, plan, type);
    if (error == 0) let_in();
    if (error != 0 && error != EINVAL) refuse(plan, error);
    return error == 0;
  };
  if (loaded.fd && joins(PACKET_FANOUT_EBPF)) {
    set_loaded_program(fd, plan, loaded);
    return {Fanout::By::loaded_program, ""};
  }
  if (joins(PACKET_FANOUT_CBPF)) {
    set_classic_program(fd, plan);
    return {Fanout::By::classic_program, loaded.fd ? "as the group was when we came" : loaded.why_not};
  }
  // A member that may load programs has given the group one, and the kernel applies it to all: it needs no other.
  if (plan.shared && !loaded.fd && joins(PACKET_FANOUT_EBPF))
    return {Fanout::By::loaded_program, "that of another member"};
  if (plan.shared) refuse(plan, EINVAL);
  // In a group of our own there is nobody to disagree with, so the kernel knows no such type.
  Fanout fanout = join_plain(fd, plan, let_in, PACKET_FANOUT_HASH, Fanout::By::hash);
  fanout.remark = "this kernel cannot steer, so conversations in tunnels may be torn apart";
  return fanout;
}

}  // namespace

std::string Fanout::text() const {
  constexpr std::array<std::string_view, 6> kTexts{
      "hash", "cpu", "queue mapping", "round robin", "steered by a classic program", "steered by a loaded program"};
  std::string text{kTexts.at(static_cast<std::size_t>(by))};
  if (!remark.empty()) text += ": " + remark;
  return text;
}

Fanout join_fanout(int fd, const FanoutPlan& plan, const std::function<void()>& let_in) {
  switch (chosen_mode(plan.mode, plan.tunnel_depth > 0)) {
    case FanoutMode::steer:
      return join_steered(fd, plan, let_in);
    case FanoutMode::cpu:
      return join_plain(fd, plan, let_in, PACKET_FANOUT_CPU, Fanout::By::cpu);
    case FanoutMode::queue_mapping:
      return join_plain(fd, plan, let_in, PACKET_FANOUT_QM, Fanout::By::queue_mapping);
    case FanoutMode::round_robin:
      return join_plain(fd, plan, let_in, PACKET_FANOUT_LB, Fanout::By::round_robin);
    case FanoutMode::automatic:
    case FanoutMode::hash:
      break;
  }
  return join_plain(fd, plan, let_in, PACKET_FANOUT_HASH, Fanout::By::hash);
}

std::optional<Fanout> joined_fanout(int fd) {
  std::uint32_t group = 0;
  socklen_t size = sizeof group;
  if (::getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, &size) != 0 || group == 0) return std::nullopt;
  switch (group >> 16U & 0xFFU) {
    case PACKET_FANOUT_CPU:
      return Fanout{Fanout::By::cpu, ""};
    case PACKET_FANOUT_QM:
      return Fanout{Fanout::By::queue_mapping, ""};
    case PACKET_FANOUT_LB:
      return Fanout{Fanout::By::round_robin, ""};
    case PACKET_FANOUT_CBPF:
      return Fanout{Fanout::By::classic_program, ""};
    case PACKET_FANOUT_EBPF:
      return Fanout{Fanout::By::loaded_program, ""};
    default:
      return Fanout{Fanout::By::hash, ""};
  }
}

}  // namespace whiteowl
