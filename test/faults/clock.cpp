// SPDX-License-Identifier: Apache-2.0
// For LD_PRELOAD: the wall clock is wrong by as many nanoseconds as stand in the file $FAULTS_CLOCK, a std::int64_t
// that may change at any time.  No other clock is touched, nor are the kernel's packet stamps.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

using ClockGettime = int (*)(clockid_t, timespec*);
constexpr std::int64_t kSecond = 1'000'000'000;

// Mapped before the program begins, for afterwards it may not open files any more.
const std::atomic<std::int64_t>* mapped() {
  const char* path = std::getenv("FAULTS_CLOCK");
  const int fd = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* place = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  return place == MAP_FAILED ? nullptr : static_cast<const std::atomic<std::int64_t>*>(place);
}
const std::atomic<std::int64_t>* const offset = mapped();
const ClockGettime real_clock = reinterpret_cast<ClockGettime>(::dlsym(RTLD_NEXT, "clock_gettime"));

void shift(timespec& time) {
  if (offset == nullptr) return;
  const std::int64_t wrong = time.tv_nsec + offset->load(std::memory_order_relaxed);
  const std::int64_t seconds = wrong >= 0 ? wrong / kSecond : -((kSecond - 1 - wrong) / kSecond);
  time.tv_sec += seconds;
  time.tv_nsec = wrong - seconds * kSecond;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  // Constructors of other libraries may ask before ours has run.
  static const ClockGettime real = reinterpret_cast<ClockGettime>(::dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = (real_clock != nullptr ? real_clock : real)(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) shift(*time);
  return result;
}

int gettimeofday(timeval* time, void*) noexcept {
  timespec now{};
  const int result = clock_gettime(CLOCK_REALTIME, &now);
  *time = {now.tv_sec, now.tv_nsec / 1000};
  return result;
}

time_t time(time_t* place) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (place != nullptr) *place = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
