// SPDX-License-Identifier: Apache-2.0
// Which system calls the process may still make: those that capturing, metering, exporting and a reload take, and no
// others (seccomp(2), by libseccomp).  What is not on the list fails with EPERM, so that a call that was forgotten is a
// line in the log, not a death.
#pragma once

#include <string>

namespace whiteowl {

// Sanitizers make calls of their own; the leak check even traces the process.  Built with one, there is no filter.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kUnderSanitizer = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kUnderSanitizer = true;
#else
inline constexpr bool kUnderSanitizer = false;
#endif
#else
inline constexpr bool kUnderSanitizer = false;
#endif

struct AllowedCalls {
  bool packet_sockets = false;
};

// In force for all threads, those that run and those that begin later, without a way back.  Sets no_new_privs.
// Returns: empty, or why there is no filter (a kernel or a container that has none).
// Thread: any.  Errors: throws std::bad_alloc.
[[nodiscard]] std::string install_system_call_filter(const AllowedCalls& allowed);

}  // namespace whiteowl
