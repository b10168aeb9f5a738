// SPDX-License-Identifier: Apache-2.0
// The exporter thread's loop: steps until everything is sent, or until a stop has taken too long.
// Promise: after ask_to_end(d) the loop ends at most d + kWorkerGrace later, but for the time of one step; what was not
// sent then is counted as not sent.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>

#include "whiteowl/base/time.hpp"

namespace whiteowl {

// A queue that fills ends a nap, so the longest is what a lone record may wait.  To wake costs more than a thousand
// packets do.
inline constexpr Duration kShortestNap = std::chrono::milliseconds{1};
inline constexpr Duration kLongestNap = std::chrono::milliseconds{64};
// While something waits to be sent: not longer than an output's pace lets its next messages wait.
inline constexpr Duration kBusyNap = std::chrono::milliseconds{4};
// A worker that was told to wait no longer needs this at most to empty its table.
inline constexpr Duration kWorkerGrace = std::chrono::seconds{2};

// The time by which exporting must be over, on the steady clock; set by the main thread, read by the exporter's.
class ExportDeadline {
 public:
  void set(Duration steady) noexcept { deadline_.store(steady.count(), std::memory_order_relaxed); }
  [[nodiscard]] Duration get() const noexcept { return Duration{deadline_.load(std::memory_order_relaxed)}; }

 private:
  // Half of what fits, so that a grace can be added.
  std::atomic<std::int64_t> deadline_{std::numeric_limits<std::int64_t>::max() / 2};
};

// What the loop needs of the world.  `Exporting` is Exporter.  `World` has:
//   Timestamp wall(); Duration steady(); void nap(Duration);  the clocks and the waiting
//   void beat();             a round of the loop begins
//   void give_up_waiting();  no worker waits for its queue any more
//   bool workers_done();     all queues are closed
//   bool records_waiting();  a queue holds something
// True when everything was sent as far as it could be; false when the deadline cut it short.
template <typename Exporting, typename World>
bool export_until_finished(Exporting& exporter, const ExportDeadline& deadline, World& world) {
  Duration nap = kShortestNap;
  for (;;) {
    world.beat();
    const Timestamp now = world.wall();
    const bool worked = exporter.step(now);
    if (!worked && exporter.finished(now)) return true;
    const bool workers_done = world.workers_done();
    const Duration over = world.steady() - deadline.get();
    if (over >= Duration::zero()) {
      world.give_up_waiting();
      if (workers_done || over >= kWorkerGrace) {
        exporter.abandon();
        return false;
      }
    }
    nap = worked ? kShortestNap : std::min(nap * 2, workers_done || world.records_waiting() ? kBusyNap : kLongestNap);
    if (!worked) world.nap(nap);
  }
}

}  // namespace whiteowl
