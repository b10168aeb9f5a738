// SPDX-License-Identifier: Apache-2.0
#include "whiteowl/daemon/system_call_filter.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <string>
#include <thread>

#include "whiteowl/base/child_task.hpp"

using namespace whiteowl;

namespace {

// In a child that has the filter; what `action` says comes back.
std::string filtered(const AllowedCalls& allowed, const std::function<std::string()>& action) {
  const auto work = [&] {
    const std::string problem = install_system_call_filter(allowed);
    return problem.empty() ? action() : "no filter: " + problem;
  };
  ChildTask child{work, {.time = std::chrono::seconds{20}, .memory_octets = std::size_t{1} << 30U}};
  return child.wait().text;
}

template <typename... Arguments>
std::string outcome(long number, Arguments... arguments) {
  errno = 0;
  const long result = ::syscall(number, arguments...);
  return result >= 0 ? "done" : errno == EPERM ? "EPERM" : errno == ENOSYS ? "ENOSYS" : std::to_string(errno);
}

std::string forbidden(const std::function<std::string()>& call) { return filtered({.packet_sockets = true}, call); }

}  // namespace

TEST_SUITE("system calls" * doctest::skip(kUnderSanitizer)) {
  TEST_CASE("another program cannot be started, nor another process looked into") {
    static char name[] = "/bin/true";
    static char* words[] = {name, nullptr};
    static char* none[] = {nullptr};
    CHECK(forbidden([] { return outcome(SYS_execve, name, words, none); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_execveat, AT_FDCWD, name, words, none, 0); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_ptrace, PTRACE_TRACEME, 0, nullptr, nullptr); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_process_vm_readv, ::getpid(), nullptr, 0, nullptr, 0, 0); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_process_vm_writev, ::getpid(), nullptr, 0, nullptr, 0, 0); }) == "EPERM");
  }

  TEST_CASE("the process stays who and where it is") {
    CHECK(forbidden([] { return outcome(SYS_setuid, ::getuid()); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_setresuid, ::getuid(), ::getuid(), ::getuid()); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_setgroups, 0, nullptr); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_capset, nullptr, nullptr); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_unshare, CLONE_NEWUSER); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_setns, -1, 0); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_chroot, "/"); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_mount, "none", "/tmp", "tmpfs", 0, nullptr); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_umount2, "/tmp", 0); }) == "EPERM");
  }

  TEST_CASE("a child is one of this process' own, in no namespace of its own") {
    CHECK(forbidden([] { return outcome(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, 0); }) ==
          "EPERM");
    CHECK(forbidden([] { return outcome(SYS_clone, CLONE_NEWNET | SIGCHLD, nullptr, nullptr, nullptr, 0); }) ==
          "EPERM");
    CHECK(forbidden([] { return outcome(SYS_clone3, nullptr, 0); }) == "ENOSYS");
    CHECK(forbidden([] {
            const pid_t child = ::fork();
            if (child == 0) ::_exit(7);
            int status = 0;
            return ::waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7 ? "waited for" : "lost";
          }) == "waited for");
    CHECK(forbidden([] {
            std::string said;
            std::thread{[&said] { said = "ran"; }}.join();
            return said;
          }) == "ran");
  }

  TEST_CASE("the rest of the kernel is out of reach") {
    CHECK(forbidden([] { return outcome(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_io_uring_setup, 1, nullptr); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_userfaultfd, 0); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_keyctl, 0, 0, 0, 0, 0); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_init_module, nullptr, 0, ""); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_finit_module, -1, "", 0); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_reboot, 0, 0, 0, nullptr); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_swapoff, "/nowhere"); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_bpf, -1, nullptr, 0); }) == "EPERM");
    CHECK(forbidden([] { return outcome(SYS_prctl, PR_SET_MM, 0, 0, 0, 0); }) == "EPERM");
    // Types a command into the terminal that started the program.
    CHECK(forbidden([] { return outcome(SYS_ioctl, 0, TIOCSTI, "x"); }) == "EPERM");
  }

  TEST_CASE("sockets are those that capture and export take") {
    const auto socket_of = [](int family, int type) {
      return forbidden([family, type] { return outcome(SYS_socket, family, type, 0); });
    };
    for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
      CAPTURE(family);
      CHECK(socket_of(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK) != "EPERM");
      CHECK(socket_of(family, SOCK_STREAM) != "EPERM");
    }
    CHECK(socket_of(AF_NETLINK, SOCK_RAW) == "done");
    CHECK(socket_of(AF_INET, SOCK_RAW) == "EPERM");
    for (const int family : {AF_VSOCK, AF_BLUETOOTH, AF_ALG, AF_XDP, AF_TIPC, AF_KEY}) {
      CAPTURE(family);
      CHECK(socket_of(family, SOCK_DGRAM) == "EPERM");
    }
    CHECK(filtered({}, [] { return outcome(SYS_socket, AF_PACKET, SOCK_RAW, 0); }) == "EPERM");
  }

  TEST_CASE("threads that run already are under the filter, too") {
    CHECK(forbidden([] { return std::string{}; }).empty());
    ChildTask child{[] {
                      int ends[2];
                      if (::pipe(ends) != 0) return std::string{"no pipe"};
                      std::string said;
                      std::thread other{[&] {
                        char go = 0;
                        (void)!::read(ends[0], &go, 1);
                        said = outcome(SYS_unshare, CLONE_NEWUSER);
                      }};
                      (void)!install_system_call_filter({}).empty();
                      (void)!::write(ends[1], "x", 1);
                      other.join();
                      return said;
                    },
                    {.time = std::chrono::seconds{20}, .memory_octets = std::size_t{1} << 30U}};
    CHECK(child.wait().text == "EPERM");
  }

  TEST_CASE("names are still looked up") {
    CHECK(forbidden([] {
            addrinfo* found = nullptr;
            const int error = ::getaddrinfo("localhost", "2055", nullptr, &found);
            if (error == 0) ::freeaddrinfo(found);
            return std::string{error == 0 ? "found" : ::gai_strerror(error)};
          }) == "found");
  }
}
