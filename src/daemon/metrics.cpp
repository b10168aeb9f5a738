// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <string_view>
#include <utility>

#include "whiteowl/base/error.hpp"

namespace whiteowl {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(std::string_view part, std::string_view name, std::string_view sentence, CounterKind kind) {
  MetricFamily made;
  made.type = kind == CounterKind::now ? MetricType::Gauge : MetricType::Counter;
  made.name = "chompy_probe_" + std::string{part} + std::string{name};
  // Prometheus wants to know a total by its name.
  if (made.type == MetricType::Counter && !name.ends_with("_total")) made.name += "_total";
  made.help = sentence;
  return made;
}

void add(MetricFamily& to, std::uint64_t value, std::string_view label = {}, std::string_view of = {}) {
  ClientMetric metric;
  if (!label.empty()) metric.label.push_back({std::string{label}, std::string{of}});
  if (to.type == MetricType::Gauge) {
    metric.gauge.value = static_cast<double>(value);
  } else {
    metric.counter.value = static_cast<double>(value);
  }
  to.metric.push_back(std::move(metric));
}

std::vector<MetricFamily> collect(const CounterSources& sources) {
  std::vector<MetricFamily> families;
  for (const CounterRow& row : kCounterTable) {
    MetricFamily& made = families.emplace_back(family("", row.name, row.sentence, row.kind));
    if (row.kind != CounterKind::by_reason) {
      add(made, row.read(sources));
      continue;
    }
    for (std::size_t i = 1; i < kDiscardCount; ++i)
      add(made, packets_discarded(sources, static_cast<Discard>(i)), "reason", kDiscardNames[i]);
  }
  for (const InterfaceCounterRow& row : kInterfaceCounterTable) {
    if (interface_count(sources) == 0) break;
    MetricFamily& made = families.emplace_back(family("interface_", row.name, row.sentence, row.kind));
    for (std::size_t i = 0; i < interface_count(sources); ++i)
      add(made, interface_sum(sources, i, row.member), "interface", interface_name(sources, i));
  }
  return families;
}

}  // namespace

UniqueFd listen_for_metrics(const std::string& listen) {
  try {
    return listen_at(listen);
  } catch (const std::exception& error) {
    throw StartError{ExitStatus::failure, "metrics.listen: cannot listen on " + listen + " (" + error.what() +
                                              "): the port is in use or the address is not ours"};
  }
}

MetricsPage::MetricsPage(UniqueFd listener, const CounterSources& sources)
    : server_{std::move(listener),
              {.path = "/metrics", .content_type = "text/plain; version=0.0.4; charset=utf-8", .make = [&sources] {
                 return prometheus::TextSerializer{}.Serialize(collect(sources));
               }}} {}

}  // namespace whiteowl
