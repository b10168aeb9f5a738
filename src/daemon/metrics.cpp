// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/metrics.hpp"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>

#include <string_view>

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

class CounterPage final : public prometheus::Collectable {
 public:
  explicit CounterPage(const CounterSources& sources) : sources_{sources} {}

  [[nodiscard]] std::vector<MetricFamily> Collect() const override {
    std::vector<MetricFamily> families;
    for (const CounterRow& row : kCounterTable) {
      MetricFamily& made = families.emplace_back(family("", row.name, row.sentence, row.kind));
      if (row.kind != CounterKind::by_reason) {
        add(made, row.read(sources_));
        continue;
      }
      for (std::size_t i = 1; i < kDiscardCount; ++i)
        add(made, packets_discarded(sources_, static_cast<Discard>(i)), "reason", kDiscardNames[i]);
    }
    for (const InterfaceCounterRow& row : kInterfaceCounterTable) {
      if (interface_count(sources_) == 0) break;
      MetricFamily& made = families.emplace_back(family("interface_", row.name, row.sentence, row.kind));
      for (std::size_t i = 0; i < interface_count(sources_); ++i)
        add(made, interface_sum(sources_, i, row.member), "interface", interface_name(sources_, i));
    }
    return families;
  }

 private:
  const CounterSources& sources_;
};

}  // namespace

struct MetricsPage::Impl {
  Impl(const std::string& listen, const CounterSources& sources)
      : page{std::make_shared<CounterPage>(sources)},
        exposer{std::vector<std::string>{"listening_ports", listen, "num_threads", "2"}} {
    exposer.RegisterCollectable(page);
  }
  std::shared_ptr<CounterPage> page;
  prometheus::Exposer exposer;
};

MetricsPage::MetricsPage(const std::string& listen, const CounterSources& sources) {
  try {
    impl_ = std::make_unique<Impl>(listen, sources);
  } catch (const std::exception&) {
    throw StartError{ExitStatus::failure,
                     "metrics.listen: cannot listen on " + listen + ": the port is in use or the address is not ours"};
  }
}

MetricsPage::~MetricsPage() = default;

std::vector<int> MetricsPage::ports() const { return impl_->exposer.GetListeningPorts(); }

}  // namespace whiteowl
