// SPDX-License-Identifier: Apache-2.0
// A network of the tests' own: a suite is run again inside a user and network namespace, where the tests are root over
// their interfaces and nobody else's packets pass.  Needs no privilege but that of making such namespaces.
#pragma once

#include <net/if.h>
#include <netpacket/packet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "whiteowl/base/fd.hpp"

namespace whiteowl::test {

inline constexpr const char* kPrivateNetworkMark = "WHITEOWL_PRIVATE_NETWORK";

inline bool in_private_network() { return std::getenv(kPrivateNetworkMark) != nullptr; }

inline bool private_network_possible() {
  return std::system("unshare --user --map-root-user --net true 2>/dev/null") == 0;
}

// Runs this program's test suite again inside; true if it passed.
inline bool passes_in_private_network(const std::string& suite) {
  std::array<char, PATH_MAX> self{};
  if (::readlink("/proc/self/exe", self.data(), self.size() - 1) < 0) return false;
  const std::string command = "unshare --user --map-root-user --net env " + std::string{kPrivateNetworkMark} + "=1 '" +
                              self.data() + "' --no-version --test-suite='" + suite + "'";
  return std::system(command.c_str()) == 0;
}

inline void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error{"failed: " + command};
}

// Two interfaces joined by a wire, up and silent.
class Wire {
 public:
  Wire(std::string near, std::string far) : near_{std::move(near)}, far_{std::move(far)} {
    // The kernel's own IPv6 chatter would be counted, too.
    std::ofstream{"/proc/sys/net/ipv6/conf/default/disable_ipv6"} << 1;
    run("ip link add " + near_ + " type veth peer name " + far_);
    for (const auto& name : {near_, far_}) run("ip link set " + name + " arp off up");
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() { (void)!std::system(("ip link del " + near_ + " 2>/dev/null").c_str()); }

 private:
  std::string near_, far_;
};

// Sends frames out of an interface.
class Sender {
 public:
  explicit Sender(const std::string& interface) : fd_{::socket(AF_PACKET, SOCK_RAW, 0)} {
    address_.sll_family = AF_PACKET;
    address_.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    if (!fd_ || address_.sll_ifindex == 0) throw std::runtime_error{"cannot send on " + interface};
  }
  void send(const std::vector<std::uint8_t>& frame) {
    const auto* address = reinterpret_cast<const sockaddr*>(&address_);
    if (::sendto(fd_.get(), frame.data(), frame.size(), 0, address, sizeof address_) !=
        static_cast<ssize_t>(frame.size()))
      throw std::runtime_error{"a frame was not sent"};
  }

 private:
  UniqueFd fd_;
  sockaddr_ll address_{};
};

}  // namespace whiteowl::test
