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
    {meter<&MeterCounters::clock_steps_back>, "packet stamps went back by more than a second {} times"},
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
  const auto interfaces = sum_by_interface(sources);
  links_.resize(interfaces.size());
  for (std::size_t i = 0; i < interfaces.size(); ++i) {
    const InterfaceTotals& interface = interfaces[i];
    Link& link = links_[i];
    const bool away = interface.rings_away != 0;
    // Each worker has a ring on it and loses it for itself.
    const std::uint64_t losses = (interface.link_losses + sources.workers.size() - 1) / sources.workers.size();
    if (const std::uint64_t times = link.losses.take(losses, now); times != 0) {
      const std::string often = times == 1 ? "" : fmt::format(", {} times since the last word", times);
      notices.push_back({true, interface.name + ": the interface went down or away" + often + "; waiting for it"});
      link.away = true;
    } else if (away && !link.away && losses == 0) {
      notices.push_back({true, interface.name + ": the interface is down or not there; waiting for it"});
      link.away = true;
    }
    if (link.away && !away) {
      notices.push_back({false, interface.name + ": the interface is up, capturing"});
      link.away = false;
    }
  }
}

}  // namespace whiteowl
