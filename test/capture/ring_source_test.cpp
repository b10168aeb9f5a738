// SPDX-License-Identifier: Apache-2.0
// Real rings on real interfaces, in a network of the tests' own; the expected numbers are those of the frames sent.
#include "whiteowl/capture/ring_source.hpp"

#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/private_network.hpp"
#include "whiteowl/base/error.hpp"

using namespace whiteowl;
using namespace whiteowl::test;
using namespace std::chrono_literals;

namespace {

using Octets = std::vector<std::uint8_t>;
constexpr std::uint8_t kTcp = 6, kUdp = 17;

// Ethernet from the test's own address, tags, IPv4, ports, and an identification that tells frames apart.
struct Build {
  std::uint8_t protocol = kUdp;
  std::uint8_t source_host = 1, destination_host = 2;
  std::uint16_t source_port = 1000, destination_port = 2000;
  std::uint16_t id = 0;
  std::vector<std::pair<std::uint16_t, std::uint16_t>> tags{};  // TPID, TCI
  std::size_t size = 60;

  [[nodiscard]] Octets octets() const {
    Octets o{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
    const auto put16 = [&o](std::size_t value) {
      o.push_back(static_cast<std::uint8_t>(value >> 8U));
      o.push_back(static_cast<std::uint8_t>(value));
    };
    for (const auto& [tpid, tci] : tags) {
      put16(tpid);
      put16(tci);
    }
    put16(0x0800);
    const std::size_t network = o.size();
    o.insert(o.end(), {0x45, 0});
    put16(size - 14);
    put16(id);
    o.insert(o.end(), {0x40, 0, 64, protocol, 0, 0, 10, 0, 0, source_host, 10, 0, 0, destination_host});
    put16(source_port);
    put16(destination_port);
    put16(size - 14 - 20);  // UDP length; octets of no meaning in TCP
    o.resize(std::max(size, network + 40), 0);
    return o;
  }
};

struct Seen {
  Octets octets;
  Frame frame;
  [[nodiscard]] std::uint16_t id() const { return static_cast<std::uint16_t>((octets.at(18) << 8U) | octets.at(19)); }
};

void collect(const FrameBatch& batch, std::vector<Seen>& seen) {
  CHECK(batch.size <= FrameBatch::kCapacity);
  for (std::size_t i = 0; i < batch.size; ++i) {
    const Frame& frame = batch.frames[i];
    seen.push_back({Octets(frame.data, frame.data + frame.captured_octets), frame});
  }
}

// Everything that the source holds now, by stopping it.
std::vector<Seen> drain(RingSource& source) {
  std::vector<Seen> seen;
  source.stop();
  const auto deadline = std::chrono::steady_clock::now() + 3s;
  for (;;) {
    const FrameBatch& batch = source.read();
    collect(batch, seen);
    if (batch.end) break;
    if (std::chrono::steady_clock::now() > deadline) {
      CHECK_MESSAGE(false, "the source does not end");
      break;
    }
  }
  CHECK(source.counters().packets_received.get() >= seen.size());
  return seen;
}

// Reads until the condition holds; false if it does not within three seconds.
bool read_until(RingSource& source, std::vector<Seen>& seen, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 3s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    collect(source.read(), seen);
  }
  return true;
}

CaptureSettings settings_for(std::vector<std::string> interfaces) {
  CaptureSettings settings;
  settings.interfaces = std::move(interfaces);
  settings.buffer_size_mb = 8;
  return settings;
}

std::shared_ptr<FilterPrograms> filter_of(CaptureSettings settings, const std::string& expression) {
  settings.bpf_filter = expression;
  return compile_filter(settings);
}

using Sources = std::vector<std::unique_ptr<RingSource>>;
void add_members(Sources& sources, const CaptureSettings& settings, std::uint32_t workers, std::uint16_t group) {
  for (std::uint32_t worker = 0; worker < workers; ++worker)
    sources.push_back(std::make_unique<RingSource>(settings, worker, workers, group));
}

std::pair<ExitStatus, std::string> refusal(const CaptureSettings& settings, std::uint32_t workers = 1,
                                           std::uint16_t group = 1) {
  try {
    const RingSource source{settings, 0, workers, group};
  } catch (const StartError& error) {
    return {error.status(), error.what()};
  }
  return {ExitStatus::ok, ""};
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Counts of frames by identification.
std::map<std::uint16_t, int> by_id(const std::vector<Seen>& seen) {
  std::map<std::uint16_t, int> counts;
  for (const auto& s : seen) ++counts[s.id()];
  return counts;
}

// Takes away what this thread may do, and gives it back.
class WithoutCapabilities {
 public:
  WithoutCapabilities() {
    REQUIRE(::syscall(SYS_capget, &header_, data_) == 0);
    __user_cap_data_struct none[2] = {data_[0], data_[1]};
    none[0].effective = none[1].effective = 0;
    REQUIRE(::syscall(SYS_capset, &header_, none) == 0);
  }
  WithoutCapabilities(const WithoutCapabilities&) = delete;
  WithoutCapabilities& operator=(const WithoutCapabilities&) = delete;
  ~WithoutCapabilities() { ::syscall(SYS_capset, &header_, data_); }

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data_[2] = {};
};

}  // namespace

TEST_CASE("ring memory is shared out in blocks") {
  const auto whole = ring_geometry(64U << 20U, 1, 128);
  CHECK(whole.block_octets == 1U << 20U);
  CHECK(whole.octets() == 64U << 20U);
  const auto quarter = ring_geometry(64U << 20U, 4, 128);
  CHECK(quarter.octets() == 16U << 20U);
  // A share that is too small for 64 blocks of 1 MiB has smaller ones.
  CHECK(quarter.block_octets == 1U << 18U);
  CHECK(ring_geometry(1U << 20U, 1, 128).blocks == 16);
  // Never fewer than four blocks, and a whole frame fits into one.
  CHECK(ring_geometry(1U << 20U, 64, 128).blocks == 4);
  CHECK(ring_geometry(1U << 20U, 64, 262'144).block_octets > 262'144);
}

TEST_CASE("an own fanout id is never 0") {
  for (int i = 0; i < 1000; ++i) CHECK(own_fanout_id() != 0);
}

TEST_CASE("workers join in their order, and one that leaves the old interface late holds up nobody") {
  constexpr int kOld = 7, kNew = 9;
  JoinOrder order{2, 3};
  CHECK(order.may_join(1, 0, kOld));
  CHECK_FALSE(order.may_join(1, 1, kOld));
  for (std::uint32_t worker = 0; worker < 3; ++worker) order.joined(1, worker, kOld);
  // The interface is made anew; worker 0 is there before the others have noticed.
  order.left(1, 0);
  order.joined(1, 0, kNew);
  CHECK_FALSE(order.may_join(1, 2, kNew));
  order.left(1, 1);
  order.left(1, 2);
  CHECK(order.may_join(1, 1, kNew));
  CHECK_FALSE(order.may_join(1, 2, kNew));
  order.joined(1, 1, kNew);
  CHECK(order.may_join(1, 2, kNew));
  // The other interface has an order of its own.
  CHECK_FALSE(order.may_join(0, 1, kNew));
}

TEST_CASE("live capture works in a network of its own") {
  if (in_private_network()) return;
  if (!private_network_possible()) {
    CHECK_MESSAGE(std::getenv("CI") == nullptr, "no namespaces here");
    MESSAGE("skipped: user and network namespaces are forbidden here");
    return;
  }
  CHECK(passes_in_private_network("ring"));
}

TEST_SUITE("ring" * doctest::skip(!in_private_network())) {
  TEST_CASE("each frame is counted exactly once, and both directions of a flow reach one worker") {
    const Wire wire{"wa", "wb"};
    constexpr int kFlows = 200, kFrames = 3 * 2 * kFlows;
    for (const std::uint32_t workers : {1U, 4U}) {
      Sources sources;
      add_members(sources, settings_for({"wb"}), workers, 77);
      Sender sender{"wa"};
      std::uint16_t id = 0;
      for (int round = 0; round < 3; ++round) {
        for (std::uint16_t flow = 0; flow < kFlows; ++flow) {
          sender.send(
              Build{.source_port = static_cast<std::uint16_t>(10'000 + flow), .destination_port = 443, .id = id++}
                  .octets());
          sender.send(Build{.source_host = 2,
                            .destination_host = 1,
                            .source_port = 443,
                            .destination_port = static_cast<std::uint16_t>(10'000 + flow),
                            .id = id++}
                          .octets());
        }
      }
      std::map<std::uint16_t, int> counts;
      std::map<int, std::set<std::size_t>> workers_of_flow;
      std::uint64_t received = 0, octets = 0;
      for (std::size_t i = 0; i < sources.size(); ++i) {
        for (const auto& s : drain(*sources[i])) {
          ++counts[s.id()];
          workers_of_flow[s.id() % (2 * kFlows) / 2].insert(i);
          CHECK_FALSE(s.frame.outgoing);
        }
        received += sources[i]->counters().packets_received.get();
        octets += sources[i]->counters().octets_received.get();
        sources[i]->refresh_counters();
        CHECK(sources[i]->counters().packets_dropped.get() == 0);
      }
      CHECK(received == kFrames);
      CHECK(octets == kFrames * 60);
      CHECK(counts.size() == kFrames);
      std::set<std::size_t> used;
      for (const auto& [flow, of] : workers_of_flow) {
        CHECK(of.size() == 1);
        used.insert(of.begin(), of.end());
      }
      CHECK(used.size() == workers);
    }
  }

  TEST_CASE("two programs that name one group share the traffic") {
    const Wire wire{"wa", "wb"};
    CaptureSettings settings = settings_for({"wb"});
    settings.fanout_group = 9;
    Sources sources;
    add_members(sources, settings, 2, 9);
    add_members(sources, settings, 2, 9);
    Sender sender{"wa"};
    for (std::uint16_t id = 0; id < 2000; ++id) sender.send(Build{.source_port = id, .id = id}.octets());
    std::vector<Seen> all;
    for (auto& source : sources) {
      const auto part = drain(*source);
      CHECK(part.size() > 0);
      all.insert(all.end(), part.begin(), part.end());
    }
    CHECK(all.size() == 2000);
    CHECK(by_id(all).size() == 2000);
  }

  TEST_CASE("a member that joins under traffic makes no frame count twice") {
    const Wire wire{"wa", "wb"};
    CaptureSettings settings = settings_for({"wb"});
    settings.fanout_group = 9;
    Sources sources;
    add_members(sources, settings, 1, 9);
    {
      std::jthread traffic{[] {
        Sender sender{"wa"};
        for (std::uint32_t id = 0; id < 20'000; ++id)
          sender.send(
              Build{.source_port = static_cast<std::uint16_t>(id % 97), .id = static_cast<std::uint16_t>(id)}.octets());
      }};
      for (int i = 0; i < 3; ++i) add_members(sources, settings, 1, 9);
    }
    std::vector<Seen> all;
    for (auto& source : sources) {
      const auto part = drain(*source);
      all.insert(all.end(), part.begin(), part.end());
    }
    bool twice = false;
    for (const auto& [id, count] : by_id(all)) twice = twice || count > 1;
    CHECK_FALSE(twice);
    CHECK(all.size() > 19'000);  // between joining and letting in, a member's share passes unseen
  }

  TEST_CASE("a tag that the kernel stripped arrives beside the frame") {
    const Wire wire{"wa", "wb"};
    RingSource source{settings_for({"wb"}), 0, 1, 1};
    Sender sender{"wa"};
    sender.send(Build{.id = 1, .tags = {{0x8100, 0x6064}}}.octets());  // priority 3, VLAN 100
    sender.send(Build{.id = 2, .tags = {{0x88A8, 100}, {0x8100, 200}}}.octets());
    sender.send(Build{.id = 3}.octets());
    const auto seen = drain(source);
    REQUIRE(seen.size() == 3);
    CHECK(seen[0].frame.vlan_tpid == 0x8100);
    CHECK(seen[0].frame.vlan_tci == 0x6064);
    CHECK(seen[0].id() == 1);
    CHECK(seen[1].frame.vlan_tpid == 0x88A8);
    CHECK(seen[1].frame.vlan_tci == 100);
    CHECK(seen[1].octets.at(12) == 0x81);
    CHECK(seen[2].frame.vlan_tpid == 0);
    CHECK(seen[2].frame.vlan_tci == 0);
  }

  TEST_CASE("filters see tags that the kernel stripped") {
    const Wire wire{"wa", "wb"};
    const std::vector<std::pair<std::string, std::size_t>> expected = {
        {"vlan 100", 2}, {"vlan 100 and tcp", 1}, {"vlan 100 and vlan 200", 1}, {"not vlan", 1}, {"tcp", 2},
        {"udp", 0}};
    for (const auto& [expression, count] : expected) {
      const std::string& filter = expression;  // a structured binding cannot be captured by CAPTURE
      CAPTURE(filter);
      CaptureSettings settings = settings_for({"wb"});
      settings.bpf_filter = filter;
      RingSource source{settings, 0, 1, 1};
      Sender sender{"wa"};
      sender.send(Build{.protocol = kTcp, .tags = {{0x8100, 100}}}.octets());
      sender.send(Build{.protocol = kTcp}.octets());
      sender.send(Build{.protocol = kTcp, .tags = {{0x8100, 100}, {0x8100, 200}}}.octets());
      CHECK(drain(source).size() == count);
    }
  }

  TEST_CASE("the snap length cuts what is captured but not the length on the wire") {
    const Wire wire{"wa", "wb"};
    for (const std::string filter : {"", "udp"}) {
      CaptureSettings settings = settings_for({"wb"});
      settings.snap_len = 96;
      settings.bpf_filter = filter;
      RingSource source{settings, 0, 1, 1};
      Sender sender{"wa"};
      sender.send(Build{.size = 1400}.octets());
      sender.send(Build{.size = 90}.octets());
      const auto seen = drain(source);
      REQUIRE(seen.size() == 2);
      CHECK(seen[0].octets.size() == 96);
      CHECK(seen[0].frame.wire_octets == 1400);
      CHECK(seen[1].octets.size() == 90);
      CHECK(source.counters().packets_cut.get() == 1);
      CHECK(source.counters().octets_received.get() == 1490);
    }
  }

  TEST_CASE("a frame is stamped with the time of its arrival") {
    const Wire wire{"wa", "wb"};
    RingSource source{settings_for({"wb"}), 0, 1, 1};
    Sender sender{"wa"};
    const Timestamp before = std::chrono::system_clock::now();
    sender.send(Build{}.octets());
    const Timestamp after = std::chrono::system_clock::now();
    const auto seen = drain(source);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].frame.time >= before - 1ms);
    CHECK(seen[0].frame.time <= after + 1ms);
  }

  TEST_CASE("an empty batch moves the watermark to what must have arrived") {
    const Wire wire{"wa", "wb"};
    RingSource source{settings_for({"wb"}), 0, 1, 1};
    const auto begin = std::chrono::steady_clock::now();
    const Timestamp first = source.read().watermark;
    CHECK(std::chrono::steady_clock::now() - begin < 300ms);
    const FrameBatch& batch = source.read();
    CHECK(batch.size == 0);
    REQUIRE(batch.has_watermark);
    CHECK(batch.watermark > first);
    CHECK(std::chrono::system_clock::now() - batch.watermark >= 60ms);
    CHECK(std::chrono::system_clock::now() - batch.watermark < 400ms);
  }

  TEST_CASE("frames that this host sends are marked, and loopback's count once") {
    const Wire wire{"wa", "wb"};
    run("ip link set lo up");
    RingSource source{settings_for({"wb"}), 0, 1, 1};
    Sender{"wb"}.send(Build{.id = 5}.octets());
    Sender{"wa"}.send(Build{.id = 6}.octets());
    const auto seen = drain(source);
    REQUIRE(seen.size() == 2);
    CHECK(seen[0].frame.outgoing);
    CHECK_FALSE(seen[1].frame.outgoing);

    RingSource loopback{settings_for({"lo"}), 0, 1, 1};
    Sender to_itself{"lo"};
    for (std::uint16_t id = 0; id < 100; ++id) to_itself.send(Build{.id = id}.octets());
    CHECK(drain(loopback).size() == 100);
    CHECK(loopback.counters().packets_received.get() == 100);
  }

  TEST_CASE("frames of a TAP's two legs come in the order of their stamps") {
    const Wire east{"ea", "eb"};
    const Wire west{"wa", "wb"};
    RingSource source{settings_for({"eb", "wb"}), 0, 1, 65'535};
    Sender from_east{"ea"}, from_west{"wa"};
    for (std::uint16_t id = 0; id < 3000; ++id) (id % 3 == 0 ? from_west : from_east).send(Build{.id = id}.octets());
    std::vector<Seen> seen;
    CHECK(read_until(source, seen, [&] { return seen.size() >= 3000; }));
    REQUIRE(seen.size() == 3000);
    bool in_order = true;
    for (std::uint16_t id = 0; id < 3000; ++id)
      in_order = in_order && seen[id].id() == id && seen[id].frame.interface == (id % 3 == 0 ? 1 : 0);
    CHECK(in_order);
    // A leg that stays silent holds the other up for a moment only.
    const auto sent = std::chrono::steady_clock::now();
    from_east.send(Build{.id = 1}.octets());
    CHECK(read_until(source, seen, [&] { return seen.size() > 3000; }));
    CHECK(std::chrono::steady_clock::now() - sent < 500ms);
    from_west.send(Build{.id = 2}.octets());
    CHECK(drain(source).size() == 1);
  }

  TEST_CASE("what the kernel drops is counted, and nothing is counted twice") {
    const Wire wire{"wa", "wb"};
    CaptureSettings settings = settings_for({"wb"});
    settings.buffer_size_mb = 1;
    RingSource source{settings, 0, 1, 1};
    Sender sender{"wa"};
    for (int i = 0; i < 12'000; ++i) sender.send(Build{.size = 128}.octets());
    source.refresh_counters();
    source.refresh_counters();
    const auto seen = drain(source);
    source.refresh_counters();
    CHECK(source.counters().packets_dropped.get() > 0);
    CHECK(source.counters().ring_freezes.get() > 0);
    CHECK(source.counters().packets_received.get() == seen.size());
    CHECK(source.counters().packets_received.get() + source.counters().packets_dropped.get() == 12'000);
  }

  TEST_CASE("a link that goes down and up again does not end the source") {
    const Wire wire{"wa", "wb"};
    RingSource source{settings_for({"wb"}), 0, 1, 1};
    std::vector<Seen> seen;
    Sender{"wa"}.send(Build{.id = 1}.octets());
    CHECK(read_until(source, seen, [&] { return seen.size() == 1; }));
    run("ip link set wb down");
    CHECK(read_until(source, seen, [&] { return source.counters().interfaces_away.get() == 1; }));
    CHECK(source.counters().link_losses.get() == 1);
    // No spinning while it is down: a read waits.
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 3; ++i) (void)source.read();
    CHECK(std::chrono::steady_clock::now() - begin > 200ms);
    run("ip link set wb up");
    CHECK(read_until(source, seen, [&] { return source.counters().interfaces_away.get() == 0; }));
    Sender{"wa"}.send(Build{.id = 2}.octets());
    CHECK(read_until(source, seen, [&] { return seen.size() == 2; }));
    CHECK(source.counters().link_losses.get() == 1);
    run("ip -details link show wb | grep -q 'promiscuity 1'");
  }

  TEST_CASE("an interface that is deleted and made anew is captured again by all workers") {
    auto wire = std::make_unique<Wire>("wa", "wb");
    Sources sources;
    const RingStore shared{.order = std::make_shared<JoinOrder>(1, 2U)};
    for (std::uint32_t worker = 0; worker < 2; ++worker) {
      sources.push_back(std::make_unique<RingSource>(settings_for({"wb"}), worker, 2U, std::uint16_t{5}, shared));
    }
    std::vector<Seen> seen;
    Sender{"wa"}.send(Build{.id = 1}.octets());
    wire.reset();
    wire = std::make_unique<Wire>("wa", "wb");
    // Both have to let go of the old group before either can join the new one.
    const auto deadline = std::chrono::steady_clock::now() + 4s;
    const auto lost = [&] {
      return sources[0]->counters().link_losses.get() + sources[1]->counters().link_losses.get();
    };
    const auto away = [&] {
      return sources[0]->counters().interfaces_away.get() + sources[1]->counters().interfaces_away.get();
    };
    while ((lost() < 2 || away() > 0) && std::chrono::steady_clock::now() < deadline) {
      for (auto& source : sources) collect(source->read(), seen);
    }
    REQUIRE(away() == 0);
    CHECK(seen.size() == 1);  // what was captured before the loss is not lost with it
    Sender sender{"wa"};
    for (std::uint16_t id = 2; id <= 300; ++id) sender.send(Build{.source_port = id, .id = id}.octets());
    for (auto& source : sources) {
      const auto part = drain(*source);
      CHECK(part.size() > 0);
      seen.insert(seen.end(), part.begin(), part.end());
    }
    CHECK(seen.size() == 300);
    CHECK(by_id(seen).size() == 300);
    run("ip -details link show wb | grep -q 'promiscuity 2'");
  }

  TEST_CASE("both directions of a tap's conversations meet in one worker, also after a leg was made anew") {
    auto east = std::make_unique<Wire>("ea", "eb");
    const Wire west{"wa", "wb"};
    constexpr std::uint32_t kWorkers = 3;
    Sources sources;
    const RingStore shared{.order = std::make_shared<JoinOrder>(2, kWorkers)};
    for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
      sources.push_back(
          std::make_unique<RingSource>(settings_for({"eb", "wb"}), worker, kWorkers, std::uint16_t{5}, shared));
    }
    east.reset();
    east = std::make_unique<Wire>("ea", "eb");
    std::vector<Seen> seen;
    const auto whole = [&] {
      return std::all_of(sources.begin(), sources.end(), [](const auto& source) {
        return source->interfaces()[0].link_losses.get() == 1 && source->interfaces()[0].away.get() == 0;
      });
    };
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    // The last one first: it has to wait for its turn.
    while (!whole() && std::chrono::steady_clock::now() < deadline) {
      for (auto source = sources.rbegin(); source != sources.rend(); ++source) collect((*source)->read(), seen);
    }
    REQUIRE(whole());
    Sender from_east{"ea"}, from_west{"wa"};
    for (std::uint16_t flow = 0; flow < 100; ++flow) {
      const auto port = static_cast<std::uint16_t>(20'000 + flow);
      from_east.send(Build{.source_port = port, .destination_port = 443, .id = flow}.octets());
      from_west.send(
          Build{.source_host = 2, .destination_host = 1, .source_port = 443, .destination_port = port, .id = flow}
              .octets());
    }
    std::map<std::uint16_t, std::set<std::size_t>> workers_of_flow;
    std::size_t frames = 0;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      for (const auto& s : drain(*sources[i])) {
        workers_of_flow[s.id()].insert(i);
        ++frames;
      }
    }
    CHECK(frames == 200);
    CHECK(workers_of_flow.size() == 100);
    for (const auto& [flow, workers] : workers_of_flow) CHECK(workers.size() == 1);
    // Each leg has its own numbers.
    std::uint64_t on_east = 0, on_west = 0;
    for (const auto& source : sources) {
      on_east += source->interfaces()[0].packets_received.get();
      on_west += source->interfaces()[1].packets_received.get();
    }
    CHECK(on_east == 100);
    CHECK(on_west == 100);
    CHECK(sources[0]->interfaces()[1].name == "wb");
  }

  TEST_CASE("asked for stamps of a card that gives none, the kernel's are there") {
    const Wire wire{"wa", "wb"};
    CaptureSettings settings = settings_for({"wb"});
    settings.timestamps = TimeStamps::hardware;
    RingSource source{settings, 0, 1, 1};
    const Timestamp before = std::chrono::system_clock::now();
    Sender{"wa"}.send(Build{}.octets());
    const auto seen = drain(source);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].frame.time >= before - 1ms);
    CHECK(source.interfaces()[0].hardware_stamps.get() == 0);
  }

  TEST_CASE("an interface that is missing at the start is refused with the nearest name, or waited for") {
    const Wire wire{"wa", "wb"};
    const auto [status, line] = refusal(settings_for({"wbb"}));
    CHECK(status == ExitStatus::failure);
    CHECK(contains(line, "no interface \"wbb\""));
    CHECK(contains(line, "did you mean \"wb\"?"));

    CaptureSettings settings = settings_for({"later"});
    settings.wait_for_interface = true;
    settings.bpf_filter = "udp";
    RingSource source{settings, 0, 1, 1};
    CHECK(source.counters().interfaces_away.get() == 1);
    const Wire late{"sender", "later"};
    std::vector<Seen> seen;
    CHECK(read_until(source, seen, [&] { return source.counters().interfaces_away.get() == 0; }));
    Sender{"sender"}.send(Build{}.octets());
    CHECK(drain(source).size() == 1);
  }

  TEST_CASE("an interface that is down at the start is captured once it is up") {
    const Wire wire{"wa", "wb"};
    run("ip link set wb down");
    Sources sources;
    add_members(sources, settings_for({"wb"}), 2, 5);
    CHECK(sources[0]->counters().interfaces_away.get() == 1);
    run("ip link set wb up");
    std::vector<Seen> seen;
    for (auto& source : sources)
      CHECK(read_until(*source, seen, [&] { return source->counters().interfaces_away.get() == 0; }));
    Sender{"wa"}.send(Build{}.octets());
    CHECK(drain(*sources[0]).size() + drain(*sources[1]).size() == 1);
  }

  TEST_CASE("the filter can be changed while capturing unless it is locked") {
    const Wire wire{"wa", "wb"};
    CaptureSettings settings = settings_for({"wb"});
    settings.bpf_filter = "tcp";
    RingSource source{settings, 0, 1, 1};
    Sender sender{"wa"};
    sender.send(Build{.protocol = kUdp, .id = 1}.octets());
    CHECK_THROWS_AS((void)filter_of(settings, "tcp prot"), StartError);
    CHECK(source.set_filter(filter_of(settings, "udp")));
    sender.send(Build{.protocol = kUdp, .id = 2}.octets());
    sender.send(Build{.protocol = kTcp, .id = 3}.octets());
    const auto seen = drain(source);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].id() == 2);

    settings.lock_filter = true;
    RingSource locked{settings, 0, 2, 1};
    CHECK_FALSE(locked.set_filter(filter_of(settings, "udp")));
    sender.send(Build{.protocol = kTcp}.octets());
    CHECK(drain(locked).size() == 1);
  }

  TEST_CASE("stopping delivers what the ring held, also under traffic that does not stop") {
    const Wire wire{"wa", "wb"};
    RingSource source{settings_for({"wb"}), 0, 1, 1};
    Sender sender{"wa"};
    for (std::uint16_t id = 0; id < 500; ++id) sender.send(Build{.id = id}.octets());
    std::jthread traffic{[](const std::stop_token& stop) {
      Sender more{"wa"};
      while (!stop.stop_requested()) {
        more.send(Build{.id = 1000}.octets());
        std::this_thread::sleep_for(100us);
      }
    }};
    const auto begin = std::chrono::steady_clock::now();
    auto counts = by_id(drain(source));
    CHECK(std::chrono::steady_clock::now() - begin < 1s);
    counts.erase(1000);
    CHECK(counts.size() == 500);
  }

  TEST_CASE("what cannot be captured is refused in one clear line") {
    const Wire wire{"wa", "wb"};
    CaptureSettings settings = settings_for({"wb"});
    {
      const RingSource member{settings, 0, 2, 40};
      CaptureSettings other = settings;
      other.fanout_mode = FanoutMode::round_robin;
      const auto [status, line] = refusal(other, 2, 40);
      CHECK(status == ExitStatus::failure);
      CHECK(contains(line, "capture.fanout_group: group 40 on wb is in use"));
    }
    CHECK(refusal(settings_for({"wb", "wb"})).first == ExitStatus::configuration);
    CHECK(refusal(settings_for({})).first == ExitStatus::configuration);
    settings.bpf_filter = "tcp prot 80";
    CHECK(refusal(settings).first == ExitStatus::configuration);
    settings = settings_for({"wb"});
    settings.buffer_size_mb = 4'000'000;
    CHECK(contains(refusal(settings).second, "capture.buffer_size_mb"));
    const WithoutCapabilities none;
    const auto [status, line] = refusal(settings_for({"wb"}));
    CHECK(status == ExitStatus::no_permission);
    CHECK(contains(line, "CAP_NET_RAW"));
    CHECK(contains(line, "sudo"));
  }

  TEST_CASE("every fanout mode is accepted") {
    const Wire wire{"wa", "wb"};
    for (const FanoutMode mode : {FanoutMode::automatic, FanoutMode::hash, FanoutMode::steer, FanoutMode::cpu,
                                  FanoutMode::queue_mapping, FanoutMode::round_robin}) {
      CaptureSettings settings = settings_for({"wb"});
      settings.fanout_mode = mode;
      Sources sources;
      add_members(sources, settings, 2, 3);
      Sender sender{"wa"};
      for (std::uint16_t id = 0; id < 100; ++id) sender.send(Build{.source_port = id, .id = id}.octets());
      CHECK(drain(*sources[0]).size() + drain(*sources[1]).size() == 100);
    }
  }
}
