// SPDX-License-Identifier: Apache-2.0
// A library to preload: counts what each thread of a program asks of the allocator and of locks, by name of the thread,
// and writes one line of JSON into the file that CALL_COUNTER_FILE names when the program ends.
// The counters belong to their threads; nothing is counted twice when the C library calls itself.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/prctl.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace {

struct Thread {
  std::array<char, 16> name{};
  std::atomic<unsigned long> allocations{0}, locks{0};
};

constexpr std::size_t kThreads = 64;
std::array<Thread, kThreads> threads;
std::atomic<std::size_t> used{0};

// Initial-exec: the other models may allocate when a thread touches its own for the first time.
__attribute__((tls_model("initial-exec"))) thread_local Thread* mine = nullptr;

Thread& own() {
  if (mine == nullptr) mine = &threads[used.fetch_add(1) % kThreads];
  ::prctl(PR_GET_NAME, mine->name.data());  // each time: a thread gets its name from outside, after its start
  return *mine;
}

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// What dlsym itself allocates before the real functions are known.
std::array<char, 1U << 16U> early;
std::size_t early_used = 0;

void* early_memory(std::size_t octets) {
  const std::size_t at = (early_used + 15) / 16 * 16;
  if (at + octets > early.size()) std::abort();
  early_used = at + octets;
  return early.data() + at;
}
bool is_early(const void* memory) {
  const char* at = static_cast<const char*>(memory);
  return at >= early.data() && at < early.data() + early.size();
}

bool looking = false;
template <typename Function>
Function* real(Function*& kept, const char* name) {
  if (kept == nullptr && !looking) {
    looking = true;
    kept = next<Function>(name);
    looking = false;
  }
  return kept;
}

void* (*real_malloc)(std::size_t) = nullptr;
void* (*real_calloc)(std::size_t, std::size_t) = nullptr;
void* (*real_realloc)(void*, std::size_t) = nullptr;
void* (*real_aligned)(std::size_t, std::size_t) = nullptr;
void (*real_free)(void*) = nullptr;
int (*real_lock)(pthread_mutex_t*) = nullptr;
int (*real_trylock)(pthread_mutex_t*) = nullptr;
int (*real_read_lock)(pthread_rwlock_t*) = nullptr;
int (*real_write_lock)(pthread_rwlock_t*) = nullptr;

void count_allocation() { own().allocations.fetch_add(1, std::memory_order_relaxed); }
void count_lock() { own().locks.fetch_add(1, std::memory_order_relaxed); }

__attribute__((destructor)) void report() {
  const char* path = std::getenv("CALL_COUNTER_FILE");
  std::FILE* file = path == nullptr ? nullptr : std::fopen(path, "w");
  if (file == nullptr) return;
  std::fputs("{", file);
  const std::size_t count = used.load() < kThreads ? used.load() : kThreads;
  for (std::size_t i = 0; i < count; ++i) {
    const Thread& thread = threads[i];
    std::fprintf(file, "%s\"%s\": {\"allocations\": %lu, \"locks\": %lu}", i == 0 ? "" : ", ", thread.name.data(),
                 thread.allocations.load(), thread.locks.load());
  }
  std::fputs("}\n", file);
  std::fclose(file);
}

}  // namespace

extern "C" {

void* malloc(std::size_t octets) {
  auto* function = real(real_malloc, "malloc");
  if (function == nullptr) return early_memory(octets);
  count_allocation();
  return function(octets);
}
void* calloc(std::size_t count, std::size_t octets) {
  auto* function = real(real_calloc, "calloc");
  if (function == nullptr) return early_memory(count * octets);
  count_allocation();
  return function(count, octets);
}
void* realloc(void* memory, std::size_t octets) {
  auto* function = real(real_realloc, "realloc");
  count_allocation();
  return function(memory, octets);
}
void* aligned_alloc(std::size_t alignment, std::size_t octets) {
  auto* function = real(real_aligned, "aligned_alloc");
  count_allocation();
  return function(alignment, octets);
}
void free(void* memory) {
  if (memory == nullptr || is_early(memory)) return;
  auto* function = real(real_free, "free");
  count_allocation();
  function(memory);
}
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  count_lock();
  return real(real_lock, "pthread_mutex_lock")(mutex);
}
int pthread_mutex_trylock(pthread_mutex_t* mutex) {
  count_lock();
  return real(real_trylock, "pthread_mutex_trylock")(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  count_lock();
  return real(real_read_lock, "pthread_rwlock_rdlock")(lock);
}
int pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  count_lock();
  return real(real_write_lock, "pthread_rwlock_wrlock")(lock);
}
}
