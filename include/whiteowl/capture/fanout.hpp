// SPDX-License-Identifier: Apache-2.0
// Fanout groups: how the kernel shares the packets of an interface among the rings on it (packet(7), PACKET_FANOUT).
// All members of a group choose alike: the kernel refuses one that comes with another way.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "whiteowl/capture/loaded_program.hpp"
#include "whiteowl/capture/settings.hpp"
#include "whiteowl/packet/frame.hpp"

namespace whiteowl {

// What automatic comes to.  Steering looks into tunnels, so it is for those who meter what is inside: of the outermost
// header the kernel's own hash is as good, and steering by more than is metered would tear a flow apart.
[[nodiscard]] constexpr FanoutMode chosen_mode(FanoutMode mode, bool inner) noexcept {
  if (mode == FanoutMode::automatic || mode == FanoutMode::steer) return inner ? FanoutMode::steer : FanoutMode::hash;
  return mode;
}
// Whether both directions of a conversation meet in one member.  A card that hashes symmetrically may do the same for
// queue_mapping, but nobody here can know.
[[nodiscard]] constexpr bool keeps_directions_together(FanoutMode mode, bool inner) noexcept {
  const FanoutMode chosen = chosen_mode(mode, inner);
  return chosen == FanoutMode::steer || (chosen == FanoutMode::hash && !inner);
}

// Whether the rings of an interface form a group at all: with others, of this process or of another, or because only a
// group puts fragments together.
[[nodiscard]] inline bool needs_group(const CaptureSettings& settings, std::uint32_t workers) noexcept {
  return workers > 1 || settings.fanout_group != 0 || settings.defragment;
}

struct FanoutPlan {
  std::string interface;
  LinkType link = LinkType::ethernet;
  std::uint16_t id = 0;
  FanoutMode mode = FanoutMode::hash;  // as set
  std::uint32_t tunnel_depth = 0;      // of what is metered; 0: the outermost IP header
  bool defragment = false;
  bool shared = false;                                    // others may be in the group
  std::shared_ptr<const SteeringPrograms> programs = {};  // null: loaded when they are needed
};

// What the kernel does now.
struct Fanout {
  enum class By : std::uint8_t { hash, cpu, queue_mapping, round_robin, classic_program, loaded_program };
  By by = By::hash;
  std::string remark;  // whose, or why not something better

  // As for a log line: "steered by a loaded program".
  [[nodiscard]] std::string text() const;
};

// By what the packets of a socket that is a member already are shared out; nothing if it is in no group.
[[nodiscard]] std::optional<Fanout> joined_fanout(int fd);

// Makes the bound packet socket `fd` a member, and calls `let_in` at once when it is one: packets are its own from then
// on.  Steering tries a loaded program (CAP_BPF), then a classic one.  If the group has one of the two already, that is
// joined.  Throws StartError if the group is in use with another mode.
[[nodiscard]] Fanout join_fanout(int fd, const FanoutPlan& plan, const std::function<void()>& let_in);

}  // namespace whiteowl
