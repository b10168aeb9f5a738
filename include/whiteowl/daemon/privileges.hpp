// SPDX-License-Identifier: Apache-2.0
// What the process keeps of what it was started with: CAP_NET_RAW while it captures, nothing while it reads a file; a
// user of its own where root started it (capabilities(7), by libcap-ng).
// Promise: there is no way back; no thread has more, as it is called before there is a second one.
#pragma once

#include <string>

namespace whiteowl {

// Made by the package; used if it is there.
inline constexpr const char* kOwnUser = "_chompy-probe";

struct Needs {
  std::string user = kOwnUser;  // to become if root started us; empty: stay who we are
  bool capture = false;         // CAP_NET_RAW
};

// Gives up everything else, for good.  Sets no_new_privs, and no core file or debugger but root's shows our memory.
// Returns: who we are now and with what, a line for the log.
// Requires: one thread.
// Errors: throws StartError (78) for a user that was named and does not exist, std::system_error.
[[nodiscard]] std::string drop_privileges(const Needs& needs);

// Whose rights it has now: for a line to the user.
[[nodiscard]] std::string name_of_own_user();

}  // namespace whiteowl
