// SPDX-License-Identifier: Apache-2.0
// The packet path takes no memory: a program of its own, because it replaces the global allocation functions.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "support/memory.hpp"
#include "support/random_traffic.hpp"
#include "whiteowl/flow/meter.hpp"

namespace {
std::atomic<std::uint64_t> allocations{0};

void* counted(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc{};
  return memory;
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

using namespace whiteowl;
using namespace whiteowl::test;

namespace {

class CountingSink final : public RecordSink {
 public:
  void put(const FlowRecord& record) noexcept override { packets += record.packets; }
  std::uint64_t packets = 0;
};

}  // namespace

TEST_CASE("the counter of allocations counts") {
  const std::uint64_t before = allocations.load();
  delete new int{1};
  CHECK(allocations.load() == before + 1);
}

TEST_CASE("a million packets through decoding, flows, TCP, eviction and expiry take no memory") {
  const auto frames = RandomTraffic{1, 60}.frames(50'000);
  CountingSink sink;
  FlowSettings flow;
  flow.max_flows = 2000;
  Meter meter{flow, TcpSettings{}, DecodeSettings{}, 1, sink};
  const std::uint64_t before = allocations.load();
  for (int turn = 0; turn < 20; ++turn) {
    MemorySource source{frames};
    for (;;) {
      const FrameBatch& batch = source.read();
      meter.observe(batch);
      if (batch.end) break;
    }
  }
  meter.flush(FlowEndReason::forced_end);
  CHECK(allocations.load() == before);
  CHECK(sink.packets > 900'000);
}
