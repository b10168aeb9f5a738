// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/manager.hpp"

#include <doctest/doctest.h>

#include <ctime>

#include "fake_manager.hpp"

using namespace whiteowl;
using namespace std::chrono_literals;

TEST_CASE("the manager hears the states of sd_notify(3), and a status line only when it changes") {
  const FakeManager fake;
  ServiceManager manager;
  manager.ready("Capturing");
  manager.status("Capturing");
  manager.status("two\nlines");
  manager.alive();
  manager.stopping("Exporting");
  using Messages = std::vector<std::string>;
  CHECK(fake.told() ==
        Messages{"READY=1\nSTATUS=Capturing", "STATUS=two\\nlines", "WATCHDOG=1", "STOPPING=1\nSTATUS=Exporting"});
}

TEST_CASE("a reload carries the monotonic clock in microseconds") {
  const FakeManager fake;
  ServiceManager manager;
  timespec before{};
  ::clock_gettime(CLOCK_MONOTONIC, &before);
  manager.reloading();
  const auto told = fake.told();
  REQUIRE(told.size() == 1);
  const std::string head = "RELOADING=1\nMONOTONIC_USEC=";
  REQUIRE(told[0].starts_with(head));
  const auto microseconds = std::stoll(told[0].substr(head.size()));
  const auto begin = before.tv_sec * 1'000'000LL + before.tv_nsec / 1000;
  CHECK(microseconds >= begin);
  CHECK(microseconds < begin + 5'000'000);
}

TEST_CASE("the watchdog's interval is what the environment says to this process") {
  CHECK(ServiceManager::watchdog() == 0s);
  const FakeManager fake;
  fake.want_watchdog(30'000'000);
  CHECK(ServiceManager::watchdog() == 30s);
}

TEST_CASE("without a manager nothing happens") {
  ServiceManager manager;
  manager.ready("Capturing");
  manager.alive();
}
