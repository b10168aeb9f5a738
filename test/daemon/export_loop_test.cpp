// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/export_loop.hpp"

#include <doctest/doctest.h>

using namespace whiteowl;

namespace {

// Time passes only in naps.
struct FakeWorld {
  Duration clock{};
  Duration longest_nap{};
  unsigned gave_up = 0;
  unsigned beats = 0;
  bool done = true;
  bool waiting = false;
  Duration workers_need = Duration::max();  // until they are done after they were told not to wait

  Timestamp wall() const { return Timestamp{clock}; }
  Duration steady() const { return clock; }
  void beat() { ++beats; }
  void nap(Duration length) {
    clock += length;
    longest_nap = std::max(longest_nap, length);
    if (gave_up != 0 && (workers_need -= length) <= Duration::zero()) done = true;
  }
  void give_up_waiting() { ++gave_up; }
  bool workers_done() const { return done; }
  bool records_waiting() const { return waiting; }
};

// Works for some steps, then is finished after some more; never, if stuck.
struct FakeExporter {
  unsigned busy_steps = 0;
  unsigned idle_steps = 0;
  bool stuck = false;
  bool abandoned = false;

  bool step(Timestamp) {
    if (busy_steps == 0) return false;
    --busy_steps;
    return true;
  }
  bool finished(Timestamp) { return !stuck && (idle_steps == 0 || --idle_steps == 0); }
  void abandon() { abandoned = true; }
};

}  // namespace

TEST_CASE("the loop ends when everything is sent") {
  FakeWorld world;
  FakeExporter exporter{.busy_steps = 3, .idle_steps = 5};
  CHECK(export_until_finished(exporter, ExportDeadline{}, world));
  CHECK_FALSE(exporter.abandoned);
  CHECK(world.gave_up == 0);
  CHECK(world.beats == 3 + 5);  // as many rounds as there were steps
}

TEST_CASE("a stuck transport holds up a stop for its patience and no longer") {
  FakeWorld world;
  FakeExporter exporter{.stuck = true};
  ExportDeadline deadline;
  deadline.set(std::chrono::seconds{5});
  CHECK_FALSE(export_until_finished(exporter, deadline, world));
  CHECK(exporter.abandoned);
  CHECK(world.clock >= std::chrono::seconds{5});
  CHECK(world.clock < std::chrono::seconds{5} + kLongestNap);
}

TEST_CASE("workers that wait for room are told to stop waiting, and get the time to empty their tables") {
  FakeWorld world{.done = false, .workers_need = std::chrono::milliseconds{300}};
  FakeExporter exporter{.stuck = true};
  ExportDeadline deadline;
  deadline.set(std::chrono::seconds{1});
  CHECK_FALSE(export_until_finished(exporter, deadline, world));
  CHECK(world.gave_up > 0);
  CHECK(world.clock >= std::chrono::milliseconds{1300});
  CHECK(world.clock < std::chrono::milliseconds{1300} + 2 * kLongestNap);
}

TEST_CASE("a worker that hangs does not hold up the end for ever") {
  FakeWorld world{.done = false};
  FakeExporter exporter{.stuck = true};
  ExportDeadline deadline;
  deadline.set(Duration::zero());
  CHECK_FALSE(export_until_finished(exporter, deadline, world));
  CHECK(world.clock >= kWorkerGrace);
  CHECK(world.clock < kWorkerGrace + 2 * kLongestNap);
}

TEST_CASE("an exporter that always has something to do is stopped as well") {
  FakeWorld world;
  FakeExporter exporter{.busy_steps = 1'000'000};
  ExportDeadline deadline;
  deadline.set(Duration{-1});
  CHECK_FALSE(export_until_finished(exporter, deadline, world));
  CHECK(exporter.abandoned);
}

TEST_CASE("naps are long when nothing happens and short when something waits to be sent") {
  FakeExporter exporter{.idle_steps = 100};
  FakeWorld idle{.done = false};
  CHECK(export_until_finished(exporter, ExportDeadline{}, idle));
  CHECK(idle.longest_nap == kLongestNap);
  exporter.idle_steps = 100;
  FakeWorld waiting{.done = false, .waiting = true};
  CHECK(export_until_finished(exporter, ExportDeadline{}, waiting));
  CHECK(waiting.longest_nap == kBusyNap);
}
