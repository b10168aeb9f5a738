// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/system_call_filter.hpp"

#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <new>
#include <system_error>

namespace whiteowl {
namespace {

// Allowed with any arguments.  mmap and mprotect may make memory executable: looking a name up loads the modules that
// nsswitch.conf(5) names, at the first look-up, which may come late.  Names that an architecture lacks are passed over.
constexpr std::array kAllowed = {
    // Files: outputs, settings, /etc/resolv.conf, /sys.
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "open",
    "openat",
    "close",
    "close_range",
    "lseek",
    "_llseek",
    "fstat",
    "fstat64",
    "stat",
    "stat64",
    "lstat",
    "lstat64",
    "newfstatat",
    "fstatat64",
    "statx",
    "statfs",
    "statfs64",
    "fstatfs",
    "fstatfs64",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "fcntl",
    "fcntl64",
    "flock",
    "dup",
    "dup2",
    "dup3",
    "pipe",
    "pipe2",
    "ftruncate",
    "ftruncate64",
    "fallocate",
    "fsync",
    "fdatasync",
    "fadvise64",
    "fadvise64_64",
    "arm_fadvise64_64",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "link",
    "linkat",
    "fchmod",
    "umask",
    "memfd_create",
    "inotify_init1",
    "inotify_add_watch",
    "inotify_rm_watch",
    // Waiting, signals, time.
    "poll",
    "ppoll",
    "ppoll_time64",
    "select",
    "_newselect",
    "pselect6",
    "pselect6_time64",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "signalfd4",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_settime64",
    "timerfd_gettime",
    "timerfd_gettime64",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigpending",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "rt_sigtimedwait_time64",
    "sigaltstack",
    "sigreturn",
    "kill",
    "tkill",
    "tgkill",
    "pidfd_open",
    "pidfd_send_signal",
    "restart_syscall",
    "pause",
    "clock_gettime",
    "clock_gettime64",
    "clock_getres",
    "clock_getres_time64",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "nanosleep",
    "gettimeofday",
    "time",
    "times",
    // Memory.
    "mmap",
    "mmap2",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "brk",
    "mincore",
    "mbind",
    "set_mempolicy",
    "get_mempolicy",
    "membarrier",
    // Threads, and children that do work which may hang.
    "futex",
    "futex_time64",
    "set_robust_list",
    "get_robust_list",
    "set_tid_address",
    "rseq",
    "gettid",
    "getpid",
    "getppid",
    "getpgrp",
    "getpgid",
    "setpgid",
    "getsid",
    "sched_yield",
    "sched_getaffinity",
    "sched_setaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "getcpu",
    "getpriority",
    "fork",
    "wait4",
    "waitid",
    "waitpid",
    "exit",
    "exit_group",
    // About itself.
    "getuid",
    "getuid32",
    "geteuid",
    "geteuid32",
    "getgid",
    "getgid32",
    "getegid",
    "getegid32",
    "getresuid",
    "getresuid32",
    "getresgid",
    "getresgid32",
    "getgroups",
    "getgroups32",
    "capget",
    "getrandom",
    "getrusage",
    "getrlimit",
    "ugetrlimit",
    "setrlimit",
    "prlimit64",
    "sysinfo",
    "uname",
    // Sockets, once there is one.
    "bind",
    "connect",
    "listen",
    "accept",
    "accept4",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "shutdown",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "recvmmsg_time64",
    "send",
    "recv",
};

constexpr std::uint64_t kNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
// The flags are the second argument there.
#if defined(__s390__)
constexpr unsigned kCloneFlags = 1;
#else
constexpr unsigned kCloneFlags = 0;
#endif

// Interfaces and sockets; none that types into the terminal that it was started from (TIOCSTI).
constexpr std::uint64_t kSocketRequests = 0x8900, kSocketRequestMask = 0xFFFFFF00;
constexpr std::array kRequests = {std::uint64_t{TCGETS}, std::uint64_t{TIOCGWINSZ}, std::uint64_t{FIONREAD},
                                  std::uint64_t{TIOCOUTQ}, std::uint64_t{FIONBIO}};

constexpr std::array kProcessRequests = {PR_SET_NAME,     PR_GET_NAME,         PR_SET_PDEATHSIG, PR_GET_DUMPABLE,
                                         PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_READ,  PR_SET_VMA};

constexpr std::uint64_t kSocketTypeMask = 0xF;

class Filter {
 public:
  Filter() : context_{::seccomp_init(SCMP_ACT_ERRNO(EPERM))} {
    if (context_ == nullptr) throw std::bad_alloc{};
  }
  ~Filter() { ::seccomp_release(context_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  // Not every architecture has every call.
  template <typename... Conditions>
  void rule(std::uint32_t action, const char* name, const Conditions&... conditions) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return;
    const int result = ::seccomp_rule_add(context_, action, number, sizeof...(conditions), conditions...);
    if (result != 0 && problem_ == 0) problem_ = -result;
  }
  template <typename... Conditions>
  void allow(const char* name, const Conditions&... conditions) {
    rule(SCMP_ACT_ALLOW, name, conditions...);
  }
  void attribute(scmp_filter_attr which, std::uint32_t value) { ::seccomp_attr_set(context_, which, value); }

  // 0, or what errno would be.
  [[nodiscard]] int load() {
    if (problem_ != 0) return problem_;
    return -::seccomp_load(context_);
  }

 private:
  scmp_filter_ctx context_;
  int problem_ = 0;
};

// An argument that the kernel looks at as 32 bits.
scmp_arg_cmp equals(unsigned argument, std::uint64_t value, std::uint64_t mask = 0xFFFFFFFF) {
  return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, mask, value & mask);
}

void allow_sockets(Filter& filter, bool packet_sockets) {
  for (const int family : {AF_UNIX, AF_NETLINK}) filter.allow("socket", equals(0, static_cast<unsigned>(family)));
  for (const int family : {AF_INET, AF_INET6}) {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM})
      filter.allow("socket", equals(0, static_cast<unsigned>(family)),
                   equals(1, static_cast<unsigned>(type), kSocketTypeMask));
  }
  if (packet_sockets) filter.allow("socket", equals(0, AF_PACKET));
  filter.allow("socketpair", equals(0, AF_UNIX));
}

}  // namespace

std::string install_system_call_filter(const AllowedCalls& allowed) {
  if (kUnderSanitizer) return {};
  Filter filter;
  filter.attribute(SCMP_FLTATR_CTL_TSYNC, 1);
  filter.attribute(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
  filter.attribute(SCMP_FLTATR_CTL_OPTIMIZE, 2);
  // Older kernels slow every filtered process down for the sake of code of strangers, of which there is none here.
  filter.attribute(SCMP_FLTATR_CTL_SSB, 1);
  for (const char* name : kAllowed) filter.allow(name);
  filter.allow("clone", equals(kCloneFlags, 0, kNamespaces));
  // Its flags lie in memory, where no filter can look; the C library then takes clone.
  filter.rule(SCMP_ACT_ERRNO(ENOSYS), "clone3");
  filter.allow("ioctl", equals(1, kSocketRequests, kSocketRequestMask));
  for (const auto request : kRequests) filter.allow("ioctl", equals(1, request));
  for (const int request : kProcessRequests) filter.allow("prctl", equals(0, static_cast<unsigned>(request)));
  allow_sockets(filter, allowed.packet_sockets);
  const int error = filter.load();
  // Where a service's unit filters calls already, it may refuse this one, and its filter stays.
  if (error == 0 || ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2) return {};
  return std::generic_category().message(error);
}

}  // namespace whiteowl
