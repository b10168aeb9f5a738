// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/privileges.hpp"

#include <cap-ng.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <optional>

#include "whiteowl/base/error.hpp"
#include "whiteowl/daemon/system_call_filter.hpp"

namespace whiteowl {
namespace {

bool may(unsigned capability) { return ::capng_have_capability(CAPNG_EFFECTIVE, capability) != 0; }

// Whether a number of this user namespace is somebody outside.  user_namespaces(7).
bool is_mapped(const char* map, std::uint64_t id) {
  std::ifstream lines{map};
  std::uint64_t first = 0, outside = 0, count = 0;
  while (lines >> first >> outside >> count) {
    if (id >= first && id - first < count) return true;
  }
  return false;
}

bool may_leave_groups() {
  std::string word;
  return !(std::ifstream{"/proc/self/setgroups"} >> word) || word != "deny";
}

struct Identity {
  uid_t user;
  gid_t group;
};

// Who to become; nothing: nobody else.  `why_not` says it where somebody was to be expected.
std::optional<Identity> identity_of(const std::string& user, std::string& why_not) {
  if (user.empty() || ::geteuid() != 0) return std::nullopt;
  errno = 0;
  const passwd* const found = ::getpwnam(user.c_str());  // NOLINT(concurrency-mt-unsafe): the only thread
  if (found == nullptr) {
    if (user != kOwnUser)
      throw StartError{ExitStatus::configuration,
                       "process.user: there is no user " + user + "; name one that exists, or \"\" to stay root"};
    why_not = "there is no user " + user;
    return std::nullopt;
  }
  const bool possible = may(CAP_SETUID) && may(CAP_SETGID) && is_mapped("/proc/self/uid_map", found->pw_uid) &&
                        is_mapped("/proc/self/gid_map", found->pw_gid) && may_leave_groups();
  if (possible) return Identity{found->pw_uid, found->pw_gid};
  why_not = "this process cannot become " + user;
  return std::nullopt;
}

struct Kept {
  bool raw;
  bool all;  // nothing else was there

  [[nodiscard]] std::string text() const { return raw ? "CAP_NET_RAW" : "no capability"; }
};

// Notes for capng_apply() what stays.
Kept choose(const Needs& needs) {
  const auto permitted = [](unsigned capability) { return ::capng_have_capability(CAPNG_PERMITTED, capability) != 0; };
  Kept kept{needs.capture && permitted(CAP_NET_RAW), true};
  for (unsigned capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    const bool stays = capability == CAP_NET_RAW && kept.raw;
    kept.all = kept.all && permitted(capability) == stays;
  }
  ::capng_clear(CAPNG_SELECT_ALL);
  constexpr auto kWhere = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);
  if (kept.raw) ::capng_update(CAPNG_ADD, kWhere, CAP_NET_RAW);
  return kept;
}

void apply(int result, const char* what) {
  if (result == 0) return;
  throw std::system_error{errno != 0 ? errno : EPERM, std::generic_category(), what};
}

}  // namespace

std::string name_of_own_user() {
  const passwd* const found = ::getpwuid(::geteuid());  // NOLINT(concurrency-mt-unsafe): the only thread
  return found == nullptr ? "user " + std::to_string(::geteuid()) : found->pw_name;
}

std::string drop_privileges(const Needs& needs) {
  apply(::capng_get_caps_process(), "reading the capabilities");
  std::string why_not;
  const auto identity = identity_of(needs.user, why_not);
  // The bounding set is for those who may change it, and bounds nothing where nothing is executed any more.
  const bool bounding = may(CAP_SETPCAP);
  checked(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
  const Kept kept = choose(needs);
  std::string stays;
  errno = 0;
  if (identity) {
    const int flags = CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_AMBIENT | (bounding ? CAPNG_CLEAR_BOUNDING : 0);
    apply(::capng_change_id(static_cast<int>(identity->user), static_cast<int>(identity->group),
                            static_cast<capng_flags_t>(flags)),
          "becoming another user");
  } else {
    if (bounding) apply(::capng_apply(CAPNG_SELECT_BOUNDS), "bounding the capabilities");
    apply(::capng_apply(CAPNG_SELECT_AMBIENT), "dropping ambient capabilities");
    // A service's unit may refuse capset(2): what it gave is what there is then.
    if (!kept.all && ::capng_apply(CAPNG_SELECT_CAPS) != 0) {
      if (::geteuid() == 0) apply(-1, "dropping capabilities");
      stays = ", and what else the service manager gave, which may not be dropped here";
    }
  }
  // The keys of the hash tables and what is captured are nobody's business.  The leak check would have to trace us.
  checked(::prctl(PR_SET_DUMPABLE, kUnderSanitizer ? 1 : 0, 0, 0, 0), "PR_SET_DUMPABLE");
  return "running as " + name_of_own_user() + " with " + kept.text() + stays +
         (why_not.empty() ? "" : " (" + why_not + ")");
}

}  // namespace whiteowl
