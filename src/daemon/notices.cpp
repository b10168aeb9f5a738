// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/notices.hpp"

#include <spdlog/fmt/fmt.h>

namespace whiteowl {
namespace {

using namespace counter_place;

std::uint64_t all_evictions(const CounterSources& sources) {
  return meter<&MeterCounters::evictions>(sources) + meter<&MeterCounters::evictions_half_open>(sources);
}

struct Kind {
  std::uint64_t (*read)(const CounterSources&);
  const char* text;  // with the number
};

constexpr std::array<Kind, Notices::kTroubles> kKinds{{
    {capture<&CaptureCounters::packets_dropped>,
     "{} packets lost because a ring was full; a larger capture.buffer_size_mb or more capture.workers may help"},
    {&all_evictions, "the flow table is full: {} conversations exported early; raise flow.max_flows"},
    {&queue_and_exporter<&QueueCounters::records_not_sent, &ExportCounters::records_not_sent>,
     "{} records lost on their way out"},
    {classifier<&ClassifierCounters::clock_steps_back>, "packet stamps went back by more than a second {} times"},
}};

}  // namespace

std::uint64_t Notices::Trouble::take(std::uint64_t counter, Duration now) noexcept {
  if (counter <= told || now < silent_until) return 0;
  silent_until = now + kPause;
  return counter - std::exchange(told, counter);
}

std::vector<Notice> Notices::look(const CounterSources& sources, Duration now) {
  std::vector<Notice> notices;
  look_at_links(sources, now, notices);
  for (std::size_t i = 0; i < kTroubles; ++i) {
    const std::uint64_t risen = troubles_[i].take(kKinds[i].read(sources), now);
    if (risen != 0) notices.push_back({true, fmt::format(fmt::runtime(kKinds[i].text), risen)});
  }
  return notices;
}

void Notices::look_at_links(const CounterSources& sources, Duration now, std::vector<Notice>& notices) {
  links_.resize(interface_count(sources));
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const std::string& name = interface_name(sources, i);
    Link& link = links_[i];
    const bool away = interface_sum(sources, i, &InterfaceCounters::away) != 0;
    // Each worker has a ring on it and loses it for itself.
    const std::uint64_t readers = sources.readers.size();
    const std::uint64_t losses = (interface_sum(sources, i, &InterfaceCounters::link_losses) + readers - 1) / readers;
    if (const std::uint64_t times = link.losses.take(losses, now); times != 0) {
      const std::string often = times == 1 ? "" : fmt::format(", {} times since the last word", times);
      notices.push_back({true, name + ": the interface went down or away" + often + "; waiting for it"});
      link.away = true;
    } else if (away && !link.away && losses == 0) {
      notices.push_back({true, name + ": the interface is down or not there; waiting for it"});
      link.away = true;
    }
    if (!link.stamps_judged && stamps_wanted_) judge_stamps(sources, i, notices);
    look_for_obstacles(sources, i, notices);
    if (link.away && !away) {
      notices.push_back({false, name + ": the interface is up, capturing"});
      link.away = false;
      link.obstacle.clear();
    }
  }
}

// Each worker meets the same one.
void Notices::look_for_obstacles(const CounterSources& sources, std::size_t interface, std::vector<Notice>& notices) {
  std::string& told = links_[interface].obstacle;
  for (const auto& reader : sources.readers) {
    const auto obstacle = reader.interfaces[interface].obstacle.take();
    if (!obstacle || *obstacle == told) continue;
    told = *obstacle;
    notices.push_back({true, interface_name(sources, interface) + ": the interface is there but cannot be captured (" +
                                 told + "); waiting until it can"});
  }
}

void Notices::judge_stamps(const CounterSources& sources, std::size_t interface, std::vector<Notice>& notices) {
  constexpr std::uint64_t kEnough = 100;  // packets: those that this host sends bear no stamp of reception
  const std::uint64_t packets = interface_sum(sources, interface, &InterfaceCounters::packets_received);
  if (packets < kEnough) return;
  links_[interface].stamps_judged = true;
  if (interface_sum(sources, interface, &InterfaceCounters::hardware_stamps) != 0) return;
  notices.push_back({true, interface_name(sources, interface) +
                               ": the network card stamps no packets, so the kernel's time stamps are used; "
                               "switch its stamping on (hwstamp_ctl), or set capture.timestamps: software"});
}

}  // namespace whiteowl
