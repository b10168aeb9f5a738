// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/memory_need.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "whiteowl/base/error.hpp"
#include "whiteowl/capture/ring_source.hpp"
#include "whiteowl/daemon/reader.hpp"
#include "whiteowl/exporter/exporter.hpp"
#include "whiteowl/flow/meter.hpp"

namespace whiteowl {
namespace {

class Nowhere final : public RecordSink {
 public:
  void put(const FlowRecord& /*record*/) noexcept override {}
};

struct Budget {
  std::uint64_t machine, group;
  [[nodiscard]] bool holds(const MemoryNeed& need) const noexcept {
    return need.tables + need.rings <= machine && need.tables <= group;
  }
};

// Programs and files need room, too, and an estimate is none to the last page.
std::uint64_t most_of(std::uint64_t octets) noexcept { return octets - octets / 16; }

Budget budget_of(const MemoryRoom& room, InputKind kind) noexcept {
  if (kind == InputKind::file) return {room.machine.total, room.group.total};
  return {most_of(room.machine.left), most_of(room.group.left)};
}

struct Knob {
  const char* key;
  std::uint32_t least;
  std::uint32_t& (*of)(Config&);
};
constexpr std::array kKnobs = {
    Knob{"flow.max_flows", 16, [](Config& c) -> std::uint32_t& { return c.flow.max_flows; }},
    Knob{"capture.buffer_size_mb", 1, [](Config& c) -> std::uint32_t& { return c.capture.buffer_size_mb; }},
    Knob{"export.queue_records", 64, [](Config& c) -> std::uint32_t& { return c.exporter.queue_records; }},
    Knob{"tcp.syn_cache_max", 10, [](Config& c) -> std::uint32_t& { return c.tcp.syn_cache_max; }},
};

MemoryNeed need_with(const Config& config, InputKind kind, const Knob& knob, std::uint32_t value) {
  Config changed = config;
  knob.of(changed) = value;
  return memory_need(changed, kind);
}

// The largest round value that fits; nothing if none does.
std::optional<std::uint32_t> fitting(const Config& config, InputKind kind, const Budget& budget, const Knob& knob) {
  Config copy = config;
  std::uint32_t fits = knob.least, too_much = knob.of(copy);
  if (too_much <= fits || !budget.holds(need_with(config, kind, knob, fits))) return std::nullopt;
  while (too_much - fits > std::max(1U, fits / 128)) {
    const std::uint32_t middle = fits + (too_much - fits) / 2;
    (budget.holds(need_with(config, kind, knob, middle)) ? fits : too_much) = middle;
  }
  std::uint32_t unit = 1;
  while (fits / unit >= 100) unit *= 10;
  return std::max(fits / unit * unit, knob.least);
}

std::string size(std::uint64_t octets) {
  const double mebibytes = static_cast<double>(octets) / (1024.0 * 1024.0);
  return mebibytes < 1024 ? fmt::format("{:.0f} MiB", mebibytes) : fmt::format("{:.1f} GiB", mebibytes / 1024);
}

std::uint64_t all(const MemoryNeed& need) noexcept { return need.tables + need.rings; }

// The setting that takes most, with what it may be; all those that take much, where one is not enough.
std::string advice(const Config& config, InputKind kind, const Budget& budget) {
  const Knob* most = nullptr;
  std::uint64_t saved_by_most = 0;
  for (const Knob& knob : kKnobs) {
    const std::uint64_t saved = all(memory_need(config, kind)) - all(need_with(config, kind, knob, knob.least));
    if (most != nullptr && saved <= saved_by_most) continue;
    most = &knob;
    saved_by_most = saved;
  }
  Config copy = config;
  if (const auto value = fitting(config, kind, budget, *most))
    return fmt::format("lower {} from {} to {}", most->key, most->of(copy), *value);
  return "lower flow.max_flows, capture.buffer_size_mb and export.queue_records";
}

}  // namespace

MemoryNeed memory_need(const Config& config, InputKind kind) {
  const bool live = kind == InputKind::live;
  const std::uint32_t workers = live ? worker_count(config.capture) : std::max(config.capture.workers, 1U);
  FlowSettings flow = config.flow;
  flow.prefault = Prefault::no;  // addresses only: the tables themselves say what they would take
  Nowhere nowhere;
  const Meter meter{flow, config.tcp, config.decode, workers, nowhere};
  const RecordQueue queue{config.exporter.queue_records, Prefault::no};
  MemoryNeed need;
  need.tables = std::uint64_t{workers} * (meter.memory_octets() + queue.capacity() * sizeof(FlowRecord));
  if (!live && workers > 1) need.tables += Reader::memory_octets_for(workers);
  if (live)
    need.rings =
        std::uint64_t{workers} * config.capture.interfaces.size() * ring_geometry(config.capture, workers).octets();
  return need;
}

void require_memory(const Config& config, InputKind kind, const MemoryRoom& room, Rings rings) {
  const MemoryNeed need = memory_need(config, kind);
  Budget budget = budget_of(room, kind);
  // Those of the process before are taken already.
  if (rings == Rings::there) budget.machine += std::min(need.rings, MemoryRoom::kNoLimit - budget.machine);
  if (budget.holds(need)) return;
  const bool file = kind == InputKind::file;
  const bool of_group = need.tables > budget.group;
  const MemoryRoom::Place& place = of_group ? room.group : room.machine;
  throw StartError{
      ExitStatus::failure,
      fmt::format("not enough memory: {} needed (rings {}, flow tables {}), {} {}{}; {}", size(all(need)),
                  size(need.rings), size(need.tables), size(file ? place.total : place.left), file ? "there" : "left",
                  of_group ? " in the control group" : "", advice(config, kind, budget))};
}

}  // namespace whiteowl
