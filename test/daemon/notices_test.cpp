// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/notices.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

// Two workers on two interfaces.
struct Fixture {
  struct Thread {
    CaptureCounters capture;
    std::vector<InterfaceCounters> interfaces{2};
    ClassifierCounters classifier;
    MeterCounters meter;
    TcpCounters tcp;
    QueueCounters queue;
  };
  Thread one, two;
  ExportCounters exporter;
  CounterSources sources;
  Notices notices;
  Duration now{};

  Fixture() {
    for (Thread* thread : {&one, &two}) {
      thread->interfaces[0].name = "eth0";
      thread->interfaces[1].name = "eth1";
      sources.readers.push_back({&thread->capture, &thread->classifier, std::span{thread->interfaces}});
      sources.workers.push_back({&thread->meter, &thread->tcp, &thread->queue});
    }
    sources.exporter = &exporter;
  }
  std::vector<std::string> after(Duration passed) {
    now += passed;
    std::vector<std::string> texts;
    for (const auto& notice : notices.look(sources, now)) texts.push_back((notice.warning ? "! " : "") + notice.text);
    return texts;
  }
  void lose(std::size_t interface) {
    for (Thread* thread : {&one, &two}) {
      thread->interfaces[interface].link_losses.add();
      thread->interfaces[interface].away.set(1);
    }
  }
  void find(std::size_t interface) {
    for (Thread* thread : {&one, &two}) thread->interfaces[interface].away.set(0);
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a trouble is told at once, and then once a minute with what came since") {
  Fixture f;
  CHECK(f.after(1s).empty());
  f.one.capture.packets_dropped.add(7);
  const std::string tail =
      " packets lost because a ring was full; a larger capture.buffer_size_mb or more capture.workers may help";
  CHECK(f.after(1s) == Lines{"! 7" + tail});
  for (int second = 0; second < 59; ++second) {
    f.two.capture.packets_dropped.add(10);
    CHECK(f.after(1s).empty());
  }
  CHECK(f.after(1s) == Lines{"! 590" + tail});
  CHECK(f.after(1h).empty());
}

TEST_CASE("different troubles do not silence each other") {
  Fixture f;
  f.one.meter.evictions.add(1);
  f.two.meter.evictions_half_open.add(2);
  CHECK(f.after(1s) == Lines{"! the flow table is full: 3 conversations exported early; raise flow.max_flows"});
  f.one.queue.records_not_sent.add(4);
  f.exporter.records_not_sent.add(5);
  f.two.classifier.clock_steps_back.set(1);
  CHECK(f.after(1s) ==
        Lines{"! 9 records lost on their way out", "! packet stamps went back by more than a second 1 times"});
}

TEST_CASE("an interface that goes and comes is told by name, once for all workers") {
  Fixture f;
  f.lose(1);
  CHECK(f.after(1s) == Lines{"! eth1: the interface went down or away; waiting for it"});
  CHECK(f.after(1s).empty());
  f.find(1);
  CHECK(f.after(1s) == Lines{"eth1: the interface is up, capturing"});
}

TEST_CASE("an interface that flaps is told once a minute, and the last word is how it is") {
  Fixture f;
  f.lose(0);
  CHECK(f.after(1s).size() == 1);
  f.find(0);
  CHECK(f.after(1s) == Lines{"eth0: the interface is up, capturing"});
  for (int i = 0; i < 5; ++i) {
    f.lose(0);
    CHECK(f.after(1s).empty());
    f.find(0);
    CHECK(f.after(1s).empty());
  }
  CHECK(f.after(60s) == Lines{"! eth0: the interface went down or away, 5 times since the last word; waiting for it",
                              "eth0: the interface is up, capturing"});
}

TEST_CASE("a card that was asked for time stamps and gives none is told once") {
  for (const bool wanted : {false, true}) {
    Fixture f;
    f.notices = Notices{wanted};
    f.two.interfaces[0].packets_received.add(99);
    CHECK(f.after(1s).empty());
    f.two.interfaces[0].packets_received.add(1);
    f.one.interfaces[1].packets_received.add(1000);
    f.one.interfaces[1].hardware_stamps.add(1);
    const auto lines = f.after(1s);
    REQUIRE(lines.size() == (wanted ? 1 : 0));
    if (wanted) CHECK(lines[0].starts_with("! eth0: the network card stamps no packets"));
    CHECK(f.after(100s).empty());
  }
}

TEST_CASE("an interface that is not there at the start is told once") {
  Fixture f;
  f.one.interfaces[0].away.set(1);
  f.two.interfaces[0].away.set(1);
  CHECK(f.after(1s) == Lines{"! eth0: the interface is down or not there; waiting for it"});
  CHECK(f.after(100s).empty());
  f.find(0);
  CHECK(f.after(1s) == Lines{"eth0: the interface is up, capturing"});
}

TEST_CASE("what keeps an interface from being captured is told once, by whichever workers meet it, until it is back") {
  Fixture f;
  f.lose(1);
  const auto meet = [&](const char* obstacle) {
    for (auto* thread : {&f.one, &f.two}) thread->interfaces[1].obstacle.post(std::make_unique<std::string>(obstacle));
  };
  CHECK(f.after(1s) == Lines{"! eth1: the interface went down or away; waiting for it"});
  meet("no room");
  const Lines told{"! eth1: the interface is there but cannot be captured (no room); waiting until it can"};
  CHECK(f.after(1s) == told);
  meet("no room");
  CHECK(f.after(1s).empty());
  f.find(1);
  CHECK(f.after(1s) == Lines{"eth1: the interface is up, capturing"});
  f.lose(1);
  meet("no room");
  CHECK(f.after(100s).size() == 2);
}
