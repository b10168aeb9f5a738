// SPDX-License-Identifier: Apache-2.0
// Rings taken up by a second source in the place of a first one that is gone; the expected numbers are those of the
// frames sent.
#include "whiteowl/capture/kept_rings.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include "support/private_network.hpp"
#include "whiteowl/capture/ring_source.hpp"

using namespace whiteowl;
using namespace whiteowl::test;
using namespace std::chrono_literals;

namespace {

// UDP in IPv4 from a port of its own, so that frames spread over a group.
std::vector<std::uint8_t> frame(std::uint16_t id) {
  std::vector<std::uint8_t> octets{2, 0, 0,  0,  0, 2, 2,  0, 0, 0, 0,  1, 8, 0, 0x45, 0, 0, 46, 0, 0,
                                   0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0,    0, 0, 9,  0, 26};
  octets[34] = octets[18] = static_cast<std::uint8_t>(id >> 8U);
  octets[35] = octets[19] = static_cast<std::uint8_t>(id);
  octets.resize(60);
  return octets;
}

void send(std::uint16_t from, std::uint16_t to, const char* interface = "wa") {
  Sender sender{interface};
  for (std::uint16_t id = from; id < to; ++id) sender.send(frame(id));
}

// How often each frame was read.
using Counts = std::map<std::uint16_t, int>;
void count(const FrameBatch& batch, Counts& counts) {
  for (std::size_t i = 0; i < batch.size; ++i)
    ++counts[static_cast<std::uint16_t>(batch.frames[i].data[18] << 8U | batch.frames[i].data[19])];
}
void drain(RingSource& source, Counts& counts) {
  source.stop();
  const auto deadline = std::chrono::steady_clock::now() + 3s;
  for (bool end = false; !end;) {
    const FrameBatch& batch = source.read();
    count(batch, counts);
    end = batch.end;
    REQUIRE(std::chrono::steady_clock::now() < deadline);
  }
}
Counts once(std::uint16_t from, std::uint16_t to) {
  Counts counts;
  for (std::uint16_t id = from; id < to; ++id) counts[id] = 1;
  return counts;
}

// What the service manager holds, and a process that keeps its rings there.
struct Store {
  std::vector<KeptRing> kept;

  [[nodiscard]] RingStore hooks() {
    return {.keep =
                [this](const std::string& name, int fd) {
                  kept.push_back({name, UniqueFd{::dup(fd)}});
                },
            .forget =
                [this](const std::string& name) {
                  std::erase_if(kept, [&](const KeptRing& ring) { return ring.name == name; });
                }};
  }
  // Descriptors for the next process; the manager keeps its own.
  [[nodiscard]] std::vector<KeptRing> handed_over() const {
    std::vector<KeptRing> copies;
    for (const KeptRing& ring : kept) copies.push_back({ring.name, UniqueFd{::dup(ring.socket.get())}});
    return copies;
  }
};

CaptureSettings settings_for(std::vector<std::string> interfaces) {
  CaptureSettings settings;
  settings.interfaces = std::move(interfaces);
  settings.buffer_size_mb = 4;
  return settings;
}

using Sources = std::vector<std::unique_ptr<RingSource>>;
Sources start(const CaptureSettings& settings, std::uint32_t workers, Store& store,
              Inheritance* inheritance = nullptr) {
  Sources sources;
  for (std::uint32_t worker = 0; worker < workers; ++worker) {
    sources.push_back(std::make_unique<RingSource>(
        settings, worker, workers, std::uint16_t{77}, store.hooks(),
        inheritance == nullptr ? std::vector<UniqueFd>{} : std::move(inheritance->sockets[worker])));
  }
  return sources;
}

}  // namespace

TEST_CASE("rings outlive their process in a network of its own") {
  if (in_private_network()) return;
  if (!private_network_possible()) {
    CHECK_MESSAGE(std::getenv("CI") == nullptr, "no namespaces here");
    MESSAGE("skipped: user and network namespaces are forbidden here");
    return;
  }
  CHECK(passes_in_private_network("kept rings"));
}

TEST_SUITE("kept rings" * doctest::skip(!in_private_network())) {
  TEST_CASE("the next source reads on where the last one stopped, frame by frame") {
    const Wire wire{"wa", "wb"};
    for (const std::uint32_t workers : {1U, 3U}) {
      CAPTURE(workers);
      const CaptureSettings settings = settings_for({"wb"});
      Store store;
      Counts counts;
      {
        Sources first = start(settings, workers, store);
        send(0, 1000);
        for (auto& source : first) drain(*source, counts);
        CHECK(counts == once(0, 1000));
      }
      CHECK(store.kept.size() == workers);
      send(1000, 3000);  // nobody is there
      Inheritance inheritance = inherit_rings(settings, workers, store.handed_over());
      CHECK(inheritance.taken == std::vector<std::string>{"wb"});
      CHECK(inheritance.fanout_id == (workers == 1 ? 0 : 77));
      CHECK(inheritance.refused.empty());
      Sources second = start(settings, workers, store, &inheritance);
      CHECK(store.kept.size() == workers);  // none was made
      send(3000, 4000);
      for (auto& source : second) drain(*source, counts);
      CHECK(counts == once(0, 4000));
      run("ip -details link show wb | grep -q 'promiscuity " + std::to_string(workers) + "'");
    }
  }

  TEST_CASE("a reader that is killed in the middle of a block has what it metered behind it and nothing else") {
    const Wire wire{"wa", "wb"};
    const CaptureSettings settings = settings_for({"wb"});
    Store store;
    Counts counts;
    {
      Sources first = start(settings, 1, store);
      send(0, 500);
      // Three batches metered; the fourth read() says so and its frames are read in vain.
      while (counts.size() < 3 * FrameBatch::kCapacity) count(first[0]->read(), counts);
      static_cast<void>(first[0]->read());
    }
    CHECK(counts.size() == 3 * FrameBatch::kCapacity);
    Inheritance inheritance = inherit_rings(settings, 1, store.handed_over());
    Sources second = start(settings, 1, store, &inheritance);
    send(500, 600);
    drain(*second[0], counts);
    CHECK(counts == once(0, 600));
  }

  TEST_CASE("a ring that ran full while nobody read is read from its oldest block, and the drops are counted") {
    const Wire wire{"wa", "wb"};
    CaptureSettings settings = settings_for({"wb"});
    settings.buffer_size_mb = 1;
    Store store;
    Counts counts;
    {
      Sources first = start(settings, 1, store);
      send(0, 3000);  // so that the ring has come round
      drain(*first[0], counts);
      counts.clear();
      send(3000, 30'000);
    }
    Inheritance inheritance = inherit_rings(settings, 1, store.handed_over());
    Sources second = start(settings, 1, store, &inheritance);
    for (int i = 0; i < 2000 && second[0]->counters().packets_received.get() < 3000; ++i)
      count(second[0]->read(), counts);
    send(30'000, 30'100);
    drain(*second[0], counts);
    second[0]->refresh_counters();
    CHECK(counts.begin()->first == 3000);
    bool twice = false;
    for (const auto& [id, times] : counts) twice = twice || times != 1;
    CHECK_FALSE(twice);
    CHECK(second[0]->counters().packets_dropped.get() > 0);
    CHECK(counts.size() + second[0]->counters().packets_dropped.get() == 27'100);
  }

  TEST_CASE("a ring that ran full and was read to its end goes on with the block that the kernel has not begun") {
    const Wire wire{"wa", "wb"};
    CaptureSettings settings = settings_for({"wb"});
    settings.buffer_size_mb = 1;
    Store store;
    Counts counts;
    {
      Sources first = start(settings, 1, store);
      send(0, 30'000);
      drain(*first[0], counts);
      first[0]->refresh_counters();
      REQUIRE(first[0]->counters().packets_dropped.get() > 0);
    }
    Inheritance inheritance = inherit_rings(settings, 1, store.handed_over());
    Sources second = start(settings, 1, store, &inheritance);
    send(40'000, 40'100);
    counts.clear();
    drain(*second[0], counts);
    CHECK(counts == once(40'000, 40'100));
  }

  TEST_CASE("blocks given back just before the end are not waited for") {
    const Wire wire{"wa", "wb"};
    const CaptureSettings settings = settings_for({"wb"});
    Store store;
    Counts counts;
    for (std::uint16_t round = 0; round < 20; ++round) {
      Inheritance inheritance = inherit_rings(settings, 1, store.handed_over());
      Sources next = start(settings, 1, store, &inheritance);
      send(static_cast<std::uint16_t>(round * 700), static_cast<std::uint16_t>(round * 700 + 700));
      drain(*next[0], counts);
    }
    CHECK(counts == once(0, 14'000));
    CHECK(store.kept.size() == 1);
  }

  TEST_CASE("rings made with other settings are refused with the reason") {
    const Wire wire{"wa", "wb"};
    const CaptureSettings settings = settings_for({"wb"});
    Store store;
    const Sources first = start(settings, 2, store);
    const auto reason = [&](const CaptureSettings& other, std::uint32_t workers = 2) {
      const Inheritance inheritance = inherit_rings(other, workers, store.handed_over());
      CHECK(inheritance.refused.size() == 2);
      CHECK(inheritance.fanout_id == 0);
      for (const auto& sockets : inheritance.sockets) CHECK_FALSE(sockets[0]);
      return inheritance.remarks.empty() ? "" : inheritance.remarks.front();
    };
    CaptureSettings other = settings;
    other.bpf_filter = "udp";
    CHECK(reason(other) == "wb: new rings instead of those of the last run: bpf_filter or snap_len changed");
    other = settings;
    other.snap_len = 96;
    CHECK(reason(other) == "wb: new rings instead of those of the last run: bpf_filter or snap_len changed");
    other = settings;
    other.fanout_group = 5;
    CHECK(reason(other) == "wb: new rings instead of those of the last run: fanout_group changed");
    const std::string another = "wb: new rings, as those of the last run were of another size, number or kind";
    other = settings;
    other.buffer_size_mb = 8;
    CHECK(reason(other) == another);
    other = settings;
    other.promiscuous = false;
    CHECK(reason(other) == another);
    other = settings;
    other.fanout_mode = FanoutMode::cpu;
    CHECK(reason(other) == another);
    CHECK(reason(settings, 3) == another);
    CHECK(inherit_rings(settings, 2, store.handed_over()).refused.empty());
  }

  TEST_CASE("an interface that was made anew under the old name is not the old one") {
    auto wire = std::make_unique<Wire>("wa", "wb");
    const CaptureSettings settings = settings_for({"wb"});
    Store store;
    static_cast<void>(start(settings, 1, store));
    wire.reset();
    wire = std::make_unique<Wire>("wa", "wb");
    const Inheritance inheritance = inherit_rings(settings, 1, store.handed_over());
    REQUIRE(inheritance.remarks.size() == 1);
    CHECK(inheritance.remarks[0] == "wb: new rings instead of those of the last run: the interface is another one now");
  }

  TEST_CASE("a source whose interface is made anew has its dead ring forgotten and the new one kept") {
    auto wire = std::make_unique<Wire>("wa", "wb");
    const CaptureSettings settings = settings_for({"wb"});
    Store store;
    Sources sources = start(settings, 1, store);
    wire.reset();
    wire = std::make_unique<Wire>("wa", "wb");
    Counts counts;
    const auto deadline = std::chrono::steady_clock::now() + 4s;
    while ((sources[0]->counters().link_losses.get() == 0 || sources[0]->counters().interfaces_away.get() != 0) &&
           std::chrono::steady_clock::now() < deadline)
      count(sources[0]->read(), counts);
    CHECK(store.kept.size() == 1);
    CHECK(inherit_rings(settings, 1, store.handed_over()).taken == std::vector<std::string>{"wb"});
  }

  TEST_CASE("sockets of others, even under our name, are refused") {
    const Wire wire{"wa", "wb"};
    const CaptureSettings settings = settings_for({"wb"});
    std::vector<KeptRing> kept;
    kept.push_back({"somebody's", UniqueFd{::socket(AF_UNIX, SOCK_STREAM, 0)}});
    kept.push_back({ring_name(settings, 0, 1, 0), UniqueFd{::socket(AF_INET, SOCK_DGRAM, 0)}});
    const Inheritance inheritance = inherit_rings(settings, 1, std::move(kept));
    CHECK(inheritance.refused.size() == 2);
    CHECK(inheritance.taken.empty());
    CHECK(inheritance.remarks.front() == "wb: new rings instead of those of the last run: it is no ring of ours");
  }

  TEST_CASE("the legs of a tap are taken up together") {
    const Wire east{"ea", "eb"};
    const Wire west{"wa", "wb"};
    const CaptureSettings settings = settings_for({"eb", "wb"});
    Store store;
    Counts counts;
    {
      Sources first = start(settings, 2, store);
      send(0, 100, "ea");
      send(100, 200, "wa");
      for (auto& source : first) drain(*source, counts);
    }
    send(200, 400, "ea");
    send(400, 600, "wa");
    Inheritance inheritance = inherit_rings(settings, 2, store.handed_over());
    CHECK(inheritance.taken == std::vector<std::string>{"eb", "wb"});
    CHECK(inheritance.fanout_id == 77);
    Sources second = start(settings, 2, store, &inheritance);
    for (auto& source : second) drain(*source, counts);
    CHECK(counts == once(0, 600));
  }
}
