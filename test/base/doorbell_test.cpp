// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/base/doorbell.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>

using namespace whiteowl;
using namespace std::chrono_literals;

namespace {

constexpr Duration kLong = 30s;  // far more than a machine under load takes for anything here

template <typename Action>
Duration time_of(Action action) {
  const auto begin = std::chrono::steady_clock::now();
  action();
  return std::chrono::steady_clock::now() - begin;
}

}  // namespace

TEST_CASE("a bell that nobody rings lets sleep, and no longer than asked") {
  Doorbell bell;
  const Duration slept = time_of([&bell] { bell.wait(20ms); });
  CHECK(slept >= 20ms);
  CHECK(slept < kLong);
}

TEST_CASE("a ring is not lost: it wakes who sleeps, and who comes later does not fall asleep") {
  Doorbell bell;
  bell.ring();
  bell.ring();
  CHECK(time_of([&bell] { bell.wait(kLong); }) < kLong);
  CHECK(time_of([&bell] { bell.wait(20ms); }) >= 20ms);  // both were heard
  std::thread sleeper{[&bell] { bell.wait(kLong); }};
  CHECK(time_of([&bell, &sleeper] {
          bell.ring();
          sleeper.join();
        }) < kLong);
}

TEST_CASE("who calls again and again wakes the sleeper, and leaves nothing behind when nobody sleeps") {
  Doorbell bell;
  bell.ring_if_waiting();
  CHECK(time_of([&bell] { bell.wait(20ms); }) >= 20ms);
  std::atomic<bool> awake{false};
  std::thread sleeper{[&bell, &awake] {
    bell.wait(kLong);
    awake = true;
  }};
  CHECK(time_of([&bell, &awake] {
          while (!awake) bell.ring_if_waiting();
        }) < kLong);
  sleeper.join();
}
