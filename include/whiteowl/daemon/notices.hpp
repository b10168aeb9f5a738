// SPDX-License-Identifier: Apache-2.0
// What the operator should hear of without asking: packets lost, interfaces down and up, a full table, records lost.
// Read off the counters once a second.
// Promise: a trouble is told when it begins, and while it goes on at most once in a minute, with how much it was since.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "whiteowl/base/time.hpp"
#include "whiteowl/daemon/counters.hpp"

namespace whiteowl {

struct Notice {
  bool warning = true;  // else it is good news
  std::string text;
};

class Notices {
 public:
  static constexpr Duration kPause = std::chrono::seconds{60};  // between two about the same trouble
  static constexpr std::size_t kTroubles = 4;

  // `hardware_stamps`: the network cards are asked to stamp the packets.
  explicit Notices(bool hardware_stamps = false) : stamps_wanted_{hardware_stamps} {}
  // What has happened since the last call; `now` on a clock that only goes forward.
  [[nodiscard]] std::vector<Notice> look(const CounterSources& sources, Duration now);

 private:
  struct Trouble {
    std::uint64_t told = 0;  // of the counter, up to the last notice
    Duration silent_until = Duration::min();
    // By how much the counter rose, if it is time to say so.
    [[nodiscard]] std::uint64_t take(std::uint64_t counter, Duration now) noexcept;
  };
  struct Link {
    Trouble losses;
    bool away = false;  // as told
    bool stamps_judged = false;
    std::string obstacle;  // as told
  };
  void look_at_links(const CounterSources& sources, Duration now, std::vector<Notice>& notices);

  void look_for_obstacles(const CounterSources& sources, std::size_t interface, std::vector<Notice>& notices);
  void judge_stamps(const CounterSources& sources, std::size_t interface, std::vector<Notice>& notices);

  bool stamps_wanted_;
  std::array<Trouble, kTroubles> troubles_;
  std::vector<Link> links_;  // by interface
};

}  // namespace whiteowl
